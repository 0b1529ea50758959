"""The layer just above the environment: it keeps the nominal rewards, and may start every episode alike.

Kept here rather than read off `last_move` at every step: what the environment said is one sum, whatever set, channel
or API perturbs it afterwards (a joint set has one move for all agents; in turns a move is booked once a round).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper, BaseWrapper

from robust_envs.shells.gym import SINGLE

__all__ = ["SINGLE", "make_source"]


def make_source(env: Any, *, start: int | None = None) -> Any:
    """Wrap an environment so that it has `nominal`, the return so far of each agent in this episode.

    Args:
        env: ParallelEnv, AECEnv or gymnasium Env.
        start: seed of every episode, in place of the one that reset is given; None passes that on.

    Raises:
        TypeError: for an environment of another kind.
    """
    if isinstance(env, ParallelEnv):
        return ParallelSource(env, start)
    if isinstance(env, AECEnv):
        return AECSource(env, start)
    if isinstance(env, gymnasium.Env):
        return GymSource(env, start)
    hint = "; evaluate its single environment" if isinstance(env, VectorEnv) else ""
    raise TypeError(f"env_fn must build a ParallelEnv, an AECEnv or a gymnasium Env{hint}, got {type(env).__name__}")


class ParallelSource(BaseParallelWrapper[str, Any, Any]):
    """Keep the nominal rewards of a ParallelEnv."""

    def __init__(self, env: Any, start: int | None) -> None:
        super().__init__(env)
        self.start, self.nominal = start, defaultdict[str, float](float)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Begin an episode."""
        self.nominal = defaultdict(float)
        return self.env.reset(seed=seed if self.start is None else self.start, options=options)

    def step(self, actions: Any) -> Any:
        """Step, and add up."""
        result = self.env.step(actions)
        for agent, reward in result[1].items():
            self.nominal[agent] += float(reward)
        return result


class AECSource(BaseWrapper[str, Any, Any]):
    """Keep the nominal rewards of an AECEnv: each agent's are booked when it gets its turn."""

    def __init__(self, env: Any, start: int | None) -> None:
        super().__init__(env)
        self.start, self.nominal = start, defaultdict[str, float](float)

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        """Begin an episode."""
        self.nominal = defaultdict(float)
        self.env.reset(seed=seed if self.start is None else self.start, options=options)

    def step(self, action: Any) -> None:
        """Add up what the agent on turn was told by `last`, then step."""
        agent = self.env.agent_selection
        self.nominal[agent] += float(self.env._cumulative_rewards[agent])  # noqa: SLF001 - last() tells no more
        self.env.step(action)


class GymSource(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keep the nominal reward of a gymnasium Env."""

    def __init__(self, env: Any, start: int | None) -> None:
        super().__init__(env)
        self.start, self.nominal = start, defaultdict[str, float](float)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin an episode."""
        self.nominal = defaultdict(float)
        return self.env.reset(seed=seed if self.start is None else self.start, options=options)

    def step(self, action: Any) -> Any:
        """Step, and add up."""
        result = self.env.step(action)
        self.nominal[SINGLE] += float(result[1])
        return result
