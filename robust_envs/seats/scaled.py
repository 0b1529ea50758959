"""The seat of a set whose size depends on the state and the action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robust_envs.seats.seat import Array, Seat
from robust_envs.sets import PerState, UncertaintySet

__all__ = ["ScaledSeat"]


class ScaledSeat(Seat):
    """Ask for the radius before every move; natures that draw in blocks draw for radius 1, and rows are scaled."""

    members: PerState
    moving = True
    _factor = 1.0

    @property
    def looks(self) -> bool:
        return True

    def begin(self) -> None:
        super().begin()
        self._scene: dict[str, tuple[Any, Any]] = {}

    def note(self, agent: str, observation: Any, action: Any) -> None:
        """Keep what an agent saw and did: its next reward is about that."""
        self._scene[agent] = observation, action

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        if self.idle:
            return self._pass(value)
        try:
            self._factor = self.members.factor(*self._situation(value, observation))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self._who()}: {error}") from error
        if self._factor == 0 and self.drawn:
            self._drawn(self._allowed())  # so that the radius of one state moves nobody else's noise
        if self._factor == 0:
            return self._pass(value)
        return self.execute(value, self.choose(value, observation, mask))

    def _situation(self, value: Any, observation: Any) -> tuple[Any, Any]:
        if self.point == "observation" and self.channel != "observation":  # part of it: a message
            return self._present(observation), None
        if self.channel == "observation":
            return value, None
        if self.point == "action":
            return self._present(observation), value
        seen = self._present(observation)
        if not isinstance(self.agent, tuple):
            return self._scene.get(self.agent, (seen, None))
        pairs = {agent: self._scene.get(agent, (seen.get(agent), None)) for agent in value}
        return {agent: pair[0] for agent, pair in pairs.items()}, {agent: pair[1] for agent, pair in pairs.items()}

    def _present(self, observation: Any) -> Any:
        if not isinstance(self.agent, tuple) or not isinstance(observation, Mapping):
            return observation
        return {agent: observation[agent] for agent in self.agent if agent in observation}

    def _allowed(self) -> UncertaintySet:
        return self.members.inner.scaled(self._factor)

    def _drawn(self, allowed: UncertaintySet) -> Array:
        return np.asarray(self._factor * super()._drawn(allowed))
