"""What it takes to act: outputs of the acting networks in, actions out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from torch import Tensor

    from algos.deep.games import Flags, Floats


class GameHead(Protocol):
    """Act in one game: outputs (N, A) and legal actions (N, A) to actions (N, A) in the networks' form."""

    def greedy(self, outputs: Floats, legal: Flags) -> Floats:
        """Return the actions without exploration."""
        ...

    def sample(self, outputs: Floats, legal: Flags, rng: np.random.Generator) -> Floats:
        """Return actions as they are explored with in training."""
        ...

    def uniform(self, outputs: Floats, legal: Flags, rng: np.random.Generator) -> Floats:
        """Return random actions, for the steps before learning starts."""
        ...


class GamesHead(Protocol):
    """Act in many games: outputs (N, B, A) and legal actions, None where all are, to actions (N, B, A)."""

    def sample(self, outputs: Tensor, legal: Tensor | None, generators: Sequence[torch.Generator]) -> Tensor:
        """Return actions as they are explored with in training, each run's from its own generator."""
        ...

    def uniform(self, outputs: Tensor, legal: Tensor | None, generators: Sequence[torch.Generator]) -> Tensor:
        """Return random actions, for the steps before learning starts."""
        ...
