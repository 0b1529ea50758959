"""From a flat vector of numbers to a nature that plays a feedback rule at every place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from robust_envs.testing.episodes import flat
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import Feedback, RuleNature, Window

__all__ = ["Decoder", "directions", "modes"]

Array = np.ndarray[Any, np.dtype[Any]]
_WEAK = 0.1  # directions of the action that move less than this share of the strongest are left out


def directions(place: Place) -> Array | None:
    """Return how to move the coordinates so as to move the action, shape (k, rows): one row for each way it moves.

    The right singular vectors of the sensitivity, every coordinate brought to the same size: how far it goes is for
    the set to say.
    """
    if place.sensitivity is None:
        return None
    _, sizes, rows = np.linalg.svd(place.sensitivity, full_matrices=False)
    strong = sizes > _WEAK * sizes[0]
    if sizes[0] < 1e-9:
        return None
    basis = sizes[strong, None] * rows[strong]
    basis *= np.sign(basis[np.arange(len(basis)), np.abs(basis).argmax(axis=1)])[:, None]
    norms = np.linalg.norm(basis, axis=0)
    return np.asarray(basis / np.where(norms > 1e-6 * norms.max(), norms, np.inf))


def modes(problem: Problem) -> tuple[str, ...]:
    """Return who may share a rule: every place its own, all one, and all looking through everybody's eyes."""
    if len(problem.places) == 1:
        return ("own",)
    look = problem.arena.witness
    coalition = not problem.oblivious and all(isinstance(place.agent, str) for place in problem.places)
    several = hasattr(look, "now") and len({place.agent for place in problem.places}) > 1
    return ("own", *(("shared",) if problem.shared else ()), *(("coalition",) if coalition and several else ()))


class Decoder:
    """Turn vectors into natures.

    Args:
        problem: The places.
        mode: One of `modes`.
        directed: Whether to steer the action along `directions` instead of moving every coordinate by itself.
    """

    def __init__(self, problem: Problem, *, mode: str = "own", directed: bool = False) -> None:
        self.problem, self.mode, self.directed = problem, mode, directed
        self._places = problem.places
        self._looks = [self._look(place) for place in self._places]
        self._bases = self._find_bases() if directed else [None] * len(self._places)
        self._shapes = [self._shape(k) for k in range(len(self._places))]
        sizes = [rows * columns for rows, columns in self._shapes]
        self.size = sizes[0] if mode == "shared" else sum(sizes)
        self._starts = np.cumsum([0, *sizes[:-1]])

    def _find_bases(self) -> list[Array | None]:
        """Return the directions of each place; for a rule of all, those of all together."""
        if self.mode != "shared":
            return [directions(place) for place in self._places]
        known = [place.sensitivity for place in self._places if place.sensitivity is not None]
        together = replace(self._places[0], sensitivity=np.concatenate(known) if known else None)
        return [directions(together)] * len(self._places)

    def nature(self, vector: Array, *, squash: str = "sign", windows: Any = None, reach: float = 1.0) -> RuleNature:
        """Return the nature of a vector, shape (size,), whose numbers are of order 1."""
        parts = {}
        for k, place in enumerate(self._places):
            rows, columns = self._shapes[k]
            start = 0 if self.mode == "shared" else self._starts[k]
            numbers = np.asarray(vector[start : start + rows * columns], np.float64).reshape(rows, columns)
            look, scale = self._looks[k]
            weights = numbers / scale
            basis = self._bases[k]
            if basis is not None:
                weights = basis.T @ weights
            if self.problem.oblivious or place.once:
                weights = np.concatenate([np.zeros((len(weights), len(scale) - 1)), weights[:, -1:]], axis=1)
            window = Window() if windows is None else windows[k]
            parts[place.key] = Feedback(
                weights,
                place.members,
                squash=squash,
                look=look,
                window=window,
                first=place.first,
                reach=reach,
                fixed=place.fixed,
            )
        return RuleNature(parts, reach=reach)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each block of numbers in a vector."""
        return self._shapes[:1] if self.mode == "shared" else self._shapes

    def _shape(self, k: int) -> tuple[int, int]:
        basis = self._bases[k]
        return (self._places[k].rows if basis is None else len(basis)), len(self._looks[k][1])

    def _look(self, place: Place) -> tuple[Callable[[], Array] | None, Array]:
        """Return what a place sees, and the scale of it."""
        if self.mode != "coalition":
            return None, place.scale
        agents = tuple(dict.fromkeys(other.agent for other in self._places))
        first = {other.agent: other for other in reversed(self._places)}
        scale = np.concatenate([*(first[agent].scale[:-1] for agent in agents), np.ones(1)])
        return Everybody(self.problem.arena.witness, tuple((a, len(first[a].features)) for a in agents)), scale


class Everybody:
    """The latest nominal observations of all agents in one vector; zeros for who is not there."""

    def __init__(self, witness: Any, sizes: tuple[tuple[str, int], ...]) -> None:
        self.witness, self.sizes = witness, sizes

    def __call__(self) -> Array:
        now = self.witness.now
        return np.concatenate([flat(now[agent]) if agent in now else np.zeros(n) for agent, n in self.sizes])
