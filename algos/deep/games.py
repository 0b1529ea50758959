"""A PettingZoo game as arrays over agents: padded, masked, and checked at every step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten
from pettingzoo import AECEnv, ParallelEnv

from algos.deep.config import Continuous
from algos.deep.spaces import Seat, Space, space_from_json, space_to_json

Env = ParallelEnv[str, Any, Any]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
_NO_STATE: Floats = np.empty(0, np.float32)


@dataclass(frozen=True)
class Team:
    """Hold all agents' seats in the order of `possible_agents`. N agents, O and A the largest sizes.

    Args:
        seats: one per agent.
        state_size: numbers in the environment's `state()`, 0 where nobody learns from it.
    """

    seats: tuple[Seat, ...]
    state_size: int = 0

    @classmethod
    def of(cls, env: Env, continuous: Continuous) -> Team:
        """Read the agents and spaces of an environment."""
        if not isinstance(env, ParallelEnv):
            hint = " (pettingzoo.utils.aec_to_parallel makes one of an AECEnv)" if isinstance(env, AECEnv) else ""
            raise TypeError(f"env must be a PettingZoo ParallelEnv, got {type(env).__name__}{hint}")
        agents = getattr(env, "possible_agents", None)
        if not agents:
            raise ValueError("env must have possible_agents: networks are made for agents known in advance")
        observations, actions = (
            [find(agent) for agent in agents] for find in (env.observation_space, env.action_space)
        )
        return cls.of_spaces(agents, observations, actions, continuous)

    @classmethod
    def of_spaces(
        cls, agents: Iterable[str], observations: Iterable[Space], actions: Iterable[Space], continuous: Continuous
    ) -> Team:
        """Seat agents with these spaces, each in the agents' order."""
        triples = zip(agents, observations, actions, strict=True)
        return cls(tuple(Seat(agent, seen, played, continuous) for agent, seen, played in triples))

    @cached_property
    def agents(self) -> tuple[str, ...]:
        """Names of the agents."""
        return tuple(seat.agent for seat in self.seats)

    @cached_property
    def observation_size(self) -> int:
        """The largest observation, O."""
        return max(seat.observation_size for seat in self.seats)

    @cached_property
    def action_size(self) -> int:
        """The largest action, A."""
        return max(seat.action_size for seat in self.seats)

    @cached_property
    def has_mask(self) -> bool:
        """Whether any agent's legal actions change from step to step."""
        return any(seat.has_mask for seat in self.seats)

    @cached_property
    def real_actions(self) -> Flags:
        """Which action coordinates are real and which padding, (N, A)."""
        sizes = np.array([seat.action_size for seat in self.seats])
        real: Flags = np.arange(self.action_size) < sizes[:, None]
        return real

    def to_json(self) -> list[dict[str, Any]]:
        """Describe agents and spaces by plain values."""
        return [
            {
                "agent": seat.agent,
                "observation": space_to_json(seat.observation_space),
                "action": space_to_json(seat.action_space),
            }
            for seat in self.seats
        ]

    @classmethod
    def from_json(cls, values: Iterable[Mapping[str, Any]], continuous: Continuous) -> Team:
        """Rebuild the team that `to_json` described."""
        return cls(
            tuple(
                Seat(v["agent"], space_from_json(v["observation"]), space_from_json(v["action"]), continuous)
                for v in values
            )
        )

    def check_same(self, other: Team) -> None:
        """Raise, naming the first difference, unless the other team has the same agents and spaces."""
        if self.agents != other.agents:
            raise ValueError(f"env must have the agents {list(self.agents)}, got {list(other.agents)}")
        if self.state_size != other.state_size:
            raise ValueError(f"env must have a state of {self.state_size} numbers, got {other.state_size}")
        for mine, theirs in zip(self.to_json(), other.to_json(), strict=True):
            for part in ("observation", "action"):
                if mine[part] != theirs[part]:
                    raise ValueError(
                        f"agent {mine['agent']!r}: {part} space must be {space_from_json(mine[part])}, "
                        f"got {space_from_json(theirs[part])}"
                    )

    def encode(self, observations: Mapping[str, Any]) -> tuple[Floats, Flags]:
        """Return observations (N, O) padded with zeros, and legal actions (N, A); absent agents are all zero."""
        values = np.zeros((len(self.seats), self.observation_size), np.float32)
        legal = self.real_actions.copy() if self.has_mask else self.real_actions
        for i, seat in enumerate(self.seats):
            if seat.agent not in observations:
                continue
            try:
                values[i, : seat.observation_size] = seat.flatten(observations[seat.agent])
                if seat.has_mask:
                    legal[i, : seat.action_size] = seat.legal(observations[seat.agent])
            except (ValueError, TypeError, KeyError, IndexError) as error:
                raise ValueError(
                    f"agent {seat.agent!r}: observation does not fit {seat.seen_space}: {error}"
                ) from error
        if not np.isfinite(values).all():
            agent = self.agents[int(np.argmin(np.isfinite(values).all(axis=1)))]
            raise ValueError(f"agent {agent!r}: observation must be finite, got {observations[agent]}")
        return values, legal

    def decode(self, actions: Floats, agents: Iterable[str]) -> dict[str, Any]:
        """Turn actions (N, A) into a dict of elements of the action spaces, for the agents named."""
        seats = self._by_agent
        return {agent: seats[agent][0].action(actions[seats[agent][1]]) for agent in agents}

    @cached_property
    def _by_agent(self) -> dict[str, tuple[Seat, tuple[int, slice]]]:
        return {seat.agent: (seat, (i, slice(seat.action_size))) for i, seat in enumerate(self.seats)}


