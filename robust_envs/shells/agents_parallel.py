"""PettingZoo Parallel environments in which natures are agents: of the game, or alone with the team inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten
from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from robust_envs.natures import AsAgents
from robust_envs.perturber import PREFIX, Perturber, legal
from robust_envs.policies import team_actions
from robust_envs.seating import base_agents
from robust_envs.seats import Seat
from robust_envs.shells.gym import SINGLE
from robust_envs.shells.layers import Layer, name_of
from robust_envs.shells.parallel import possible_agents
from robust_envs.stage import Ask
from robust_envs.worlds import World

__all__ = ["Cast", "NatureParallelEnv", "NaturesOnlyParallelEnv", "seat_natures"]


def seat_natures(env: Any, channels: Mapping[str, Any], nature: AsAgents, *, depth: int, trace: bool) -> Perturber:
    """Seat natures as agents ``nature_<k>``, counting on from those below."""
    agents = possible_agents(env)
    taken = [agent for agent in agents if str(agent).startswith(PREFIX)]
    if taken and depth == 0:
        raise ValueError(f"agent ids must not start with {PREFIX!r}, which is nature's, got {taken}")
    return Perturber(
        channels,
        nature=nature,
        agents=agents,
        observation_space=env.observation_space,
        action_space=env.action_space,
        depth=depth,
        first=len(taken),
        trace=trace,
        state_space=getattr(env, "state_space", None),
        name=name_of(env),
        world=World(env, SINGLE if isinstance(env, SingleAgentParallelEnv) else None),
    )


class Cast:
    """The nature agents of a layer: their spaces, what they see, what they earn."""

    env: Any
    agents: list[str]
    state_space: spaces.Box
    _perturber: Perturber

    @property
    def natures(self) -> dict[str, Seat]:
        """The seat behind each nature agent, by its id."""
        return {seat.name: seat for seat in self._perturber.seats}

    def _enter(self, alone: bool) -> None:
        self._seats = self.natures
        assert self._perturber.agents_nature is not None  # only `AsAgents` are seated here
        self._nature: AsAgents = self._perturber.agents_nature
        self.possible_agents = [*([] if alone else possible_agents(self.env)), *self._seats]
        self._spaces = {  # the same objects on every call, and spaces of one's own to seed
            name: (_copy(seat.interface.observation_space), _copy(seat.interface.action_space))
            for name, seat in self._seats.items()
            if seat.interface is not None
        }
        state = getattr(self.env, "state_space", None)
        if state is not None and state.is_np_flattenable:
            # the environment's state, flat, then the last executed delta of each nature
            size = int(flatdim(state)) + sum(seat.port.dim for seat in self._seats.values())
            self.state_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def observation_space(self, agent: str) -> Any:
        return self._spaces[agent][0] if agent in self._spaces else self.env.observation_space(agent)

    def action_space(self, agent: str) -> Any:
        return self._spaces[agent][1] if agent in self._spaces else self.env.action_space(agent)

    def state(self) -> Any:
        moves = [np.zeros(seat.port.dim) if seat.last is None else seat.last.executed for seat in self._seats.values()]
        return np.concatenate([self._base_state(), *moves]).astype(np.float32)

    def _base_state(self) -> Any:
        return np.asarray(flatten(self.env.state_space, self.env.state()), np.float32)

    def _shown(self, seat: Seat, observations: Mapping[str, Any]) -> Any:
        """What a nature sees now."""
        if self._nature.observe == "state":
            assert seat.interface is not None
            return seat.interface.pad(self._base_state())
        return seat.shown(observations if isinstance(seat.agent, tuple) else observations.get(seat.agent))

    def _earned(self, seat: Seat, rewards: Mapping[str, Any]) -> float:
        """Minus the (perturbed) reward of whom the nature opposes."""
        return -float(sum(float(rewards[agent]) for agent in seat.agents if agent in rewards))

    def _earnings(self, names: Iterable[str], rewards: Mapping[str, Any]) -> dict[str, float]:
        """What each of some natures earns; a sum that all share is made once."""
        if self._nature.objective == "opposed":
            return {name: self._earned(self._seats[name], rewards) for name in names}
        return dict.fromkeys(names, -float(sum(float(rewards[agent]) for agent in base_agents(rewards))))

    def _rest(self, point: str, values: Mapping[str, Any]) -> None:
        """Book "did nothing" for all natures at a point where it is not their turn: `Replay` will make it one."""
        for seat in self._perturber[point]:
            present = {agent: values[agent] for agent in seat.agents if agent in values}
            if present:
                seat._pass(present if isinstance(seat.agent, tuple) else present[seat.agent])

    def _move(
        self,
        point: str,
        values: dict[str, Any],
        actions: Mapping[str, Any],
        seen: Mapping[str, Any],
        infos: Any = None,
    ) -> None:
        """Carry out the actions of all natures at a point on `values` (by agent), changed in place."""
        for seat in self._perturber[point]:
            agent = seat.agent
            if isinstance(agent, tuple):
                present = {one: values[one] for one in agent if one in values}
                if present:
                    values.update(seat.obey(actions[seat.name], present))
            elif agent in values:
                mask = legal(seen.get(agent), infos, agent) if seat.masked else None
                values[agent] = seat.obey(actions[seat.name], values[agent], mask)

    def _as_agents(self, actions: Mapping[str, Any]) -> Ask:
        """Return how the natures of the world are asked: they have acted already."""
        return lambda seat, value, _seen: seat.obey(actions[seat.name], value)

    def _split(self, actions: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Divide actions into the environment's and nature's; all who are there must act."""
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ValueError(f"actions must hold every live agent, {missing} missing")
        base = {agent: action for agent, action in actions.items() if agent not in self._seats}
        return base, {name: actions[name] for name in self._seats}


