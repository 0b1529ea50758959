"""Steering: a law says where the action should go, the policy itself is asked which perturbation takes it there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.natures import Move, Nature
from robust_envs.sets import PerEpisode
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import Key, nothing
from robust_envs.testing.search.decode import directions, modes

__all__ = ["Steer"]

Array = np.ndarray[Any, np.dtype[Any]]
CANDIDATES, _CORNERS = 16, 4  # perturbations tried at a move; up to so many coordinates: all corners


class Steer:
    r"""Move the policy's action away from what it would be; after that along random laws \(w = V s\), at every step.

    Of a few extreme members \(\delta_k\) of the set nature takes, for one episode, the one with the largest
    \(\lVert \pi(s + \delta_k) - \pi(s) \rVert\); in all others, with V drawn for each, the one with the largest
    \(\langle w, \pi(s + \delta_k) \rangle\). It needs no gradient and follows policies whose answers bend, where a rule
    for the deltas themselves goes wrong; it asks the policy several times a step, which counts as no episode.

    Args:
        problem: The places.

    Raises:
        ValueError: If nature cannot perturb what anybody sees.

    References:
        Huan Zhang et al., 2020, Robust Deep Reinforcement Learning against Adversarial Perturbations on State
        Observations: the maximal action difference, there by gradients.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.rng = problem, problem.rng
        self._places = _steerable(problem)
        if not self._places:
            raise ValueError("search='steer' needs perturbed observations in a Box, seen by one agent each, per step")
        self._probes = {place.key: _Probe(problem, place) for place in self._places}
        self._shared = problem.shared and "shared" in modes(problem)
        self._asked = False

    @classmethod
    def offered(cls, problem: Problem) -> Steer | None:
        """Return the search where it can act, else None."""
        return cls(problem) if _steerable(problem) else None

    ready = True  # whether to be asked again before what is out is told

    def ask(self) -> Nature:
        """Return the next nature."""
        if not self._asked:
            self._asked = True
            return Furthest(self._probes)
        laws: dict[Key, Array] = {}
        together = self._shared and self.rng.random() < 0.5
        for place in self._places:
            if not (together and laws):
                law = self.rng.standard_normal((self._probes[place.key].ways, len(place.scale))) / place.scale
            laws[place.key] = law
        return Steered(laws, self._probes)

    def tell(self, nature: Nature, margin: float) -> None:
        """Learn nothing: every law is drawn afresh."""


class Furthest:
    """Move every action as far from what it would be as it goes."""

    def __init__(self, probes: dict[Key, _Probe]) -> None:
        self.probes = probes

    def __call__(self, move: Move) -> Any:
        probe = self.probes.get((move.channel, move.agent))
        return nothing(move) if probe is None else probe.furthest(move)


class Steered:
    """Follow the laws."""

    def __init__(self, laws: dict[Key, Array], probes: dict[Key, _Probe]) -> None:
        self.laws, self.probes = laws, probes

    def __call__(self, move: Move) -> Any:
        key = move.channel, move.agent
        law = self.laws.get(key)
        if law is None:
            return nothing(move)
        return self.probes[key].best(law[:, :-1] @ move.seen + law[:, -1], move)


class _Probe:
    """Ask the policy of one agent at the perturbed observations."""

    def __init__(self, problem: Problem, place: Place) -> None:
        arena = problem.arena
        self._space: Any = arena.space("observation", place.agent)
        action: Any = arena.space("action", place.agent)
        self._discrete = isinstance(action, spaces.Discrete)
        self._first = int(action.start) if self._discrete else 0
        self.ways = int(action.n) if self._discrete else int(np.prod(action.shape))
        self._deltas = _corners(place)
        self._ask: Callable[[Any], Any] = arena.asker(place.agent)

    def best(self, wish: Array, move: Move) -> Array:
        """Return the perturbation that takes the action furthest along a wish."""
        return self._most(lambda action: float(wish @ action), move)

    def furthest(self, move: Move) -> Array:
        """Return the perturbation that takes the action furthest from what it would be."""
        nominal = self._action(move.nominal)
        return self._most(lambda action: float(np.linalg.norm(action - nominal)), move)

    def _most(self, score: Callable[[Array], float], move: Move) -> Array:
        scores = [score(self._action(move.nominal + delta)) for delta in self._deltas]
        return np.asarray(self._deltas[int(np.argmax(scores))])

    def _action(self, near: Array) -> Array:
        """Ask what the policy does; a choice is a unit vector."""
        space = self._space
        seen = np.minimum(np.maximum(near.reshape(space.shape), space.low), space.high).astype(space.dtype)
        action = self._ask(seen)
        if self._discrete:
            return np.asarray(np.eye(self.ways)[int(action) - self._first])
        return np.asarray(action, np.float64).reshape(-1)


def _corners(place: Place) -> Array:
    """Return extreme members: all signs where there are few, else along the action's directions and at random."""
    if place.rows <= _CORNERS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=place.rows)))
    else:
        along = directions(place)
        known = np.zeros((0, place.rows)) if along is None else along[: CANDIDATES // 4]
        drawn = np.random.default_rng(0).choice((-1.0, 1.0), (CANDIDATES - 2 * len(known), place.rows))
        signs = np.concatenate([known, -known, drawn])
    return np.asarray(place.members.worst(-signs))


def _steerable(problem: Problem) -> list[Place]:
    return [
        place
        for place in problem.places
        if place.sensitivity is not None and not problem.oblivious and not isinstance(place.budget, PerEpisode)
    ]
