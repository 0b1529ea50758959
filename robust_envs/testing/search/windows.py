"""When a rule acts: always, or, where a budget over the episode must be shared out, for a random stretch of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from robust_envs.sets import L1, Linf
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import Window

__all__ = ["random_windows", "window_of"]


def random_windows(problem: Problem, rng: np.random.Generator) -> list[Window] | None:
    """Return a window for each place, or None where no place has a budget to share out."""
    if all(place.budget is None for place in problem.places):
        return None
    length = 2 ** int(rng.integers(0, max(1, math.ceil(math.log2(problem.horizon))) + 1))
    start = int(rng.integers(max(1, problem.horizon - length + 1)))
    return [window_of(place, start, length) for place in problem.places]


def window_of(place: Place, start: int, length: int) -> Window:
    """Return the window in which a place spends its whole budget evenly."""
    ball: Any = None if place.budget is None else place.budget.inner
    if ball is None or isinstance(ball, Linf):
        return Window()
    return Window(start, length, 1 / length if isinstance(ball, L1) else 1 / math.sqrt(length))
