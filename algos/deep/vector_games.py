"""Gymnasium vector environments, of one agent each, as `Games`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from algos.deep.batched import Outcome, View
from algos.deep.config import check_integer
from algos.deep.levels import Radius, set_radius

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

AGENT = "agent_0"


class VectorGames:
    """Play all sub-environments of a Gymnasium VectorEnv, naked or made robust, as one run with one agent.

    All three ways of beginning anew are understood. Where a step only resets (NEXT_STEP), the agent counts as absent
    on it, and nothing is learned from it.

    Args:
        env: with flat Box observations and Discrete or bounded Box actions.
        wave: steps after which all games begin anew, >= 1.
        device: of the tensors.

    Raises:
        TypeError: env is no VectorEnv.
        ValueError: wave is not positive, or a space is not supported.

    Example:
        >>> import gymnasium
        >>> games = VectorGames(gymnasium.make_vec("CartPole-v1", num_envs=3), wave=100)
        >>> games.reset([0]).observation.shape
        torch.Size([3, 1, 4])
    """

    runs = 1
    agents = (AGENT,)

    def __init__(self, env: VectorEnv[Any, Any, Any], *, wave: int, device: str | torch.device = "cpu") -> None:
        if not isinstance(env, VectorEnv):
            raise TypeError(f"env must be a Gymnasium VectorEnv, got {type(env).__name__}")
        check_integer("wave", wave, at_least=1)
        if not isinstance(env.single_observation_space, spaces.Box):
            raise ValueError(f"env must have Box observations, got {env.single_observation_space}")
        self.env, self.wave, self.num_envs = env, wave, env.num_envs
        self.observation_spaces, self.action_spaces = (env.single_observation_space,), (env.single_action_space,)
        self.device = torch.device(device)
        self._mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self._resetting = np.zeros(env.num_envs, bool)

    def reset(self, seeds: Sequence[int]) -> View:
        """Begin all games anew, as Gymnasium seeds them: game i with the seed plus i."""
        (seed,) = seeds
        observations, _ = self.env.reset(seed=seed)
        self._resetting = np.zeros(self.num_envs, bool)
        return self._view(observations)

    def step(self, actions: Tensor) -> Outcome:
        """Play actions (G, 1, A)."""
        observations, rewards, terminated, truncated, infos = self.env.step(self._elements(actions))
        over = np.asarray(terminated | truncated)
        final = np.array(observations)
        if self._mode is AutoresetMode.SAME_STEP and over.any():
            final[over] = np.stack(list(infos["final_obs"][over]))
        following = self._view(final)
        if self._mode is AutoresetMode.DISABLED and over.any():
            observations, _ = self.env.reset(options={"reset_mask": over})
        self._resetting = over if self._mode is AutoresetMode.NEXT_STEP else np.zeros_like(over)
        return Outcome(
            reward=self._tensor(np.asarray(rewards, np.float32)),
            continues=self._tensor(~np.asarray(terminated)),
            following=following,
            view=self._view(observations),
            over=torch.from_numpy(over.copy()).to(self.device),
            nominal=None,
        )

    def set_radius(self, radius: Radius) -> None:
        """Set the radius of the sets of all layers around the environment: a number, or a dict by channel."""
        set_radius(self.env, radius)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _view(self, observations: Any) -> View:
        flat = np.asarray(observations, np.float32).reshape(self.num_envs, 1, -1)
        return View(torch.from_numpy(flat.copy()).to(self.device), self._tensor(~self._resetting), None)

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(np.asarray(values)[:, None].copy()).to(self.device)

    def _elements(self, actions: Tensor) -> Any:
        space = self.env.single_action_space
        numbers = actions[:, 0].cpu().numpy()
        if isinstance(space, spaces.Box):
            return numbers.astype(space.dtype).reshape(self.num_envs, *space.shape)
        return numbers[:, 0].astype(np.int64)
