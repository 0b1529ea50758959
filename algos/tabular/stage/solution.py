"""What a stage-game solver answers, and what it raises when it finds nothing of the asked kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Budget", "Floats", "NoEquilibrium", "StageSolution"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Budget:
    """Say how good answers must be and how much work they may take; `solve` explains each number."""

    tolerance: float
    supports: int
    steps: int
    fast: bool | None

    def pivots(self, table: Floats) -> int:
        """Return how many pivots games with `table` (..., m, n) get in floats: beyond that rounding has them go round.

        What is left is solved in whole numbers, with all steps.
        """
        return min(self.steps, 25 * sum(table.shape[-2:]))


@dataclass(frozen=True)
class StageSolution:
    """Hold one answer per game of a batch, with its certificate.

    Attributes:
        policies: one array (B, A_i) per player; for correlated kinds the marginals of `joint`.
        values: (B, N), expected payoffs under the answer; for `security` the payoffs the players can guarantee.
        gap: (B, N), >= 0: how much each player would gain by the best unilateral deviation, in units of its payoffs.
            0 is an exact equilibrium. For a correlated equilibrium a deviation answers every advice on its own, for a
            coarse one it is a single action; for `security` the gap is what a player might guarantee beyond its value.
        kind: "nash", "zero_sum", "correlated", "coarse_correlated" or "security".
        method: (B,), how each game was solved: "simplex", "lemke_howson", "exact" (Lemke-Howson in whole numbers, where
            rounding errors hide which actions tie), "enumeration", "pure", "best_action", "logit" or "lp".
        selected: (B,) bool, whether the answer is the one that was asked for. Always true in what `solve` returns; in
            `NoEquilibrium.found` a game may have an equilibrium, but none of the asked selection.
        joint: (B, A1..An), the distribution over joint actions of a correlated kind, else None.
    """

    policies: tuple[Floats, ...]
    values: Floats
    gap: Floats
    kind: str
    method: NDArray[np.str_]
    selected: NDArray[np.bool_]
    joint: Floats | None = None


class NoEquilibrium(RuntimeError):  # noqa: N818 - the word of the interface; it is an outcome, caught by solvers above
    """Say that games of a batch have no answer of the asked kind within the budget.

    Attributes:
        found: the best that was found, for every game of the batch, with its gap.
        games: (K,) int, which games have no answer.
        gap: (K,), the largest gap over the players of each of those games.
    """

    def __init__(self, message: str, found: StageSolution, games: NDArray[np.intp]) -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.games = games
        self.gap = found.gap[games].max(axis=1)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.found, self.games)
