"""PettingZoo Parallel environments, natures inside."""

from __future__ import annotations

from typing import Any

from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from robust_envs.perturber import PREFIX, Perturber
from robust_envs.shells.layers import Layer

__all__ = ["RobustParallelEnv", "possible_agents"]


def possible_agents(env: Any) -> list[str]:
    """Return all agents that may ever be.

    Raises:
        ValueError: If the environment does not say.
    """
    try:
        return list(env.possible_agents)
    except AttributeError:
        raise ValueError(
            f"env must have possible_agents, so that every agent has a nature of its own: {env} has not"
        ) from None


class RobustParallelEnv(Layer, BaseParallelWrapper[Any, Any, Any]):
    """A PettingZoo ParallelEnv with natures inside; made by `robust`, which documents the arguments."""

    def __init__(
        self,
        env: ParallelEnv[Any, Any, Any],
        *,
        channels: dict[str, Any],
        nature: Any,
        info: str | None = None,
        trace: bool = False,
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
        self._nominal: dict[str, Any] = {}
        self._infos: dict[str, Any] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        seed, options = self._perturber.begin(seed, options)
        self._nominal, self._infos = self.env.reset(seed=seed, options=options)
        observations = dict(self._nominal)
        self._perturber.move("observation", observations, self._nominal)
        return observations, self._tell(self._infos)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        if not self.env.agents:
            return {}, {}, {}, {}, {}
        actions = dict(actions)  # never the caller's own: libraries write into theirs
        perturber = self._perturber
        perturber.take(actions, self._nominal)
        perturber.move("action", actions, self._nominal, self._infos)
        self._nominal, nominal_rewards, terminated, truncated, self._infos = self.env.step(actions)
        observations, rewards = dict(self._nominal), dict(nominal_rewards)
        perturber.move("reward", rewards, self._nominal)
        perturber.move("observation", observations, self._nominal)
        return observations, rewards, dict(terminated), dict(truncated), self._tell(self._infos)

    def _tell(self, infos: dict[str, Any]) -> dict[str, dict[str, Any]]:
        if self._info is None:
            # mpe2 hands out the infos it goes on using, and libraries write into them
            return {agent: info.copy() if isinstance(info, dict) else info for agent, info in infos.items()}
        return {agent: self._told(info, agent) for agent, info in infos.items()}
