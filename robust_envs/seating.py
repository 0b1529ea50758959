"""Seating natures: from what the user wrote under a channel to one seat for each (channel, agent)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.carriers import CARRIED, Place, place, spell_out
from robust_envs.channels import JointPort, Port, make_port
from robust_envs.checks import check_fits, check_flat, check_played, check_whole
from robust_envs.names import Coalition, close_match
from robust_envs.nature_spaces import look, look_at_all
from robust_envs.natures import AsAgents, Replay, check_nature
from robust_envs.natures.move import is_drawn
from robust_envs.seats import KernelSeat, Seat, make_seat
from robust_envs.sets import Joint, PerState, PerStep, Product, UncertaintySet
from robust_envs.stage import Act
from robust_envs.worlds import Kernel, Lever

__all__ = ["PREFIX", "Seating", "as_tuple", "base_agents"]

PREFIX = "nature_"
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Seating:
    """Seat one nature.

    Args:
        nature: Who picks.
        spaces: Space of an agent's values, by point of the order of play.
        agents_nature: The `AsAgents` in `nature`, if any.
        name: The environment's, where it is known for its messages.
    """

    nature: Any
    spaces: Mapping[str, Callable[[str], Any]]
    agents_nature: AsAgents | None
    name: str | None

    def resolve(self, channel: str, given: Any, agents: Sequence[str]) -> Iterable[tuple[Any, UncertaintySet]]:
        """Yield (agent or agents, set) for what the user wrote under a channel."""
        if isinstance(given, list | tuple):
            return [pair for one in coalitions(channel, given) for pair in self.resolve(channel, one, agents)]
        given = given if channel == "partners" else every_step(given)
        if channel in CARRIED:
            given = spell_out(channel, given, base_agents(agents), self.name)
        if given is None:
            return []
        if isinstance(given, Joint):
            covered = together(channel, given, agents)
            return [(covered, given)] if len(covered) > 1 else [(covered[0], given.inner)]
        if isinstance(given, Mapping) and not isinstance(given, UncertaintySet):
            for agent in given:
                if agent not in agents:
                    hint = close_match(agent, agents)
                    raise ValueError(f"{channel} names agent {agent!r}, the environment has {list(agents)}{hint}")
            pairs = [(agent, given[agent]) for agent in agents if agent in given]
        else:
            pairs = [(agent, given) for agent in base_agents(agents)]
        for _, members in pairs:
            if not isinstance(members, UncertaintySet):
                raise TypeError(f"{channel} must be an uncertainty set or a dict by agent of such, got {members!r}")
            if isinstance(members, Joint):
                raise ValueError(f"{channel}: joint(set) covers all agents and cannot stand in a dict, got {given!r}")
        return pairs

    def seat(self, channel: str, covered: Any, members: UncertaintySet, number: int) -> Seat:
        """Return the seat of a channel for an agent, or for several together."""
        places = {agent: self._place(channel, agent, members) for agent in as_tuple(covered)}
        first = next(iter(places.values()))
        several = isinstance(members, Joint)
        port: Port = JointPort({agent: one.port for agent, one in places.items()}) if several else first.port
        bound = self._bind(channel, covered, first, port)
        check_nature(self.nature, channel, bound)
        check_fits(channel, covered, bound, port.space)
        if np.dtype(port.space.dtype).kind in "iu" and not isinstance(port.space, spaces.Discrete):
            check_whole(channel, covered, bound)
        looks = tuple((agent, self._look(agent)) for agent in as_tuple(covered))
        return make_seat(
            channel=channel,
            point=first.point,
            agent=covered,
            port=port,
            members=bound,
            nature=self.nature,
            look=look_at_all(looks) if several else looks[0][1],
            name=f"{PREFIX}{number}",
            space=self.spaces["action"](first_of(covered)) if channel == "partners" else None,
        )

    def act(self, channel: str, lever: Lever | Kernel, agents: Sequence[str], number: int) -> Act:
        """Return the one nature of a channel on the world, which opposes all agents."""
        covered = tuple(base_agents(agents))
        check_nature(self.nature, channel, lever.members)
        check_played(self.nature, lever.members)
        if np.dtype(lever.port.space.dtype).kind in "iu":
            check_whole(channel, covered, lever.members)
        parts = {
            "channel": channel,
            "agent": covered,
            "port": lever.port,
            "members": lever.members,
            "nature": self.nature,
            "look": look_at_all(tuple((agent, self._look(agent)) for agent in covered)),
            "name": f"{PREFIX}{number}",
        }
        # a set that may hold 0 in one episode and not in the next takes no short cuts
        kind: Any = KernelSeat if isinstance(lever, Kernel) else Seat if lever.shifting else make_seat
        seat = kind(**parts)
        seat.once = channel == "start" or not lever.each_step
        seat.names = lever.labels
        return Act(seat, lever)

    def _place(self, channel: str, agent: str, members: UncertaintySet) -> Place:
        own = members.inner if isinstance(members, Joint) else members
        if channel in CARRIED:
            found = place(channel, agent, own, lambda point: self.spaces[point](agent), self.name)
        else:
            found = Place(channel, make_port(channel, agent, self.spaces[channel](agent), members), own)
        if isinstance(members, Joint) and isinstance(found.port.space, spaces.Discrete):
            raise ValueError(f"{channel} of {agent}: joint(set) adds deltas and cannot act on {found.port.space}")
        return found

    def _look(self, agent: str) -> Callable[[Any], Array]:
        """Return what turns an agent's observation into what nature sees; natures that draw or replay see nothing."""
        if is_drawn(self.nature) or isinstance(self.nature, Replay):
            return _nothing_seen
        space = self.spaces["observation"](agent)
        if self.agents_nature is None or self.agents_nature.observe != "state":
            check_flat(space, f"the observation of {agent}")
        return look(space)

    def _bind(self, channel: str, covered: Any, where: Place, port: Port) -> UncertaintySet:
        members = where.members
        plain = members.inner if isinstance(members, PerState) else members
        target = self.spaces[channel](covered) if isinstance(plain, Product) else port.space
        try:
            return members.bind(target)
        except ValueError as error:
            raise ValueError(f"{channel} of {covered}: {error}") from error


