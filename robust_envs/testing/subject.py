"""An environment under test, with the sets and the nature it is tested with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.sets import Linf, Product, Switch, UncertaintySet
from robust_envs.testing.playing import Episode, play, same
from robust_envs.traces import Trace
from robust_envs.wrap import robust

__all__ = ["Skipped", "Subject", "default_sets"]


class Skipped(Exception):  # noqa: N818 - no error
    """A check does not apply; says why."""


@dataclass(frozen=True)
class Subject:
    """Build the environment, naked and robust, and play it.

    Args:
        env_fn: Builds the naked environment.
        sets: Uncertainty sets by channel.
        nature: Who picks.
        seed: Of the episodes.
        steps: Longest episode.
        name: What reports call it.
    """

    env_fn: Callable[[], Any]
    sets: dict[str, Any]
    nature: Any
    seed: int
    steps: int
    name: str

    def make(self, *channels: str, **options: Any) -> Any:
        """Return a robust environment, on these channels or on all."""
        sets = {channel: self.sets[channel] for channel in channels or self.sets}
        return robust(self.env_fn(), **{"nature": self.nature, **sets, **options})

    def play(self, env: Any, seed: int | None = None, *, on: bool = False) -> Episode:
        """Play an episode; `on`: one that goes on with the streams as they are."""
        return play(env, seed=self.seed if seed is None else seed, steps=self.steps, on=on)

    def record(self, *channels: str, seed: int | None = None) -> tuple[Episode, Trace, Any]:
        """Play an episode and return it with its trace and the environment."""
        env = self.make(*channels, trace=True)
        return self.play(env, seed), env.trace, env

    @cached_property
    def nominal(self) -> Episode:
        """The naked environment's episode."""
        return self.play(self.env_fn())

    @cached_property
    def repeats(self) -> bool:
        """Whether the naked environment repeats an episode with its seed."""
        return same(self.nominal, self.play(self.env_fn()))

    def need_repeats(self) -> None:
        """Leave a check out where two copies of the environment play different episodes."""
        if not self.repeats:
            raise Skipped("two copies of the environment play different episodes with one seed")

    def need(self, channel: str) -> None:
        """Leave a check out where the channel has no set."""
        if channel not in self.sets:
            raise Skipped(f"no set on {channel}")


def default_sets(env: Any) -> dict[str, Any]:
    """Choose a set for each channel that can be perturbed.

    Raises:
        TypeError: If it is no environment.
    """
    if isinstance(env, gymnasium.Env):
        found: dict[str, Any] = {
            "observation": _default(env.observation_space),
            "action": _default(env.action_space),
        }
    elif isinstance(env, ParallelEnv | AECEnv):
        agents = list(env.possible_agents)
        by_agent = {
            "observation": {agent: _default(env.observation_space(agent)) for agent in agents},
            "action": {agent: _default(env.action_space(agent)) for agent in agents},
        }
        found = {channel: {a: s for a, s in sets.items() if s is not None} for channel, sets in by_agent.items()}
    else:
        raise TypeError(f"env_fn must build a gymnasium Env, a ParallelEnv or an AECEnv, got {type(env).__name__}")
    return {"reward": Linf(0.5), **{channel: sets for channel, sets in found.items() if sets}}


def _default(space: Any) -> UncertaintySet | None:
    if isinstance(space, spaces.Discrete):
        return Switch(0.5) if space.n > 1 else None
    if isinstance(space, spaces.Dict | spaces.Tuple):
        if isinstance(space, spaces.Dict) and {"observation", "action_mask"} <= set(space.spaces):
            return _default(space["observation"])
        keyed = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        parts = {key: _default(part) for key, part in keyed if isinstance(part, spaces.Box) and key != "action_mask"}
        present = {key: members for key, members in parts.items() if members is not None}
        return Product(present) if present else None
    if not isinstance(space, spaces.Box) or space.dtype.kind not in "fiu" or np.prod(space.shape) == 0:
        return None
    return Linf(0.1) if space.dtype.kind == "f" else Linf(1.0)
