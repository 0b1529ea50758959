"""The seat of a nature that picks the distribution of the next state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from robust_envs.seats.seat import Array, Seat
from robust_envs.sets import Moved, UncertaintySet

__all__ = ["KernelSeat"]


class KernelSeat(Seat):
    """Move a distribution inside a set that lies about it: another set at every state and action."""

    members: Moved
    moving = True

    def _settle(self) -> None:
        super()._settle()
        self._counts = False  # nothing can be drawn ahead: the set is not known before the state is
        self._here: UncertaintySet = self.members

    def choose(self, value: Any, observation: Any, mask: Any = None, action: Any = None) -> Array:
        self._here = replace(self.members, nominal=tuple(np.asarray(value, np.float64).tolist()))
        return super().choose(value, observation, mask, action)

    def _allowed(self) -> UncertaintySet:
        return self._here

    def _drawn(self, allowed: UncertaintySet) -> Array:
        return np.asarray(self._checked_rows(self.nature, self._stretch(allowed, self.step, 1))[0])
