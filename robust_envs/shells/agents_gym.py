"""A Gymnasium environment seen from nature's side: the team plays inside, one nature is the agent."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.error import ResetNeeded
from gymnasium.utils import RecordConstructorArgs

from robust_envs.natures import AsAgents
from robust_envs.shells.agents_parallel import NaturesOnlyParallelEnv, SingleAgentParallelEnv
from robust_envs.shells.gym import SINGLE
from robust_envs.shells.layers import Layer

__all__ = ["NatureEnv"]


class NatureEnv(Layer, gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A Gymnasium Env in which nature acts; made by ``robust(env, ..., nature=AsAgents(team=policy))``."""

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        nature: AsAgents,
        info: str | None = None,
        trace: bool = False,
        **channels: Any,
    ) -> None:
        given = {**channels, "nature": nature, "info": info, "trace": trace}
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **given)  # a nature may hold a whole network
        gymnasium.Wrapper.__init__(self, env)
        game = SingleAgentParallelEnv(env, SINGLE)
        self._game = NaturesOnlyParallelEnv(game, channels=channels, nature=nature, info=info, trace=trace)
        self._settle(self._game._perturber, info)
        (self._name,) = self._game.possible_agents
        self.observation_space = self._game.observation_space(self._name)
        self.action_space = self._game.action_space(self._name)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observations, infos = self._game.reset(seed=seed, options=options)
        return observations[self._name], infos[self._name]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self._game.agents:
            raise ResetNeeded("step() needs an episode: call reset() first, and again when one has ended")
        observations, rewards, terminated, truncated, infos = self._game.step({self._name: action})
        name = self._name
        return observations[name], rewards[name], terminated[name], truncated[name], infos[name]
