"""Between traces, lists of moves on the lattice, and natures that play them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robust_envs.sets import Finite
from robust_envs.testing.counterexample import PerturbedStep
from robust_envs.testing.episodes import Episode
from robust_envs.testing.lattice import Script, encode
from robust_envs.testing.problem import Place, Problem
from robust_envs.traces import Trace

__all__ = ["correlations", "is_named", "script_of", "steps_of"]

Array = np.ndarray[Any, np.dtype[Any]]


def is_named(place: Place) -> bool:
    """Tell whether the integers of a place name a choice or a member instead of counting."""
    return isinstance(place.members, Finite)


def steps_of(problem: Problem, trace: Trace, q: int) -> list[PerturbedStep]:
    """Write what was chosen as moves on the lattice, without those that moved nothing."""
    steps = []
    for place in problem.places:
        recorded = trace.moves[place.label]
        moved = np.flatnonzero(recorded.executed.any(axis=1))
        chosen = recorded.chosen
        if place.once and len(moved):  # it was chosen at the first move, and seen from when it could be
            moved, chosen = np.zeros(1, int), (chosen.max(axis=0, keepdims=True) if place.choice else chosen[:1])
        for t in moved:
            integers = _integers(chosen[t], place, q)
            if any(integers) or is_named(place):
                steps.append(PerturbedStep(int(t), place.label[1], place.channel, integers))
    return sorted(steps)


def _integers(chosen: Array, place: Place, q: int) -> tuple[int, ...]:
    """Write one move; what a choice came to (a delay at the first steps) as the first choice that comes to it."""
    integers = encode(chosen, place.members, q, whole=place.whole)
    if place.choice and integers[0] not in place.options:
        return (next((option for option in place.options if option > integers[0]), integers[0]),)
    return integers


def script_of(problem: Problem, steps: Sequence[PerturbedStep], q: int) -> Script:
    """Return the nature that plays a list of moves."""
    members = {place.label: place.members for place in problem.places}
    return Script(steps, members, q, whole=[place.label for place in problem.places if place.whole])


def correlations(problem: Problem, trace: Trace, episode: Episode | None) -> dict[Any, Any]:
    """Tell how the signs of what nature did go with the signs of what it saw, by place, shape (rows, n + 1)."""
    found = {}
    for place in problem.places:
        chosen = trace.moves[place.label].chosen
        if place.choice or isinstance(place.agent, tuple) or episode is None or place.agent not in episode.observations:
            continue
        seen = episode.states(place.agent)[: len(chosen)]
        if seen.shape[1] + 1 == len(place.scale):
            signs = np.sign(np.concatenate([seen, np.ones((len(seen), 1))], axis=1))
            found[place.key] = np.sign(chosen[: len(seen)]).T @ signs / max(1, len(seen))
    return found
