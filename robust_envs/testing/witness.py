"""Wrappers under the robust layer that keep what the environment truly said."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper, BaseWrapper

from robust_envs.shells.gym import SINGLE

__all__ = ["SINGLE", "Witness", "make_witness"]


class Witness:
    """What all witnesses keep: nominal observations and rewards of the current episode, by agent."""

    observations: dict[str, list[Any]]
    paid: dict[str, list[float]]
    now: dict[str, Any]
    """Latest nominal observation by agent."""

    def _begin(self) -> None:
        self.observations, self.paid, self.now = {}, {}, {}

    def _see(self, agent: str, observation: Any) -> None:
        kept = observation.copy() if isinstance(observation, np.ndarray) else observation
        self.now[agent] = kept
        self.observations.setdefault(agent, []).append(kept)


class GymWitness(Witness, gymnasium.Wrapper[Any, Any, Any, Any]):
    """Watch a Gymnasium environment."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        observation, info = self.env.reset(seed=seed, options=options)
        self._begin()
        self._see(SINGLE, observation)
        self._seen = self.observations[SINGLE].append
        self.paid[SINGLE] = []
        self._paid = self.paid[SINGLE].append
        return observation, info

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        observation = result[0]
        kept = observation.copy() if isinstance(observation, np.ndarray) else observation
        self.now[SINGLE] = kept
        self._seen(kept)
        self._paid(float(result[1]))
        return result


class ParallelWitness(Witness, BaseParallelWrapper[str, Any, Any]):
    """Watch a ParallelEnv."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        result = self.env.reset(seed=seed, options=options)
        self._begin()
        for agent, observation in result[0].items():
            self._see(agent, observation)
        return result

    def step(self, actions: Any) -> Any:
        result = self.env.step(actions)
        for agent, observation in result[0].items():
            self._see(agent, observation)
        for agent, reward in result[1].items():
            self.paid.setdefault(agent, []).append(float(reward))
        return result


class AECWitness(Witness, BaseWrapper[str, Any, Any]):
    """Watch an AECEnv: agents as they get their turns."""

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.env.reset(seed=seed, options=options)
        self._begin()
        self._look()

    def step(self, action: Any) -> None:
        agent = self.env.agent_selection
        paid = float(self.env._cumulative_rewards[agent])  # noqa: SLF001 - last() tells no more
        self.paid.setdefault(agent, []).append(paid)
        self.env.step(action)
        if self.env.agents:
            self._look()

    def _look(self) -> None:
        agent = self.env.agent_selection
        self._see(agent, self.env.observe(agent))


def make_witness(env: Any) -> Any:
    """Wrap an environment so that it keeps what it said.

    Raises:
        TypeError: for an environment of another kind.
    """
    if isinstance(env, ParallelEnv):
        return ParallelWitness(env)
    if isinstance(env, AECEnv):
        return AECWitness(env)
    if isinstance(env, gymnasium.Env):
        return GymWitness(env)
    hint = "; falsify its single environment" if isinstance(env, VectorEnv) else ""
    raise TypeError(f"env_fn must build a ParallelEnv, an AECEnv or a gymnasium Env{hint}, got {type(env).__name__}")
