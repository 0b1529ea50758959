"""The one stateful object: it seats the natures, owns their random streams and keeps the trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import CHANNELS, ORDER, WORLD, JointPort
from robust_envs.checks import check_blind, check_flat, check_policies, check_radius, check_trace
from robust_envs.names import close_match
from robust_envs.nature_spaces import make_interface, pad_to_team, share, shown_size
from robust_envs.natures import AsAgents, Policy, Replay
from robust_envs.natures.move import leaves
from robust_envs.natures.played import as_agents
from robust_envs.seating import PREFIX, Seating, base_agents
from robust_envs.seats import Chain, PartnerSeat, ScaledSeat, Seat
from robust_envs.stage import Stage
from robust_envs.streams import stream
from robust_envs.traces import Executed, Trace
from robust_envs.worlds import OptionsLever, World

__all__ = ["PREFIX", "Perturber"]

Array = np.ndarray[Any, np.dtype[Any]]
Space = spaces.Space[Any]


class Perturber:
    """Seat one nature for each (channel, agent) and let it move when the shell says so.

    Args:
        channels: Set, dict of sets by agent, or `joint` set, by channel; ``None`` leaves a channel alone.
        nature: Who picks.
        agents: Ids of all agents that may ever be, in order.
        observation_space: Space by agent.
        action_space: Space by agent.
        depth: Number of robust layers below.
        first: Number of nature agents below: ours are counted on from there.
        trace: Whether to record.
        state_space: Space of ``env.state()``, for natures that see the state.
        name: The environment's, where it is known for its messages.
        world: The environment, for the channels on the world itself.

    Raises:
        TypeError: For something that is not a set or not a nature.
        ValueError: For unknown agents and for sets that cannot act on a space, naming both.
    """

    def __init__(
        self,
        channels: Mapping[str, Any],
        *,
        nature: Any,
        agents: Sequence[str],
        observation_space: Callable[[str], Any],
        action_space: Callable[[str], Any],
        depth: int = 0,
        first: int = 0,
        trace: bool = False,
        state_space: Space | None = None,
        name: str | None = None,
        world: World | None = None,
    ) -> None:
        self.nature, self.depth, self.recording = nature, depth, trace
        self.agents_nature = as_agents(nature)
        self._spaces: dict[str, Callable[[str], Any]] = {
            "observation": observation_space,
            "action": action_space,
            "reward": lambda agent: None,
        }
        seating = Seating(nature, self._spaces, self.agents_nature, name)
        if any(isinstance(agent, tuple) for agent in agents):
            raise ValueError(f"agent ids must not be tuples, which stand for several agents here, got {list(agents)}")
        self.seats: list[Seat] = []
        for channel in (one for one in CHANNELS if one not in WORLD):
            for covered, members in seating.resolve(channel, channels.get(channel), agents):
                self.seats.append(seating.seat(channel, covered, members, first + len(self.seats)))
        self.stage = self._set_stage(channels, seating, agents, world, first)
        self._by_point = {
            point: [seat for channel in order for seat in self.seats if (seat.channel, seat.point) == (channel, point)]
            for point, order in ORDER.items()
        }
        self.partners = [seat for seat in self.seats if isinstance(seat, PartnerSeat)]
        if not self.seats:
            raise ValueError(f"at least one channel must be given a set: {', '.join(CHANNELS)}")
        played = [leaf for leaf in leaves(nature) if isinstance(leaf, AsAgents | Policy)]
        for leaf in played:
            check_policies(leaf, agents, [seat.name for seat in self.seats])
        if played:
            self._introduce(agents, state_space)
        del self._spaces  # bound methods of the environment: not part of our state
        self._places = self._find_places()
        self._radius: dict[str, float] = {}
        self._replayed = nature.trace if isinstance(nature, Replay) else None
        if self._replayed is not None:
            check_trace(self._replayed, [seat.key for seat in self.seats])
        self.seed: int | None = None
        self.options: dict[str, Any] | None = None
        self.actions_taken: dict[str, list[Any]] = {}
        self._seed(None)
        for seat in self.seats:
            seat.clear()  # now that they know whether to record

    def __getitem__(self, point: str) -> list[Seat]:
        return self._by_point[point]

    def only(self, point: str) -> Seat | Chain | None:
        """The seat at a point of the order of play of a single-agent environment, if any; several as one."""
        seats = self[point]
        return Chain(seats) if len(seats) > 1 else next(iter(seats), None)

    def face(self, observations: Mapping[str, Any]) -> None:
        """Tell partners what the agents see whose parts they play."""
        for seat in self.partners:
            if seat.agents[0] in observations:
                seat.face(observations[seat.agents[0]])

    def begin(self, seed: int | None, options: dict[str, Any] | None) -> tuple[int | None, dict[str, Any] | None]:
        """Start an episode; call it before the environment is reset.

        Args:
            seed: ``None`` goes on with the current streams; an int >= 0 starts them anew. A `Replay` has its own.
            options: May hold ``"radius"``, a number or a dict by channel: what names our channels is taken out, the
                rest, and a number, goes to the robust layers below, if there are any. A `Replay` has its own.

        Returns:
            Seed and options for the environment.

        Raises:
            ValueError: For a seed that is none, or none at all when a trace without one is to be replayed.
        """
        if seed is not None and (not isinstance(seed, int | np.integer) or seed < 0):
            raise ValueError(f"seed must be an integer >= 0, got seed={seed!r}")
        if self._replayed is not None:
            seed = self._replayed.seed if seed is None else seed
            options = options or self._replayed.options
            if seed is None:
                raise ValueError("the trace to be replayed has no seed: give the one it was recorded with to reset()")
        if options is not None and "radius" in options:
            options = self._take_radius(options)
        self._start(seed, options)
        self.restore()
        return seed, options if self.stage is None else self.stage.options(options)

    def restore(self) -> None:
        """Give the environment back its own parameters."""
        if self.stage is not None:
            self.stage.restore()

    def skip_episodes(self, number: int) -> None:
        """Count so many episodes as played."""
        for seat in self.seats:
            seat.episode += number

    def go_on(self) -> None:
        """Start an episode which the environment began by itself."""
        self._start(None, None)

    def _start(self, seed: int | None, options: dict[str, Any] | None) -> None:
        self.options = options
        if self._radius:
            passed = (options or {}).get("radius", {})  # to layers below: a trace must find that again, too
            radius = {**passed, **self._radius} if isinstance(passed, Mapping) else passed
            self.options = {**(options or {}), "radius": radius}
        if seed is not None:
            self._seed(seed)
        self.episode_seed = None if seed is None else int(seed)
        if self.recording:
            self.actions_taken = {}
        for seat in self.seats:
            seat.begin()

    def _set_stage(
        self, channels: Mapping[str, Any], seating: Seating, agents: Sequence[str], world: World | None, first: int
    ) -> Stage | None:
        """Seat the natures of the world, if any channel is about it."""
        acts = {}
        for channel in WORLD:
            if channels.get(channel) is not None:
                assert world is not None  # shells that know no world refuse these channels
                lever = world.lever(channel, channels[channel])
                if isinstance(lever, OptionsLever):
                    check_blind(self.nature)
                acts[channel] = seating.act(channel, lever, agents, first + len(self.seats))
                self.seats.append(acts[channel].seat)
        if world is None or not acts:
            return None
        return Stage(world, acts, self.depth)

    def _take_radius(self, options: Mapping[str, Any]) -> dict[str, Any] | None:
        """Set our part of ``options["radius"]`` and return the options for the environment."""
        rest = {name: value for name, value in options.items() if name != "radius"}
        radius = options["radius"]
        below: Any = radius
        if isinstance(radius, Mapping) and self.depth > 0:
            ours = {seat.channel for seat in self.seats}
            below = {channel: value for channel, value in radius.items() if channel not in ours}
            radius = {channel: value for channel, value in radius.items() if channel in ours}
        self.set_radius(radius)
        if self.depth > 0 and below != {}:
            rest["radius"] = below
        return rest or None

    def set_radius(self, radius: float | Mapping[str, float]) -> None:
        """Change the radius on all channels, or on those named: on all of these, or on none if one cannot be."""
        by_channel = radius if isinstance(radius, Mapping) else {seat.channel: radius for seat in self.seats}
        known = sorted({seat.channel for seat in self.seats})
        for channel in by_channel:
            if channel not in known:
                raise ValueError(
                    f"radius names channel {channel!r}, this layer has {known}{close_match(channel, known)}"
                )
        pairs = [
            (seat, value) for channel, value in by_channel.items() for seat in self.seats if seat.channel == channel
        ]
        for seat, value in pairs:
            check_radius(seat, value)  # raises before anything has changed
        for seat, value in pairs:
            seat.set_radius(value)
        self._radius.update(by_channel)  # a trace must find it again

    def move(self, point: str, values: dict[str, Any], observations: Mapping[str, Any], infos: Any = None) -> None:
        """Let all natures at a point of the order of play move on `values` (by agent), which is changed in place."""
        for seat in self._by_point[point]:
            agent = seat.agent
            if isinstance(agent, tuple):
                present = {one: values[one] for one in agent if one in values}
                if present:
                    values.update(seat.perturb(present, observations))
            elif agent in values:
                seen = observations.get(agent) if seat.looks else None
                mask = legal(seen, infos, agent) if seat.masked else None
                values[agent] = seat.perturb(values[agent], seen, mask)

    @property
    def noting(self) -> bool:
        """Whether `take` must be told what the agents do."""
        return self.recording or any(isinstance(seat, ScaledSeat) for seat in self["reward"])

    def take(self, actions: Mapping[str, Any], observations: Mapping[str, Any]) -> None:
        """Keep what the agents wanted to do, and on what they decided it."""
        for seat in self["reward"]:
            if isinstance(seat, ScaledSeat):
                for agent in seat.agents:
                    if agent in actions:
                        seat.note(agent, observations.get(agent), actions[agent])
        if self.recording:
            for agent, action in actions.items():
                self.actions_taken.setdefault(str(agent), []).append(_numbers(action))

    @property
    def last_move(self) -> dict[tuple[str, str], Executed]:
        """The latest move of each nature in this episode, by (channel, agent)."""
        return {seat.key: seat.last for seat in self.seats if seat.last is not None}

    @property
    def trace(self) -> Trace:
        """The current episode so far.

        Raises:
            AttributeError: If it is not recorded.
        """
        if not self.recording:
            raise AttributeError("trace is recorded only with robust(..., trace=True)")
        return Trace(
            seed=self.episode_seed,
            options=self.options,
            depth=self.depth,
            moves={seat.key: seat.recorded() for seat in self.seats},
            actions={agent: np.array(actions) for agent, actions in self.actions_taken.items()},
            sets={" ".join(seat.key): repr(seat.members) for seat in self.seats},
        )

    def numbers(self, channel: str, agent: str) -> Array:
        """The executed delta of the last move as numbers of fixed shape, zeros before the first."""
        if (channel, agent) not in self._places:
            return np.zeros(1)
        seat, part = self._places[channel, agent]
        last = seat.last
        return np.zeros(part.stop - part.start) if last is None else last.executed[part]

    def _find_places(self) -> dict[tuple[str, str], tuple[Seat, slice]]:
        """Return which numbers of which seat are about an agent, or are a nature's own, by (channel, agent)."""
        places = {(seat.channel, seat.name): (seat, slice(0, seat.port.dim)) for seat in self.seats}
        for seat in self.seats:
            if seat.channel in WORLD:  # all agents are told all of it
                places |= {(seat.channel, agent): (seat, slice(0, seat.port.dim)) for agent in seat.agents}
                continue
            ports = seat.port.ports if isinstance(seat.port, JointPort) else {seat.agents[0]: seat.port}
            start = 0
            for agent, port in ports.items():
                places[seat.channel, agent] = seat, slice(start, start + port.dim)
                start += port.dim
        return places

    def seed_world(self, seed: int) -> None:
        """Start the streams of the natures of the world anew, and no others."""
        for act in () if self.stage is None else self.stage.acts.values():
            act.seat.seed(stream(seed, depth=self.depth, channel=act.seat.key[0], agent=act.seat.key[1]))

    @property
    def world_moves(self) -> dict[tuple[str, str], Executed]:
        """The latest moves of the natures of the world."""
        keys = {act.seat.key for act in self.stage.acts.values()} if self.stage is not None else set()
        return {key: move for key, move in self.last_move.items() if key in keys}

    def _seed(self, seed: int | None) -> None:
        self.seed = self.episode_seed = seed
        for seat in self.seats:
            seat.recording = self.recording
            seat.seed(stream(seed, depth=self.depth, channel=seat.key[0], agent=seat.key[1]))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.seed is None:
            self._seed(None)  # two copies of an unseeded environment must not draw the same noise

    def _introduce(self, agents: Sequence[str], state_space: Any) -> None:
        """Give each seat the spaces through which a policy or an agent plays it."""
        sees_state = self.agents_nature is not None and self.agents_nature.observe == "state"
        if sees_state and not isinstance(state_space, spaces.Space):
            raise ValueError("observe='state' needs an environment with state() and state_space")
        if sees_state:
            check_flat(state_space, "the state")
        interfaces = [
            make_interface(
                self._spaces["action"](seat.agents[0]),
                seat.members,
                size=sum(map(self._shown, seat.agents)) if not sees_state else shown_size(state_space),
                choice=seat.port.space if isinstance(seat.port.space, spaces.Discrete) else None,
                nature=self.agents_nature,
            )
            for seat in self.seats
        ]
        interfaces = share(interfaces)
        if self.agents_nature is not None and self.agents_nature.uniform_spaces:
            interfaces = pad_to_team(interfaces, *self._uniform(base_agents(agents)))
        for seat, interface in zip(self.seats, interfaces, strict=True):
            seat.interface = interface

    def _shown(self, agent: str) -> int:
        return shown_size(self._spaces["observation"](agent))

    def _uniform(self, agents: Sequence[str]) -> tuple[Space, Space]:
        pairs = [(self._spaces["observation"](agent), self._spaces["action"](agent)) for agent in agents]
        if any(pair != pairs[0] for pair in pairs):
            raise ValueError(f"uniform_spaces=True needs a team whose agents share their spaces, got {pairs}")
        return pairs[0]


def _numbers(action: Any) -> Array:
    """Copy an action; the parts of a Dict or Tuple one after the other, for no file holds them as they are."""
    if isinstance(action, int) or not isinstance(action, Mapping | tuple):
        return np.array(action)
    parts = action.values() if isinstance(action, Mapping) else action
    return np.concatenate([_numbers(part).reshape(-1) for part in parts])


def legal(observation: Any, infos: Any, agent: str) -> Any:
    """Find the action mask of an agent: in its observation, else in its info."""
    if isinstance(observation, Mapping) and "action_mask" in observation:
        return observation["action_mask"]
    info = infos.get(agent) if isinstance(infos, Mapping) else None
    return info.get("action_mask") if isinstance(info, Mapping) else None
