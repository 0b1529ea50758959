"""The policy that every learner has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.evaluation.sources import SINGLE

__all__ = ["RandomPolicy"]


class RandomPolicy:
    """Act uniformly at random in the environment's action spaces; legal actions only where a mask is shown.

    Args:
        env: a ParallelEnv, an AECEnv or a gymnasium Env, read for its action spaces and not kept.
        seed: of the first episode; `evaluate` reseeds each episode, so that all evaluations see the same actions.

    Example:
        >>> from gymnasium.envs.classic_control import CartPoleEnv
        >>> actions, _ = RandomPolicy(CartPoleEnv(), seed=1).predict({"agent_0": None})
        >>> int(actions["agent_0"]) in (0, 1)
        True
    """

    multi_agent = True

    def __init__(self, env: Any, *, seed: int = 0) -> None:
        # Copies: the environment may draw from its own spaces, and its randomness is not ours to move.
        agents = getattr(env, "possible_agents", None)
        if agents is None:
            self._spaces = {SINGLE: deepcopy(env.action_space)}
        else:
            self._spaces = {agent: deepcopy(env.action_space(agent)) for agent in agents}
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start an episode's random actions afresh, each agent's from a stream of its own."""
        roots = np.random.SeedSequence(seed).spawn(len(self._spaces))
        for space, root in zip(self._spaces.values(), roots, strict=True):
            space.seed(int(root.generate_state(1)[0]))

    def predict(
        self,
        observations: Mapping[str, Any],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[dict[str, Any], Any]:
        """Draw an action for each agent; nothing but an action mask is looked at."""
        return {agent: self._draw(agent, seen) for agent, seen in observations.items()}, state

    def _draw(self, agent: str, observation: Any) -> Any:
        space = self._spaces[agent]
        if isinstance(space, spaces.Discrete) and isinstance(observation, Mapping) and "action_mask" in observation:
            return space.sample(np.asarray(observation["action_mask"], np.int8))
        return space.sample()
