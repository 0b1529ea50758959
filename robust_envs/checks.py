"""What is refused when natures are seated: each check says the parameter, the rule and the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.names import close_match
from robust_envs.nature_spaces import shown_size
from robust_envs.natures import AsAgents, GradientAttack, LinearFeedback, Policy
from robust_envs.natures.move import leaves
from robust_envs.seats import Seat
from robust_envs.sets import UncertaintySet

__all__ = ["check_fits", "check_flat", "check_played", "check_policies", "check_radius", "check_trace", "check_whole"]


def check_policies(nature: AsAgents | Policy, agents: Sequence[str], natures: Sequence[str]) -> None:
    """Raise unless policies given by id are those of all who play, and of nobody else."""
    as_agents = isinstance(nature, AsAgents)
    given = nature.team if isinstance(nature, AsAgents) else nature.policy
    what, players = ("team", list(agents)) if as_agents else ("policy", list(natures))
    if not isinstance(given, Mapping):
        return
    for name in given:
        if name not in players:
            raise ValueError(f"{what} names {name!r}, the players are {players}{close_match(name, players)}")
    if missing := [name for name in players if name not in given]:
        raise ValueError(f"{what} must have an entry for each of {players}, {missing} missing")


def check_played(nature: Any, members: UncertaintySet) -> None:
    """Raise where a policy would have to be projected onto distributions, and nobody knows how."""
    if not any(isinstance(leaf, AsAgents | Policy) for leaf in leaves(nature)):
        return
    try:
        members.project(np.ones(members.dim or 1))
    except NotImplementedError as error:
        raise ValueError(f"{type(nature).__name__}() must be projected onto its set: {error}, got {members}") from error


def check_blind(nature: Any) -> None:
    """Raise for natures that answer what somebody sees: the options of a reset are set before."""
    for leaf in leaves(nature):
        if isinstance(leaf, AsAgents | Policy | LinearFeedback | GradientAttack):
            raise ValueError(
                f"options of reset are moved before anybody sees anything: nature must not answer observations, "
                f"got {type(leaf).__name__}"
            )


def check_radius(seat: Seat, radius: float) -> None:
    """Raise unless the set of a seat can have this radius."""
    if not hasattr(seat.members, "with_radius"):
        raise ValueError(f"radius can be set where a set has one radius, got {seat.members!r} on {seat.channel}")
    seat.members.with_radius(radius)


def check_trace(trace: Any, keys: Sequence[tuple[str, str]]) -> None:
    """Raise unless the trace holds the moves of exactly these natures."""
    if isinstance(trace, tuple | list):
        raise ValueError(f"Replay takes one trace here, several are for a VectorEnv, got {len(trace)}")
    played, recorded = [" ".join(key) for key in keys], [" ".join(key) for key in trace.moves]
    for names, known, words in (
        (played, recorded, "Replay has no moves of {!r}, the trace has {}"),
        (recorded, played, "Replay has moves of {!r}, which no set here allows; there are {}"),
    ):
        for name in names:
            if name not in known:
                raise ValueError(words.format(name, known) + close_match(name, known))


def check_fits(channel: str, covered: Any, members: UncertaintySet, space: Any) -> None:
    """Raise where every member is larger than the space is wide: nothing nature may do would ever stay inside."""
    if not isinstance(space, spaces.Box) or members.monotone:
        return
    width = space.high.reshape(-1).astype(np.float64) - space.low.reshape(-1)
    bounds = members.bounds
    if ((bounds.low > width) | (bounds.high < -width)).any():
        raise ValueError(f"{channel} of {covered}: no member of the set fits into {space}, got {members}")


def check_whole(channel: str, covered: Any, members: UncertaintySet) -> None:
    """Raise where a set on integers holds no integer but 0."""
    largest = np.maximum(np.abs(members.bounds.low), np.abs(members.bounds.high))
    if not members.is_zero and (largest < 1).all():
        raise ValueError(
            f"{channel} of {covered}: the space holds integers and no delta of the set reaches 1, so that nothing can "
            f"ever move, got {members}"
        )


def check_flat(space: Any, what: str) -> None:
    """Raise unless nature can be shown what lies in this space."""
    try:
        shown_size(space)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(
            f"nature looks at {what}, which cannot be flattened: take a nature that does not look, got {space}"
        ) from error
