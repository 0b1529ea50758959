"""Play any PettingZoo ParallelEnv of discrete actions in EPyMARL, robust or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

__all__ = ["TupleGame"]


class TupleGame(gymnasium.Env[Any, Any]):
    """Play a ParallelEnv as one Gymnasium environment whose spaces are tuples with a place for each agent.

    EPyMARL's ``gymma`` makes environments by their Gymnasium id and takes this kind: observations and rewards in the
    order of the agents, one flag for all, and ``n_agents``. It pads agents whose spaces differ itself, natures too.
    An agent that has left the game keeps its last observation, earns nothing, and its actions are not played.

    Args:
        env: A ParallelEnv whose agents act in Discrete spaces that begin at 0.

    Attributes:
        n_agents: How many agents there are, natures included.
        possible_agents: Their names, in the order of the tuples.

    Raises:
        TypeError: If `env` is no ParallelEnv.
        ValueError: If it has no `possible_agents`, or an action space is not Discrete or does not begin at 0; at a
            reset, if an agent is missing.

    Example:
        Register it under an id, in a module that EPyMARL can import::

            gymnasium.register("robust-spread-v0", entry_point="my_games:make", disable_env_checker=True)

        >>> from mpe2 import simple_spread_v3
        >>> from robust_envs import Linf, Uniform, robust
        >>> game = TupleGame(robust(simple_spread_v3.parallel_env(), observation=Linf(0.1), nature=Uniform()))
        >>> game.n_agents, game.action_space
        (3, Tuple(Discrete(5), Discrete(5), Discrete(5)))
        >>> observations, _ = game.reset(seed=0)
        >>> observations, rewards, terminated, truncated, infos = game.step([0, 1, 2])
        >>> len(observations), len(rewards), terminated, truncated, infos
        (3, 3, False, False, {})

    References:
        Papoudakis, Christianos, Schäfer, Albrecht (2021), Benchmarking multi-agent deep reinforcement learning
        algorithms in cooperative tasks.
    """

    def __init__(self, env: Any) -> None:
        if not isinstance(env, ParallelEnv):
            raise TypeError(f"env must be a pettingzoo ParallelEnv, got {type(env).__name__}")
        if not hasattr(env, "possible_agents"):
            raise ValueError(f"env must have possible_agents, for EPyMARL counts them once, got {type(env).__name__}")
        self.env, self.possible_agents = env, [str(agent) for agent in env.possible_agents]
        for agent in self.possible_agents:
            space = env.action_space(agent)
            if not isinstance(space, spaces.Discrete) or space.start != 0:
                raise ValueError(f"action_space must be Discrete and begin at 0 for EPyMARL, got {space} of {agent}")
        self.n_agents = len(self.possible_agents)
        self.action_space = spaces.Tuple([env.action_space(agent) for agent in self.possible_agents])
        self.observation_space = spaces.Tuple([env.observation_space(agent) for agent in self.possible_agents])
        self.metadata, self.render_mode = dict(env.metadata), getattr(env, "render_mode", None)
        self._seen: dict[str, Any] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._seen, _ = self.env.reset(seed=seed, options=options)
        if missing := set(self.possible_agents) - set(self._seen):
            raise ValueError(f"all agents must be there when the game begins, got none of {sorted(missing)}")
        return self._observations(), {}

    def step(self, action: Sequence[Any]) -> tuple[Any, list[float], bool, bool, dict[str, Any]]:  # type: ignore[override]
        said = dict(zip(self.possible_agents, action, strict=True))
        observations, rewards, terminated, *_ = self.env.step(
            {agent: np.int64(said[agent]) for agent in self.env.agents}
        )
        self._seen = {**self._seen, **observations}
        earned = [float(rewards.get(agent, 0.0)) for agent in self.possible_agents]
        over, ended = not self.env.agents, bool(terminated) and all(terminated.values())
        # infos stay empty: EPyMARL adds their values up over episodes
        return self._observations(), earned, ended, over and not ended, {}

    def render(self) -> Any:
        return self.env.render()

    def close(self) -> None:
        self.env.close()

    def _observations(self) -> tuple[Any, ...]:
        return tuple(self._seen[agent] for agent in self.possible_agents)
