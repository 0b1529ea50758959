"""The loops of `pivot_loops` and `support_loops`, compiled by numba where it is installed (extra `fast`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from algos.tabular.stage.solution import Floats
from algos.tabular.stage.supports import Equilibria

__all__ = ["Loops", "kernels"]


def kernels(fast: bool | None) -> Loops | None:
    """Return the compiled loops, or None where they are not wanted or not to be had.

    Raises:
        ImportError: if `fast` is True and numba is not installed.
    """
    if fast is False:
        return None
    if find_spec("numba") is None:
        if fast:
            raise ImportError("fast=True needs numba: pip install 'robust-envs[fast]'")
        return None
    return _compiled()


@cache
def _compiled() -> Loops:
    from numba import njit

    from algos.tabular.stage.pivot_loops import follow_paths, solve_programs
    from algos.tabular.stage.support_loops import list_equilibria

    loops = (follow_paths, list_equilibria, solve_programs)
    try:
        return Loops(*(njit(cache=True, nogil=True)(loop) for loop in loops))
    except RuntimeError:  # numba finds no folder it may write to: then every process compiles anew
        return Loops(*(njit(nogil=True)(loop) for loop in loops))


@dataclass(frozen=True)
class Loops:
    """Hold loops over games, compiled or as they stand, and call them as the batched functions are called."""

    follow_paths: Any
    list_equilibria: Any
    solve_programs: Any

    def lemke_howson(self, payoffs: Floats, *, max_steps: int) -> tuple[Floats, Floats]:
        """Do what `howson.lemke_howson` does, for payoffs that need not be scaled."""
        batch, _, m, n = payoffs.shape
        x, y = np.empty((batch, m)), np.empty((batch, n))
        self.follow_paths(np.ascontiguousarray(payoffs), max_steps, x, y)
        return x, y

    def zero_sum(self, gains: Floats, *, max_steps: int) -> tuple[Floats, Floats]:
        """Do what `simplex.zero_sum` does."""
        batch, m, n = gains.shape
        x, y = np.empty((batch, m)), np.empty((batch, n))
        self.solve_programs(np.ascontiguousarray(gains), max_steps, x, y)
        return x, y

    def extreme_equilibria(self, payoffs: Floats, tie: float) -> Equilibria:
        """Do what `supports.extreme_equilibria` does."""
        game, x, y = self.list_equilibria(np.ascontiguousarray(payoffs), tie)
        return Equilibria(game, (x, y))
