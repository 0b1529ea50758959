"""Directed projected gradient descent on what a differentiable policy sees: at most a few episodes' worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.natures import Move, Nature
from robust_envs.testing.gradients import gradient_of
from robust_envs.testing.problem import Problem
from robust_envs.testing.rules import Key, nothing

__all__ = ["Gradient"]

Array = np.ndarray[Any, np.dtype[Any]]
STEPS, RATE = 10, 0.3  # gradient steps at each observation, and their size as a share of the set's half width


class Gradient:
    """Push the policy's action one way throughout the episode, as far as gradients carry it.

    The ways: for continuous actions up and down, each coordinate and all together; for discrete ones each action.

    Args:
        problem: The places.

    Raises:
        ValueError: If the policy has no gradient here.

    References:
        Aleksander Madry et al., 2018, Towards Deep Learning Models Resistant to Adversarial Attacks.
    """

    def __init__(self, problem: Problem, *, limit: int | None = None) -> None:
        self._parts = _differentiable(problem)
        if not self._parts:
            raise ValueError(
                "search='pgd' needs a differentiable policy (a method gradient(observation, weights), a torch module "
                f"or a Stable-Baselines3 algorithm) and perturbed observations in a Box, got {problem.arena.policy!r}"
            )
        ways = max(count for *_, count in self._parts.values())
        self._ways = list(range(ways if limit is None else min(limit, ways)))

    @classmethod
    def offered(cls, problem: Problem) -> Gradient | None:
        """Return three episodes' worth where the policy has a gradient, else None."""
        return cls(problem, limit=3) if _differentiable(problem) and not problem.oblivious else None

    ready = True  # whether to be asked again before what is out is told

    def ask(self) -> Nature:
        """Return the next way to push."""
        if not self._ways:
            raise StopIteration
        way = self._ways.pop(0)
        return Pushed({key: (slope, weights(way)) for key, (slope, weights, _) in self._parts.items()})

    def tell(self, nature: Nature, margin: float) -> None:
        """Learn nothing: each way is tried once."""


class Pushed:
    """Answer each observation with the member of the set that pushes the action furthest, as gradients see it."""

    def __init__(self, parts: dict[Key, tuple[Any, Array]]) -> None:
        self.parts = parts

    def __call__(self, move: Move) -> Any:
        part = self.parts.get((move.channel, move.agent))
        if part is None:
            return nothing(move)
        slope, weights = part
        members = move.set
        half = (members.bounds.high - members.bounds.low) / 2
        seen, delta = move.nominal.astype(np.float64), np.zeros(len(move.nominal))
        for _ in range(STEPS):
            up = np.asarray(slope(seen + delta, weights)).reshape(-1)
            delta = np.asarray(members.project(delta + RATE * half * np.sign(up)))
        return delta


class _Ways:
    """Number the ways in which an action can be pushed."""

    def __init__(self, space: Any) -> None:
        self.size = int(space.n) if isinstance(space, spaces.Discrete) else int(np.prod(space.shape))
        self.discrete = isinstance(space, spaces.Discrete)

    def __len__(self) -> int:
        return self.size if self.discrete else 2 * self.size + 2 * (self.size > 1)

    def __call__(self, way: int) -> Array:
        way %= len(self)
        if self.discrete:
            return np.asarray(np.eye(self.size)[way] - 1 / self.size)
        sign, number = 1 - 2 * (way % 2), way // 2
        return np.full(self.size, float(sign)) if number == self.size else sign * np.eye(self.size)[number]


def _differentiable(problem: Problem) -> dict[Key, tuple[Any, _Ways, int]]:
    found = {}
    for place in problem.places:
        if place.channel != "observation" or place.sensitivity is None:
            continue
        slope = gradient_of(problem.arena.policy, place.agent)
        if slope is not None:
            ways = _Ways(problem.arena.space("action", place.agent))
            found[place.key] = slope, ways, len(ways)
    return found