def _copy(space: Any) -> Any:
    if isinstance(space, spaces.Discrete):
        return spaces.Discrete(space.n, start=space.start, dtype=space.dtype.type)
    return spaces.Box(space.low, space.high, space.shape, space.dtype.type)


class NatureParallelEnv(Cast, Layer, BaseParallelWrapper[Any, Any, Any]):
    """A ParallelEnv in which team and natures play at the same time; made by ``robust(..., nature=AsAgents())``."""

    def __init__(
        self, env: Any, *, channels: Mapping[str, Any], nature: AsAgents, info: str | None = None, trace: bool = False
    ) -> None:
        BaseParallelWrapper.__init__(self, env)
        self._settle(seat_natures(env, channels, nature, depth=self.layers_below(env), trace=trace), info)
        self._stage = self._perturber.stage
        alone = getattr(self._perturber.agents_nature, "team", None) is not None
        if self._stage is not None and "start" in self._stage.acts and not alone:
            raise ValueError(
                "AsAgents() cannot move the start where all move at once: the first observation is out before nature "
                "acts; play the AEC environment, or give AsAgents(team=policies)"
            )
        self._enter(alone=alone)
        self.agents: list[str] = []
        self._nominal: dict[str, Any] = {}
        self._infos: dict[str, Any] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        seed, options = self._perturber.begin(seed, options)
        self._nominal, self._infos = self.env.reset(seed=seed, options=options)
        self._fresh = True
        if self._stage is not None:
            self._stage.enter()
        self.agents = [*self.env.agents, *self._seats]
        if self._nature.team is None:
            self._rest("observation", self._nominal)
        self._perturber.face(self._nominal)
        natures = {name: self._shown(seat, self._nominal) for name, seat in self._seats.items()}
        return {**self._nominal, **natures}, self._tell()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        if not self.agents:
            return {}, {}, {}, {}, {}
        team, nature = self._split(actions)
        self._open(nature)
        self._perturber.take(team, self._nominal)
        self._move("action", team, nature, self._nominal, self._infos)
        return self._advance(team, nature, ("reward", "observation"))

    def _open(self, nature: Mapping[str, Any]) -> None:
        """Carry out what natures do once an episode: the first that they do counts."""
        if self._stage is not None and self._fresh:
            self._nominal = self._stage.open(self._nominal, self._as_agents(nature))
        self._fresh = False

    def _advance(
        self, team: dict[str, Any], nature: dict[str, Any], channels: tuple[str, ...]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Step the environment, let nature move on what came out, and book it for everybody."""
        ask = self._as_agents(nature)
        if self._stage is not None:
            self._stage.drive(self._nominal, ask)
        self._nominal, nominal_rewards, terminated, truncated, self._infos = self.env.step(team)
        if self._stage is not None:
            self._nominal = self._stage.land(self._nominal, ask)
        rewards, observations = dict(nominal_rewards), dict(self._nominal)
        values = {"reward": rewards, "observation": observations}
        for channel in channels:
            self._move(channel, values[channel], nature, self._nominal)
        self._perturber.face(observations)
        over = not self.env.agents
        ends = over and any(terminated.values())
        rewards.update(self._earnings(self._seats, rewards))
        observations.update({name: self._shown(seat, self._nominal) for name, seat in self._seats.items()})
        if over and "observation" not in channels:
            self._rest("observation", self._nominal)
        terminated = {**terminated, **dict.fromkeys(self._seats, ends)}
        truncated = {**truncated, **dict.fromkeys(self._seats, over and not ends)}
        self.agents = [] if over else [*self.env.agents, *self._seats]
        return observations, rewards, terminated, truncated, self._tell()

    def _tell(self) -> dict[str, dict[str, Any]]:
        given = {agent: info.copy() if isinstance(info, dict) else info for agent, info in self._infos.items()}
        return {agent: self._told(info, agent) for agent, info in (given | {name: {} for name in self._seats}).items()}


class NaturesOnlyParallelEnv(NatureParallelEnv):
    """A ParallelEnv of natures alone, the team's frozen policies inside; ``robust(..., nature=AsAgents(team=...))``.

    Nature moves on the observation the team is about to see, so the order of play is the exact one.
    """

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        observations, infos = super().reset(seed=seed, options=options)
        self.agents = list(self._seats)
        return self._only(observations), self._only(infos)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        if not self.agents:
            return {}, {}, {}, {}, {}
        _, nature = self._split(actions)
        self._open(nature)
        seen = dict(self._nominal)  # with those who have just died: the other views perturb their last one, too
        self._move("observation", seen, nature, self._nominal)
        self._perturber.face(seen)
        team = team_actions(self._nature.team, {agent: seen[agent] for agent in self.env.agents if agent in seen})
        self._perturber.take(team, self._nominal)
        self._move("action", team, nature, self._nominal, self._infos)
        results = self._advance(team, nature, ("reward",))
        self.agents = list(self._seats) if self.agents else []
        return tuple(self._only(result) for result in results)  # type: ignore[return-value]

    def _only(self, by_agent: Mapping[str, Any]) -> dict[str, Any]:
        return {name: by_agent[name] for name in self._seats}


class SingleAgentParallelEnv(ParallelEnv[str, Any, Any]):
    """A Gymnasium environment as a ParallelEnv with one agent, so that natures can join it."""

    def __init__(self, env: Any, agent: str) -> None:
        self.env, self.possible_agents, self.agents = env, [agent], []
        self.metadata = {"name": getattr(env.spec, "id", type(env.unwrapped).__name__), **env.metadata}
        self.render_mode = env.render_mode

    def observation_space(self, agent: str) -> Any:
        return self.env.observation_space

    def action_space(self, agent: str) -> Any:
        return self.env.action_space

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        observation, info = self.env.reset(seed=seed, options=options)
        self.agents = self.possible_agents[:]
        return {self.agents[0]: observation}, {self.agents[0]: info}

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        agent = self.possible_agents[0]
        observation, reward, terminated, truncated, info = self.env.step(actions[agent])
        if terminated or truncated:
            self.agents = []
        return {agent: observation}, {agent: reward}, {agent: terminated}, {agent: truncated}, {agent: info}

    def render(self) -> Any:
        return self.env.render()

    def close(self) -> None:
        self.env.close()

    @property
    def unwrapped(self) -> Any:
        return self.env.unwrapped
