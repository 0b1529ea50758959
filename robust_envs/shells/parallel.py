"""PettingZoo Parallel environments, natures inside."""

from __future__ import annotations

from typing import Any

from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from robust_envs.channels import WORLD
from robust_envs.perturber import PREFIX, Perturber
from robust_envs.shells.layers import Layer, name_of
from robust_envs.worlds import World

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
            name=name_of(env),
            world=World(env),
        )
        self._settle(perturber, info)
        self._bare = info is None and not trace and all(seat.channel in WORLD for seat in perturber.seats)
        self._nominal: dict[str, Any] = {}
        self._infos: dict[str, Any] = {}

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        seed, options = self._perturber.begin(seed, options)
        self._nominal, self._infos = self.env.reset(seed=seed, options=options)
        stage = self._perturber.stage
        if stage is not None:
            stage.enter()
            self._nominal = stage.open(self._nominal)
        if self._bare:
            return dict(self._nominal), self._infos
        observations = dict(self._nominal)
        self._perturber.move("observation", observations, self._nominal)
        self._perturber.face(observations)
        return observations, self._tell(self._infos)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        if not self.env.agents:
            return {}, {}, {}, {}, {}
        if self._bare:
            return self._step_bare(actions)  # type: ignore[no-any-return] # what the environment said
        actions = dict(actions)  # never the caller's own: libraries write into theirs
        perturber = self._perturber
        perturber.take(actions, self._nominal)
        perturber.move("action", actions, self._nominal, self._infos)
        stage = perturber.stage
        if stage is not None:
            stage.drive(self._nominal)
        self._nominal, nominal_rewards, terminated, truncated, self._infos = self.env.step(actions)
        if stage is not None and stage.lands:
            self._nominal = stage.land(self._nominal)
        observations, rewards = dict(self._nominal), dict(nominal_rewards)
        perturber.move("reward", rewards, self._nominal)
        perturber.move("observation", observations, self._nominal)
        perturber.face(observations)
        return observations, rewards, dict(terminated), dict(truncated), self._tell(self._infos)

    def _step_bare(self, actions: dict[str, Any]) -> Any:
        """Step where nobody touches what the agents say, hear and are paid."""
        stage = self._perturber.stage
        assert stage is not None  # or there would be other natures
        stage.drive(self._nominal)
        self._nominal, rewards, terminated, truncated, infos = self.env.step(actions)
        if stage.lands:
            self._nominal = stage.land(self._nominal)
        return dict(self._nominal), rewards, terminated, truncated, infos

    def _tell(self, infos: dict[str, Any]) -> dict[str, dict[str, Any]]:
        if self._info is None:
            # mpe2 hands out the infos it goes on using, and libraries write into them
            return {agent: info.copy() if isinstance(info, dict) else info for agent, info in infos.items()}
        return {agent: self._told(info, agent) for agent, info in infos.items()}
