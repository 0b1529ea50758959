"""Epsilon-greedy play: the best legal action, or with probability epsilon any legal one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from algos.deep.games import Flags, Floats, Team


class EpsilonHead:
    """Act in one game: values of all actions (N, A) to one-hot actions (N, A).

    Args:
        epsilon: returns the chance of a random action.
    """

    def __init__(self, epsilon: Callable[[], float]) -> None:
        self._epsilon = epsilon

    def greedy(self, outputs: Floats, legal: Flags) -> Floats:
        """Return the best legal actions; of equal ones the first."""
        return _one_hot(outputs, legal)

    def sample(self, outputs: Floats, legal: Flags, rng: np.random.Generator) -> Floats:
        """Return the best legal actions, or with chance epsilon, agent by agent, random ones."""
        explores = rng.random(len(outputs)) < self._epsilon()
        return np.where(explores[:, None], self.uniform(outputs, legal, rng), _one_hot(outputs, legal))

    def uniform(self, outputs: Floats, legal: Flags, rng: np.random.Generator) -> Floats:
        """Return legal actions, each as likely."""
        return _one_hot(rng.random(outputs.shape, np.float32), legal)


def _one_hot(values: Floats, legal: Flags) -> Floats:
    actions = np.zeros(values.shape, np.float32)
    actions[np.arange(len(values)), np.where(legal, values, -np.inf).argmax(axis=1)] = 1.0
    return actions


class EpsilonGamesHead:
    """Act in many games: values of all actions (N, B, A) to one-hot actions (N, B, A).

    Args:
        team: whose actions.
        device: of the values.
        runs: R, how often the team stands in the stack.
        epsilon: returns the chance of a random action.
    """

    def __init__(self, team: Team, device: torch.device, *, runs: int, epsilon: Callable[[], float]) -> None:
        self._real = torch.from_numpy(team.real_actions).to(device).repeat(runs, 1)[:, None]
        self._epsilon = epsilon

    def sample(self, outputs: Tensor, legal: Tensor | None, generators: Sequence[torch.Generator]) -> Tensor:
        """Return the best legal actions, or with chance epsilon, agent by agent, random ones."""
        explores = _drawn(outputs[..., :1], generators) < self._epsilon()
        return torch.where(explores, self.uniform(outputs, legal, generators), self._one_hot(outputs, legal))

    def uniform(self, outputs: Tensor, legal: Tensor | None, generators: Sequence[torch.Generator]) -> Tensor:
        """Return legal actions, each as likely."""
        return self._one_hot(_drawn(outputs, generators), legal)

    def _one_hot(self, values: Tensor, legal: Tensor | None) -> Tensor:
        best = torch.where(self._real if legal is None else legal, values, -torch.inf).argmax(-1, keepdim=True)
        return torch.zeros_like(values).scatter_(-1, best, 1.0)


def _drawn(like: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw numbers in [0, 1) in the shape of `like`, each run's part from its own generator."""
    numbers = torch.empty(like.shape, device=like.device)
    for share, generator in zip(numbers.chunk(len(generators)), generators, strict=True):
        share.uniform_(generator=generator)
    return numbers