def flat_state(env: Env) -> Floats:
    """Return the environment's `state()` as numbers, flat: of a Discrete `state_space` one-hot; none if it has none."""
    try:
        state = env.state()
    except (NotImplementedError, AttributeError):
        return _NO_STATE
    space = getattr(env, "state_space", None)
    if isinstance(space, spaces.Space) and not isinstance(space, spaces.Box):
        return np.asarray(flatten(space, np.asarray(state)[()]), np.float32)
    return np.asarray(state, np.float32).reshape(-1)


def count_state(env: Any) -> int:
    """Count the numbers of the environment's `state()`; one that tells it only once it is reset, is."""
    if isinstance(getattr(env, "state_space", None), spaces.Space):
        return flatdim(env.state_space)
    env.reset(seed=0)
    return len(flat_state(env))


class Frame(NamedTuple):
    """What is known before a step: observations (N, O), who is present (N,), legal actions (N, A), the state (S,)."""

    observation: Floats
    present: Flags
    legal: Flags
    state: Floats = _NO_STATE


class Step(NamedTuple):
    """What a step brought: rewards (N,), who lives on (N,), and the frame that follows."""

    reward: Floats
    continues: Flags
    frame: Frame


class ParallelGame:
    """Step one PettingZoo environment with arrays. `num_envs` is what Stable-Baselines3 callbacks count with.

    An agent lives on unless it terminated: at a time limit it is truncated and lives on, though the episode ends.
    """

    num_envs = 1

    def __init__(self, env: Env, team: Team) -> None:
        self.env = env
        self.team = team
        self._episode = self._step = 0

    @property
    def over(self) -> bool:
        """Whether nobody is left to act."""
        return not self.env.agents

    def reset(self, seed: int, *, episode: int) -> Frame:
        """Begin an episode."""
        self._episode, self._step = episode, 0
        observations, _ = self.env.reset(seed=seed)
        if self.over:
            raise ValueError(f"env must have agents after reset, got none (episode {episode})")
        return self._frame(observations)

    def step(self, actions: Floats) -> Step:
        """Play the actions (N, A) of the agents that are present, in the networks' form."""
        return self.play(self.team.decode(actions, list(self.env.agents)))

    def play(self, actions: Mapping[str, Any]) -> Step:
        """Play elements of the action spaces, of the agents that are present."""
        self._step += 1
        actors = list(self.env.agents)
        observations, rewards, terminations, _, _ = self.env.step(dict(actions))
        reward = np.zeros(len(self.team.seats), np.float32)
        continues = np.zeros(len(self.team.seats), bool)
        for i, agent in enumerate(self.team.agents):
            continues[i] = agent in observations and not terminations.get(agent, False)
            if agent in actors:
                reward[i] = self._reward(agent, rewards)
                if not continues[i] and not terminations.get(agent, True):
                    raise self._fault(agent, "is not terminated but has no observation")
        return Step(reward, continues, self._frame(observations))

    def _frame(self, observations: Mapping[str, Any]) -> Frame:
        try:
            values, legal = self.team.encode(observations)
        except ValueError as error:
            raise ValueError(f"{error} (step {self._step} of episode {self._episode})") from error
        agents = self.env.agents
        present = np.array([agent in agents for agent in self.team.agents])
        return Frame(values, present, legal, self._state() if self.team.state_size else _NO_STATE)

    def _state(self) -> Floats:
        values = flat_state(self.env)
        if values.shape != (self.team.state_size,) or not np.isfinite(values).all():
            raise ValueError(
                f"state must be {self.team.state_size} finite numbers, got {values} "
                f"(step {self._step} of episode {self._episode})"
            )
        return values

    def _reward(self, agent: str, rewards: Mapping[str, Any]) -> float:
        try:
            reward = float(rewards[agent])
        except (KeyError, TypeError, ValueError) as error:
            raise self._fault(agent, f"must get a reward that is one number, got {rewards.get(agent)!r}") from error
        if not math.isfinite(reward):
            raise self._fault(agent, f"must get a finite reward, got {reward}")
        return reward

    def _fault(self, agent: str, what: str) -> ValueError:
        return ValueError(f"agent {agent!r} {what} (step {self._step} of episode {self._episode})")
