"""The record of one played episode, which properties judge."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["Episode", "flat"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Episode:
    """Hold what happened in one episode: the truth (before nature) by agent, what agents did and what they earned.

    Args:
        seed: Of the reset.
        observations: Nominal observations by agent, one more than steps.
        actions: What each agent wanted to do.
        rewards: Rewards as agents got them, perturbed where the reward channel is.
        nominal_rewards: Rewards before nature touched them.
        length: Number of steps (AEC: of turns in which somebody acted).
        terminated: Whether anybody's episode ended by itself rather than by a time limit.

    Example:
        >>> episode = Episode(seed=0, observations={"agent_0": [1.0, 2.0]}, actions={"agent_0": [0]},
        ...                   rewards={"agent_0": [3.0]}, nominal_rewards={"agent_0": [3.0]}, length=1, terminated=True)
        >>> episode.returns, episode.total
        ({'agent_0': 3.0}, 3.0)
    """

    seed: int
    observations: dict[str, list[Any]]
    actions: dict[str, list[Any]]
    rewards: dict[str, list[float]]
    nominal_rewards: dict[str, list[float]]
    length: int
    terminated: bool

    @property
    def agents(self) -> tuple[str, ...]:
        """Ids of all that took part."""
        return tuple(self.observations)

    @cached_property
    def returns(self) -> dict[str, float]:
        """Sum of the rewards each agent got."""
        return {agent: float(sum(rewards)) for agent, rewards in self.rewards.items()}

    @cached_property
    def nominal_returns(self) -> dict[str, float]:
        """Sum of each agent's rewards before nature touched them."""
        return {agent: float(sum(rewards)) for agent, rewards in self.nominal_rewards.items()}

    @property
    def total(self) -> float:
        """Sum of all agents' returns."""
        return sum(self.returns.values())

    def states(self, agent: str | None = None) -> Array:
        """Return the nominal observations of one agent as numbers, shape (T + 1, dim).

        Args:
            agent: Its id; the first agent by default.

        Raises:
            ValueError: If nobody is called so.
        """
        name = self.agents[0] if agent is None else agent
        if name not in self.observations:
            raise ValueError(f"agent must be one of {self.agents}, got agent={agent!r}")
        return np.array([flat(observation) for observation in self.observations[name]], np.float64)

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of observations, actions and rewards, bit for bit."""
        digest = hashlib.sha256()
        for part in (self.observations, self.actions, self.rewards):
            for agent, values in part.items():
                digest.update(f"{agent}:{len(values)};".encode())
                for value in values:
                    _feed(digest, value)
        return digest.hexdigest()


def flat(value: Any) -> Array:
    """Return the numbers of an observation, without its action mask, shape (dim,)."""
    if isinstance(value, dict):
        value = value["observation"] if "observation" in value else list(value.values())
    if isinstance(value, list | tuple):
        return np.concatenate([flat(part) for part in value])
    return np.asarray(value, np.float64).reshape(-1)


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for part in value:
            _feed(digest, part)
    else:
        array = np.asarray(value)
        digest.update(array.dtype.str.encode() + array.tobytes())
