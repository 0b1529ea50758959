"""Gymnasium environments."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from robust_envs.perturber import Perturber, legal
from robust_envs.shells.layers import Layer

__all__ = ["SINGLE", "RobustEnv"]

SINGLE = "agent_0"
"""Id of the only agent of a Gymnasium environment, in traces and dictionaries by agent."""


class RobustEnv(Layer, gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A Gymnasium environment with natures inside; made by `robust`, which documents the arguments."""

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        reward: Any = None,
        observation: Any = None,
        action: Any = None,
        nature: Any,
        info: str | None = None,
        trace: bool = False,
    ) -> None:
        channels = {"reward": reward, "observation": observation, "action": action}
        given = {**channels, "nature": nature, "info": info, "trace": trace}
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **given)  # a nature may hold a whole network
        gymnasium.Wrapper.__init__(self, env)
        perturber = Perturber(
            channels,
            nature=nature,
            agents=[SINGLE],
            observation_space=lambda agent: env.observation_space,
            action_space=lambda agent: env.action_space,
            depth=self.layers_below(env),
            trace=trace,
        )
        self._settle(perturber, info)
        self._reward, self._observation, self._action = (perturber.only(channel) for channel in channels)
        self._nominal: Any = None
        self._nominal_info: Any = None
        self._noting = perturber.noting

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        seed, options = self._perturber.begin(seed, options)
        nominal, info = self.env.reset(seed=seed, options=options)
        self._nominal, self._nominal_info = nominal, info
        if self._observation is not None:
            nominal = self._observation.perturb(nominal, nominal)
        return nominal, info if self._info is None else self._told(info, SINGLE)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        if self._noting:
            self._perturber.take({SINGLE: action}, {SINGLE: self._nominal})
        if self._action is not None:
            mask = legal(self._nominal, {SINGLE: self._nominal_info}, SINGLE) if self._action.masked else None
            action = self._action.perturb(action, self._nominal, mask)
        nominal, reward, terminated, truncated, info = self.env.step(action)
        if self._action is not None or self._noting:
            self._nominal, self._nominal_info = nominal, info
        if self._reward is not None:
            reward = self._reward.perturb(reward, nominal)
        if self._observation is not None:
            nominal = self._observation.perturb(nominal, nominal)
        if self._info is not None:
            info = self._told(info, SINGLE)
        return nominal, reward, terminated, truncated, info
