"""The tasks on VMAS: thousands of games at once to train in, one at a time to be tested in."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from pettingzoo import ParallelEnv

from robust_envs import Linf, Noise, robust
from robust_envs.shells.batched import gymnasium_space

if TYPE_CHECKING:
    from algos.deep.vmas_games import VmasGames

__all__ = ["OneVmasGame", "make_games"]

HORIZON = 25


def make_vmas(scenario: str, *, games: int, continuous: bool, device: str = "cpu", horizon: int = HORIZON) -> Any:
    """Build a VMAS environment of `games` games that end after `horizon` steps.

    Raises:
        ValueError: VMAS is not installed.
    """
    try:
        vmas = importlib.import_module("vmas")
    except ModuleNotFoundError as error:
        raise ValueError('backend vmas needs VMAS; install it with pip install "robust-envs[vmas]"') from error
    return vmas.make_env(
        scenario,
        num_envs=games,
        device=device,
        continuous_actions=continuous,
        max_steps=horizon,
        terminated_truncated=True,
        seed=0,
    )


def make_games(scenario: str, *, games: int, continuous: bool, level: float, device: str) -> VmasGames:
    """Build the games to train in: rewards noisy at this level, nothing else."""
    from algos.deep.vmas_games import VmasGames

    env = make_vmas(scenario, games=games, continuous=continuous, device=device)
    return VmasGames(robust(env, reward=Linf(2.0 * level), nature=Noise()) if level > 0 else env)


class OneVmasGame(ParallelEnv[str, Any, Any]):
    """Show one game of a VMAS scenario as a PettingZoo ParallelEnv, with the spaces that `VmasGames` has.

    Args:
        scenario: of VMAS.
        continuous: continuous instead of discrete actions.
        horizon: steps of an episode.

    Example:
        >>> env = OneVmasGame("simple_spread")
        >>> observations, _ = env.reset(seed=0)
        >>> observations["agent_0"].shape
        (14,)
    """

    render_mode = None

    def __init__(self, scenario: str, *, continuous: bool = False, horizon: int = HORIZON) -> None:
        self.metadata = {"name": f"vmas_{scenario}", "render_modes": []}
        self._env = make_vmas(scenario, games=1, continuous=continuous, horizon=horizon)
        self.possible_agents = [agent.name for agent in self._env.agents]
        self.agents: list[str] = []
        self._observations, self._actions = (
            {name: gymnasium_space(part) for name, part in zip(self.possible_agents, space.spaces, strict=True)}
            for space in (self._env.observation_space, self._env.action_space)
        )
        self._continuous = continuous

    def observation_space(self, agent: str) -> Any:
        """Space of an agent's observations."""
        return self._observations[agent]

    def action_space(self, agent: str) -> Any:
        """Space of an agent's actions."""
        return self._actions[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        self.agents = list(self.possible_agents)
        return self._numpy(self._env.reset(seed=seed)), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one step; an empty step once nobody is left."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        played = [np.asarray(actions[agent], np.float32).reshape(1, -1) for agent in self.agents]
        observations, rewards, terminated, truncated, _ = self._env.step(played)
        agents = self.agents
        over = bool(terminated[0]) or bool(truncated[0])
        outcome: Any = (
            self._numpy(observations),
            {agent: float(reward[0]) for agent, reward in zip(agents, rewards, strict=True)},
            dict.fromkeys(agents, bool(terminated[0])),
            dict.fromkeys(agents, bool(truncated[0])),
            {agent: {} for agent in agents},
        )
        if over:
            self.agents = []
        return outcome  # type: ignore[no-any-return]

    def close(self) -> None:
        """Nothing is held open."""

    def _numpy(self, observations: Any) -> dict[str, Any]:
        pairs = zip(self.possible_agents, observations, strict=True)
        return {agent: part[0].detach().cpu().numpy() for agent, part in pairs}
