"""How messages, delays, losses and partners are declared: at which point they act, on what, from which set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from robust_envs.channels import DiscretePort, Port
from robust_envs.messages import TABLES, message_of
from robust_envs.names import close_match
from robust_envs.parts import MenuPort, Numbers, Part, Whole, check_zero, message_port
from robust_envs.policies import check_policy
from robust_envs.sets import Delay, Dropout, Finite, Joint, PerStep, Switch, UncertaintySet
from robust_envs.sets.menus import Policies, Words
from robust_envs.sets.spoken import Spoken

__all__ = ["CARRIED", "Place", "place", "spell_out"]

CARRIED = ("message", "delay", "dropout", "partners")
_POINTS = {"observation": "observation", "heard": "observation", "action": "action", "said": "action"}
Space = spaces.Space[Any]


class Place(NamedTuple):
    """Where a nature sits.

    Attributes:
        point: Point in the order of play: ``"observation"`` or ``"action"``.
        port: The numbers it moves, or its menu.
        members: Its set, not bound yet.
    """

    point: str
    port: Port
    members: UncertaintySet


def spell_out(channel: str, given: Any, agents: Sequence[str], name: str | None) -> Any:
    """Turn what the user wrote into sets by agent; agents that neither speak nor listen are left out.

    Args:
        channel: One of `CARRIED`.
        given: What stands under it.
        agents: Agents a set covers that names none.
        name: The environment's, for the table of messages.

    Returns:
        A dict by agent, or a `Joint`.

    Raises:
        TypeError: If it is none of what the channel takes.
        ValueError: If nobody in the environment has such messages.
    """
    if given is None:
        return None
    if channel == "partners" and len(agents) < 2:
        raise ValueError(f"partners play other agents of a team, this environment has {list(agents)} only")
    if isinstance(given, Mapping) and not isinstance(given, UncertaintySet):
        return {agent: _own(channel, members) for agent, members in given.items()}
    if channel == "partners":
        raise TypeError(f"partners must be a dict by the agent played, {{agent: Finite([policy, ...])}}, got {given!r}")
    if isinstance(given, Joint):
        return replace(given, inner=_own(channel, given.inner))
    members = _own(channel, given)
    side = _side(members)
    if side is None or _located(members):
        return dict.fromkeys(agents, members)
    covered = [agent for agent in agents if _known(name, agent, side)]
    if not covered:
        raise ValueError(
            f"{channel}: where messages are is known for {', '.join(TABLES)}; for others say it by at=, by agent, "
            f"got {given!r} for {name}"
        )
    return dict.fromkeys(covered, members)


def _own(channel: str, members: Any) -> Any:
    """Return the set of a channel; short forms are written out."""
    if channel == "partners":
        return _policies(members)
    if channel == "message":
        return members if isinstance(members, Spoken) or not isinstance(members, UncertaintySet) else Spoken(members)
    kind = Delay if channel == "delay" else Dropout
    if channel == "delay" and isinstance(members, Finite) and not members.policies:
        members = Delay(_whole_steps(members))
    if channel == "dropout" and isinstance(members, Switch):
        members = Dropout(members.probability)
    if not isinstance(members, kind):
        raise TypeError(f"{channel} must be {kind.__name__}(...) or a dict by agent of such, got {members!r}")
    return members


def _whole_steps(members: Finite) -> list[int]:
    steps = np.asarray(members.members)
    if steps.shape[1] != 1 or (steps % 1).any():
        raise ValueError(f"delay must list whole numbers of steps, got {members!r}")
    return [int(step) for step in steps[:, 0]]


def _policies(given: Any) -> Policies:
    if isinstance(given, Policies):
        return given
    if isinstance(given, PerStep):
        return replace(_policies(given.inner), each="move")
    if not isinstance(given, Finite) or not given.policies:
        raise TypeError(f"partners must list policies, Finite([policy, ...]), got {given!r}")
    members = tuple(given.members)
    for member in members:
        check_policy(member, name="partners")
    return Policies(members, on=given.scale > 0)


def _side(members: Any) -> str | None:
    if isinstance(members, Spoken):
        return members.side
    return members.of if isinstance(members, Delay | Dropout) and members.of in ("said", "heard") else None


def _located(members: Any) -> bool:
    return members.at is not None or getattr(members, "base", None) is not None


def _known(name: str | None, agent: str, side: str) -> bool:
    found = message_of(name, agent)
    return found is not None and getattr(found, side) is not None


def place(channel: str, agent: str, members: Any, space_of: Callable[[str], Space], name: str | None) -> Place:
    """Say where the nature of a channel sits.

    Args:
        channel: One of `CARRIED`.
        agent: Agent id.
        members: The set of this agent, as `spell_out` gives it.
        space_of: Space of the agent's values by point.
        name: The environment's, for the table of messages.

    Raises:
        ValueError: If the set cannot act there.
    """
    where = f"{channel} of {agent}"
    if isinstance(members, Policies):
        return Place("action", MenuPort(len(members.members), Whole(space_of("action"))), members)
    if isinstance(members, Spoken):
        point = _POINTS[members.side]
        return _spoken(point, members, _message(members, members.side, agent, space_of(point), name, where), where)
    point = _POINTS[members.of]
    space = space_of(point)
    part: Part
    if members.of in ("said", "heard") or members.at is not None:
        part = Numbers(_message(members, _side(members), agent, space, name, where))
    else:
        part = Whole(space)
    return Place(point, _menu(members, part, space, where), members)


def _menu(members: Delay | Dropout, part: Part, space: Space, where: str) -> MenuPort:
    if isinstance(members, Delay):
        return MenuPort(members.radius, part)
    if members.mode == "zero" and isinstance(part, Whole):
        try:
            check_zero(space)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return MenuPort(1, part)


def _message(members: Any, side: str | None, agent: str, space: Space, name: str | None, where: str) -> Port:
    at, base = members.at, getattr(members, "base", None)
    if side is not None and at is None and base is None:
        found = message_of(name, agent)
        if found is not None:
            if getattr(found, side) is None:
                verb = "says" if side == "said" else "hears"
                raise ValueError(f"{where}: {agent} {verb} nothing in {name}")
            at, base = getattr(found, side), found.base
    return message_port(space, at, base, where)


def _spoken(point: str, spoken: Spoken, port: Port, where: str) -> Place:
    members = spoken.inner
    if isinstance(members, Delay | Dropout):
        return Place(point, _menu(members, Numbers(port), port.space, where), members)
    if isinstance(members, Switch) and not isinstance(port, DiscretePort):
        words = np.eye(port.dim) if spoken.words is None else np.asarray(spoken.words)
        if words.shape[1] != port.dim:
            raise ValueError(f"{where}: words must have {port.dim} numbers each, got words={spoken.words!r}")
        low, high = port.limits(None)
        if ((words < low) | (words > high)).any():
            raise ValueError(f"{where}: words must lie in {port.space}, got words={words.tolist()}")
        table = tuple(tuple(row) for row in words.tolist())
        return Place(point, MenuPort(len(table), Numbers(port)), Words(members.probability, table))
    return Place(point, port, members)


def check_names(given: Any, agents: Sequence[str], channel: str) -> None:
    """Raise if a dict names agents that are not there."""
    for agent in given if isinstance(given, Mapping) else ():
        if agent not in agents:
            raise ValueError(
                f"{channel} names agent {agent!r}, the environment has {list(agents)}{close_match(agent, agents)}"
            )