def every_step(given: Any) -> Any:
    """Take off `per_step`, which says what is so anyway where nature moves at every step."""
    if isinstance(given, Mapping) and not isinstance(given, UncertaintySet):
        return {agent: every_step(members) for agent, members in given.items()}
    return given.inner if isinstance(given, PerStep) else given


def _nothing_seen(_observation: Any) -> Array:
    return np.zeros(0, np.float32)


def together(channel: str, given: Joint, agents: Sequence[str]) -> tuple[str, ...]:
    """Return the agents which one set couples."""
    if given.agents is None:
        return tuple(base_agents(agents))
    for agent in given.agents:
        if agent not in agents:
            hint = close_match(agent, agents)
            raise ValueError(f"{channel} names agent {agent!r}, the environment has {list(agents)}{hint}")
    return Coalition(agent for agent in agents if agent in given.agents)


def coalitions(channel: str, given: Sequence[Any]) -> Sequence[Joint]:
    """Raise unless what is listed are coalitions that share no agent."""
    if not all(isinstance(one, Joint) and one.agents for one in given):
        raise TypeError(
            f"{channel} must be an uncertainty set, a dict by agent of such, or a list of coalitions, "
            f"[joint(set, agents=[...]), ...], got {given!r}"
        )
    named = [agent for one in given for agent in one.agents]
    if len(set(named)) < len(named):
        raise ValueError(f"{channel} may list coalitions that share no agent, got {given!r}")
    return given


def as_tuple(covered: Any) -> tuple[str, ...]:
    """Agents as a tuple, one or many."""
    return covered if isinstance(covered, tuple) else (covered,)


def first_of(covered: Any) -> str:
    """The first of the agents covered."""
    return as_tuple(covered)[0]


def base_agents(agents: Iterable[str]) -> list[str]:
    """Leave out nature agents of layers below: a channel covers them only when named."""
    return [agent for agent in agents if not str(agent).startswith(PREFIX)]
