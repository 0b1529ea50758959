"""VMAS environments, thousands of games in one, as `Games`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from algos.deep.batched import Outcome, View
from algos.deep.config import check_integer
from algos.deep.levels import Radius, set_radius
from robust_envs.shells.batched import gymnasium_space

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class VmasGames:
    """Play all games of one VMAS environment, naked or made robust, as one run.

    Episodes end where the scenario is done (the agents terminate) or at the environment's `max_steps` (a time limit).
    Observations must be tensors; all agents are present always. VMAS draws from a state shared by all environments of
    a process; here each keeps its own, so that environments do not disturb each other or the caller.

    Args:
        env: `vmas.make_env(...)` with flat observations, continuous or discrete (not multi-discrete) actions.
        wave: steps after which all games begin anew, >= 1; `env.max_steps` if None.

    Raises:
        TypeError: env is no VMAS environment.
        ValueError: wave is neither given nor to be had from `max_steps`, or a space is not supported.

    Example:
        >>> import torch, vmas
        >>> games = VmasGames(vmas.make_env("simple_spread", num_envs=4, max_steps=25))
        >>> games.reset([0]).observation.shape
        torch.Size([4, 3, 14])
        >>> games.step(torch.zeros(4, 3, 2)).reward.shape
        torch.Size([4, 3])

    References:
        Bettini, Kortvelesy, Blumenkamp, Prorok (2022), VMAS: A Vectorized Multi-Agent Simulator.
    """

    runs = 1

    def __init__(self, env: Any, *, wave: int | None = None) -> None:
        if not (hasattr(env, "scenario") and hasattr(env, "get_from_scenario")):
            raise TypeError(f"env must be a VMAS environment, got {type(env).__name__}")
        wave = env.max_steps if wave is None else wave
        if wave is None:
            raise ValueError("wave must be given where the environment has no max_steps, got wave=None")
        check_integer("wave", wave, at_least=1)
        self.env, self.wave = env, wave
        self.num_envs, self.device = int(env.num_envs), torch.device(env.device)
        self.agents = tuple(agent.name for agent in env.agents)
        self.observation_spaces = tuple(
            gymnasium_space(space) for space in _by_agent(env.observation_space, self.agents)
        )
        self.action_spaces = tuple(gymnasium_space(space) for space in _by_agent(env.action_space, self.agents))
        for agent, space in zip(self.agents, self.observation_spaces, strict=True):
            if not (isinstance(space, spaces.Box) and len(space.shape) == 1):
                raise ValueError(f"agent {agent!r}: observation must be one flat tensor, got {space}")
        self._sizes = [flatdim(space) for space in self.observation_spaces]
        self._widths = [space.shape[0] if isinstance(space, spaces.Box) else 1 for space in self.action_spaces]
        shape = (self.num_envs, len(self.agents))
        self._present = torch.ones(shape, dtype=torch.bool, device=self.device)
        self._random = [*env.vmas_random_state]

    def reset(self, seeds: Sequence[int]) -> View:
        """Begin all games anew, from one seed."""
        (seed,) = seeds
        with self._own_randomness():
            return self._view(self.env.reset(seed=seed))

    def step(self, actions: Tensor) -> Outcome:
        """Play actions (G, N, A)."""
        shares = [actions[:, i, :width] for i, width in enumerate(self._widths)]
        with self._own_randomness():
            observations, rewards, *ends, _ = self.env.step(shares)
            terminated, truncated = ends if len(ends) == 2 else (self.env.scenario.done(), ends[0])
            following = self._view(observations)
            over = terminated | truncated
            view = self._begin(over) if bool(over.any()) else following
        nominal = getattr(self.env, "nominal_rewards", None)
        return Outcome(
            reward=self._rewards(rewards),
            continues=~terminated[:, None] & self._present,
            following=following,
            view=view,
            over=over,
            nominal=None if nominal is None else torch.stack([nominal[agent] for agent in self.agents], 1),
        )

    def set_radius(self, radius: Radius) -> None:
        """Set the radius of the sets of all layers around the environment: a number, or a dict by channel."""
        set_radius(self.env, radius)

    def close(self) -> None:
        """Nothing is held open."""

    def _begin(self, over: Tensor) -> View:
        """Begin the episodes of the games that are over; where all are, at once."""
        if bool(over.all()):
            return self._view(self.env.reset())
        for index in over.nonzero()[:, 0].tolist():
            self.env.reset_at(index, return_observations=False)
        (observations,) = self.env.get_from_scenario(
            get_observations=True, get_rewards=False, get_infos=False, get_dones=False
        )
        return self._view(observations)

    def _rewards(self, rewards: Any) -> Tensor:
        listed = [rewards[agent] for agent in self.agents] if isinstance(rewards, dict) else list(rewards)
        for agent, reward in zip(self.agents, listed, strict=True):
            if tuple(reward.shape) != (self.num_envs,):
                raise ValueError(f"agent {agent!r} must get rewards {(self.num_envs,)}, got {tuple(reward.shape)}")
        return torch.stack(listed, 1)

    def _view(self, observations: Any) -> View:
        listed = observations.values() if isinstance(observations, dict) else observations
        listed = [
            self._checked(agent, part, size) for agent, part, size in zip(self.agents, listed, self._sizes, strict=True)
        ]
        widest = max(self._sizes)
        padded = [
            part if size == widest else torch.nn.functional.pad(part, (0, widest - size))
            for part, size in zip(listed, self._sizes, strict=True)
        ]
        return View(torch.stack(padded, 1).to(torch.float32), self._present, None)

    def _checked(self, agent: str, seen: Any, size: int) -> Tensor:
        if not isinstance(seen, torch.Tensor) or seen.shape != (self.num_envs, size):
            shape = tuple(seen.shape) if isinstance(seen, torch.Tensor) else type(seen).__name__
            raise ValueError(f"agent {agent!r} must observe a tensor {(self.num_envs, size)}, got {shape}")
        return seen

    def _own_randomness(self) -> _Randomness:
        return _Randomness(self.env.vmas_random_state, self._random)


class _Randomness:
    """Lend VMAS, which keeps one random state for all environments of a process, this environment's own."""

    def __init__(self, shared: list[Any], own: list[Any]) -> None:
        self._shared, self._own = shared, own

    def __enter__(self) -> None:
        self._before, self._shared[:] = list(self._shared), self._own

    def __exit__(self, *_: object) -> None:
        self._own[:], self._shared[:] = list(self._shared), self._before


def _by_agent(space: Any, agents: Sequence[str]) -> list[Any]:
    parts = space.spaces
    return [parts[agent] for agent in agents] if hasattr(parts, "keys") else list(parts)
