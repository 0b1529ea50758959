"""Between traces, lists of moves on the lattice, and natures that play them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robust_envs import OutsideSetError
from robust_envs.sets import Finite, UncertaintySet
from robust_envs.testing.arena import declared
from robust_envs.testing.counterexample import Counterexample, PerturbedStep
from robust_envs.testing.episodes import Episode
from robust_envs.testing.lattice import Script, encode, innermost
from robust_envs.testing.problem import Place, Problem
from robust_envs.traces import Trace

__all__ = ["correlations", "is_named", "script_of", "script_of_file", "steps_of"]


def is_named(place: Place) -> bool:
    """Tell whether the integers of a place name a choice or a member instead of counting."""
    return isinstance(place.members, Finite)


def steps_of(problem: Problem, trace: Trace, q: int) -> list[PerturbedStep]:
    """Write what was chosen as moves on the lattice, without those that moved nothing."""
    steps = []
    for place in problem.places:
        recorded = trace.moves[place.label]
        for t in np.flatnonzero(recorded.executed.any(axis=1)):
            integers = encode(recorded.chosen[t], place.members, q, whole=place.whole)
            if any(integers) or is_named(place):
                steps.append(PerturbedStep(int(t), place.label[1], place.channel, integers))
    return sorted(steps)


def script_of(problem: Problem, steps: Sequence[PerturbedStep], q: int) -> Script:
    """Return the nature that plays a list of moves."""
    members = {place.label: place.members for place in problem.places}
    return Script(steps, members, q, whole=[place.label for place in problem.places if place.whole])


def script_of_file(problem: Problem, kept: Counterexample, channels: Mapping[str, Any]) -> Script:
    """Read the integers of a file on the lattice of the sets it was found in, which need not be those of today.

    Raises:
        OutsideSetError: If those sets do not act here.
    """
    members = {place.label: _of_file(place, kept.channels, channels) for place in problem.places}
    return Script(kept.steps, members, kept.q, whole=[place.label for place in problem.places if place.whole])


def _of_file(place: Place, then: Mapping[str, Any], now: Mapping[str, Any]) -> UncertaintySet:
    try:
        given = declared(then, place.channel, place.agent)
    except KeyError:
        return place.members  # the file has no moves there
    if place.choice or given == declared(now, place.channel, place.agent):
        return place.members
    try:
        return innermost(given).bind(place.rows)
    except ValueError as error:
        raise OutsideSetError(f"{place.channel} of {place.agent} has {place.rows} numbers, {given} others") from error


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
