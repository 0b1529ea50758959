"""Open-loop natures: constants and segments at the extreme members of the set, and plain noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robust_envs.natures import Move, Nature
from robust_envs.natures.move import is_choice
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import Key, Window, nothing
from robust_envs.testing.search.windows import random_windows

__all__ = ["NoiseSearch", "Segments"]

Array = np.ndarray[Any, np.dtype[Any]]
SEGMENTS = (1, 2, 4, 8)


class Course:
    """Play one extreme member (or choice) for each segment of the episode, at every place."""

    def __init__(self, plans: Mapping[Key, Array], horizon: int, windows: Mapping[Key, Window]) -> None:
        self.plans, self.horizon, self.windows = dict(plans), horizon, dict(windows)

    def __call__(self, move: Move) -> Any:
        key = move.channel, move.agent
        plan, window = self.plans.get(key), self.windows.get(key, Window())
        if plan is None or move.step not in window:
            return nothing(move)
        target = plan[min(len(plan) - 1, move.step * len(plan) // self.horizon)]
        if is_choice(move):
            legal = np.asarray(move.set.members).reshape(-1)  # type: ignore[attr-defined]
            return target if target[0] in legal else move.nominal
        return target if window.share == 1.0 else move.set.project(window.share * target)


class Segments:
    """Draw constants first, then 2, 4 or 8 segments, each at a random extreme member of the set.

    Args:
        problem: The places.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.rng, self._asked = problem, problem.rng, 0

    ready = True  # whether to be asked again before what is out is told

    def ask(self) -> Course:
        """Return the next course."""
        count = SEGMENTS[self._asked % len(SEGMENTS)]
        self._asked += 1
        shared = self.problem.shared and self.rng.random() < 0.5
        first = self._plan(self.problem.places[0], count)
        plans = {place.key: first if shared else self._plan(place, count) for place in self.problem.places}
        windows = random_windows(self.problem, self.rng) or [Window()] * len(self.problem.places)
        keyed = {place.key: window for place, window in zip(self.problem.places, windows, strict=True)}
        return Course(plans, self.problem.horizon, keyed)

    def tell(self, nature: Nature, margin: float) -> None:
        """Learn nothing: every course is drawn afresh."""

    def _plan(self, place: Place, count: int) -> Array:
        if place.choice:
            return self.rng.integers(place.first, place.first + place.rows, (count, 1))
        return np.asarray(place.members.worst(self.rng.standard_normal((count, place.rows))))


class Noise:
    """Draw every move from the set afresh."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.begin()

    def begin(self) -> None:
        """Start an episode: the same draws again."""
        self.rng = np.random.default_rng(self.seed)

    def __call__(self, move: Move) -> Any:
        if is_choice(move):
            options = np.asarray(move.set.members).reshape(-1)  # type: ignore[attr-defined]
            return options[[self.rng.integers(len(options))]].astype(np.int64) if len(options) else move.nominal
        return move.set.sample(self.rng)


class NoiseSearch:
    """Draw independent noise: the control that other searches are measured against.

    Args:
        problem: The places.
    """

    def __init__(self, problem: Problem) -> None:
        self.rng = problem.rng

    ready = True  # whether to be asked again before what is out is told

    def ask(self) -> Noise:
        """Return noise with a seed of its own."""
        return Noise(int(self.rng.integers(2**31)))

    def tell(self, nature: Nature, margin: float) -> None:
        """Learn nothing."""
