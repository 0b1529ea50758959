"""PettingZoo AEC environments, natures inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pettingzoo.utils import BaseWrapper

from robust_envs.channels import JointPort
from robust_envs.perturber import PREFIX, Perturber
from robust_envs.seats import Seat
from robust_envs.shells.layers import Layer
from robust_envs.shells.parallel import possible_agents

__all__ = ["RobustAECEnv", "Rounds"]


class Rounds:
    """Tell when agents are handed their turn: once between two of their own moves.

    A parallelizable environment hands it to all at once, when the last of a round has acted; others to one at a time,
    and to all that are left when the game is over.
    """

    def __init__(self, parallelizable: bool) -> None:
        self.parallelizable = parallelizable
        self._handed: set[str] = set()

    def begin(self, agents: list[str]) -> list[str]:
        """Return who is handed a turn by the reset: everybody."""
        self._handed = set(agents)
        return list(agents)

    def after(self, actor: str, env: Any) -> list[str]:
        """Return who is handed a turn by the step which `actor` just made."""
        self._handed.discard(actor)
        agents = list(env.agents)
        dead = {agent for agent in agents if env.terminations[agent] or env.truncations[agent]}
        if len(dead) == len(agents):
            due = agents
        elif self.parallelizable:  # the round is over when nobody still has a turn to play
            due = agents if not self._handed & set(agents) - dead else []
        else:
            due = [env.agent_selection]
        handed = [agent for agent in due if agent not in self._handed]
        self._handed.update(handed)
        return handed


class Observations(Mapping[str, Any]):
    """Nominal observations by agent, asked for one at a time: AEC environments compute them on demand."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __getitem__(self, agent: str) -> Any:
        if agent not in self._env.agents:
            raise KeyError(agent)
        return self._env.observe(agent)

    def __iter__(self) -> Any:
        return iter(self._env.agents)

    def __len__(self) -> int:
        return len(self._env.agents)


class RobustAECEnv(Layer, BaseWrapper[Any, Any, Any]):
    """A PettingZoo AECEnv with natures inside; made by `robust`, which documents the arguments.

    Nature draws once per agent and turn. Rewards are booked in ``rewards`` and in what ``last()`` returns alike.
    """

    def __init__(
        self, env: Any, *, channels: dict[str, Any], nature: Any, info: str | None = None, trace: bool = False
    ) -> None:
        super().__init__(env)
        agents = possible_agents(env)
        perturber = Perturber(
            channels,
            nature=nature,
            agents=agents,
            observation_space=env.observation_space,
            action_space=env.action_space,
            depth=self.layers_below(env),
            first=sum(str(agent).startswith(PREFIX) for agent in agents),
            trace=trace,
        )
        self._settle(perturber, info)
        parallelizable = bool(env.metadata.get("is_parallelizable", False))
        check_joint(perturber, parallelizable)
        self._rounds = Rounds(parallelizable)
        self._views = views(perturber)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        seed, options = self._perturber.begin(seed, options)
        self.env.reset(seed=seed, options=options)
        self._sums: dict[str, Any] = dict.fromkeys(self.env.agents, 0)
        self._moved: set[str] = set()
        if self._perturber["reward"]:
            self.rewards = dict(self.env.rewards)
            self._cumulative_rewards = dict(self.env._cumulative_rewards)
        self._observed(self._rounds.begin(self.env.agents))

    def step(self, action: Any) -> None:
        env = self.env
        if not env.agents:
            env.step(action)  # the environment's own warning
            return
        actor = env.agent_selection
        if not (env.terminations[actor] or env.truncations[actor]):
            action = self._acted(actor, action)
        self._moved.discard(actor)
        self._sums[actor] = 0
        env.step(action)
        handed = self._rounds.after(actor, env) if env.agents else []
        self._book(handed)
        self._observed(handed)

    def observe(self, agent: str) -> Any:
        nominal = self.env.observe(agent)
        seat = self._views.get(agent)
        return nominal if seat is None or nominal is None else seat_again(seat, agent, nominal)

    def last(self, observe: bool = True) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        agent = self.env.agent_selection
        observation = self.observe(agent) if observe else None
        env = self.env
        reward = self._cumulative_rewards[agent]
        return observation, reward, env.terminations[agent], env.truncations[agent], self.infos[agent]

    def _acted(self, actor: str, action: Any) -> Any:
        if not self._perturber["action"] and not self._perturber.noting:
            return action
        actions, seen = {actor: action}, Observations(self.env)
        self._perturber.take(actions, seen)
        self._perturber.move("action", actions, seen, self.env.infos)
        return actions[actor]

    def _book(self, handed: list[str]) -> None:
        """Keep both books: ``rewards`` of this step, and what each agent gathered since its last turn."""
        if not self._perturber["reward"]:
            return  # the environment's own books show through
        self.rewards = dict(self.env.rewards)
        if handed:
            nominal = {agent: self.env._cumulative_rewards[agent] for agent in handed}
            perturbed = dict(nominal)
            self._perturber.move("reward", perturbed, Observations(self.env))
            for agent in handed:
                if perturbed[agent] is not nominal[agent]:
                    self._moved.add(agent)
                    self.rewards[agent] = booked(self.rewards[agent], perturbed[agent], nominal[agent])
        for agent, reward in self.rewards.items():
            self._sums[agent] = self._sums.get(agent, 0) + reward
        book = self.env._cumulative_rewards  # stands as it is where nature has not moved since the agent's last turn
        self._cumulative_rewards = {
            agent: _like(book[agent], self._sums[agent]) if agent in self._moved else book[agent]
            for agent in self.env.agents
        }

    def _observed(self, handed: list[str]) -> None:
        due = [agent for agent in handed if agent in self._views and self._heeds(self._views[agent])]
        if due:
            values = {agent: self.env.observe(agent) for agent in due}
            self._perturber.move("observation", dict(values), values)
        if self._info is not None:
            self.infos = {agent: self._told(info, agent) for agent, info in self.env.infos.items()}

    def _heeds(self, seat: Seat) -> bool:
        """At radius 0 the environment is not even asked: observing may cost or draw."""
        return seat.recording or not seat.idle


def views(perturber: Perturber) -> dict[str, Seat]:
    """Return the seat behind each agent's observations."""
    return {agent: seat for seat in perturber["observation"] for agent in seat.agents}


def seat_again(seat: Seat, agent: str, nominal: Any) -> Any:
    """Apply the delta of this turn to what the agent would see now."""
    return seat.again({agent: nominal})[agent] if isinstance(seat.agent, tuple) else seat.again(nominal)


def _like(nominal: Any, total: Any) -> Any:
    """Keep the kind of numpy float that the environment's own book has: numpy 1 widens ``0 + np.float32(1)``."""
    return type(nominal)(total) if isinstance(nominal, np.floating) else total


def booked(reward: Any, value: Any, nominal: Any) -> Any:
    """Put nature's move into this step's reward; exact where the whole of it came in this step."""
    return value if reward == nominal else reward + (value - nominal)


def check_joint(perturber: Perturber, parallelizable: bool) -> None:
    """Refuse joint sets where the values they couple never lie together on the table."""
    for seat in perturber.seats:
        if not isinstance(seat.port, JointPort):
            continue
        if seat.channel == "action":
            raise ValueError("joint(set) on action needs the joint action, AEC agents act in turn: wrap a ParallelEnv")
        if not parallelizable:
            raise ValueError(f"joint(set) on {seat.channel} needs an AEC environment that is_parallelizable")
