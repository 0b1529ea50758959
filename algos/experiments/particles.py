"""The particle worlds of mpe2 stepped directly, without the turns they do not take: the same numbers, twice as fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

__all__ = ["DirectParticles", "is_particles"]

Outcome = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]


def is_particles(env: Any) -> bool:
    """Tell whether this is a PettingZoo environment around a world of mpe2."""
    base = env.unwrapped
    return type(base).__module__.startswith("mpe2.") and all(hasattr(base, part) for part in ("world", "scenario"))


class DirectParticles(ParallelEnv[str, Any, Any]):
    """Step the world of an mpe2 environment, all agents at once.

    mpe2 gives its parallel environments in three layers over a game of turns, which cost more than the world. This
    calls the world where the last turn of a cycle does, so that all it returns is the same bit for bit; actions out of
    bounds are clipped (continuous) or refused (discrete), as there.

    Args:
        env: `mpe2.<task>.parallel_env(...)`.

    Raises:
        TypeError: env is none of mpe2.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> env = DirectParticles(simple_spread_v3.parallel_env())
        >>> observations, _ = env.reset(seed=0)
        >>> observations["agent_0"].shape
        (18,)
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        if not is_particles(env):
            raise TypeError(f"env must be a parallel environment of mpe2, got {type(env).__name__}")
        self._parallel = env
        base: Any = env.unwrapped
        self._base = base
        self.metadata, self.render_mode = env.metadata, getattr(env, "render_mode", None)
        self.possible_agents = list(env.possible_agents)
        self.agents: list[str] = []
        self.state_space = base.state_space
        self._actions = [self._base.action_space(agent) for agent in self.possible_agents]

    @property
    def unwrapped(self) -> Any:
        """The environment of mpe2."""
        return self._base

    def observation_space(self, agent: str) -> Any:
        """Space of an agent's observations."""
        return self._base.observation_space(agent)

    def action_space(self, agent: str) -> Any:
        """Space of an agent's actions."""
        return self._base.action_space(agent)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        self._base.reset(seed=seed, options=options)
        self.agents = list(self.possible_agents)
        return self._observe(), dict(self._base.infos)

    def step(self, actions: dict[str, Any]) -> Outcome:
        """Play one step; an empty step once nobody is left."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        base = self._base
        base.current_actions = [
            _inside(actions[agent], space) for agent, space in zip(self.agents, self._actions, strict=True)
        ]
        base._execute_world_step()  # noqa: SLF001 - what the last turn of a cycle calls; a test holds the two equal
        base.steps += 1
        truncated = base.steps >= base.max_cycles
        terminated = not truncated and bool(base.scenario.is_terminal(base.world))
        outcome = (
            self._observe(),
            dict(base.rewards),
            dict.fromkeys(self.agents, terminated),
            dict.fromkeys(self.agents, truncated),
            dict(base.infos),
        )
        if truncated or terminated:
            self.agents = []
        return outcome

    def state(self) -> np.ndarray[Any, Any]:
        """All observations, one after the other."""
        return np.asarray(self._base.state())

    def render(self) -> Any:
        """Draw the world."""
        return self._base.render()

    def close(self) -> None:
        """Close the window, if any."""
        self._parallel.close()

    def _observe(self) -> dict[str, Any]:
        scenario, world = self._base.scenario, self._base.world
        pairs = zip(self.agents, world.agents, strict=True)
        return {name: scenario.observation(agent, world).astype(np.float32) for name, agent in pairs}


def _inside(action: Any, space: Any) -> Any:
    if isinstance(space, spaces.Box):
        return np.minimum(np.maximum(action, space.low), space.high)
    if not 0 <= action < space.n:
        raise ValueError(f"action must be in {space}, got {action!r}")
    return action
