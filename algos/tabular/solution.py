"""What solving a robust Markov game gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Solution", "Status"]

Array = Any
Status = Literal["converged", "cycled", "budget"]


@dataclass(frozen=True, eq=False)
class Solution:
    """Hold policies of a robust Markov game with what they are worth and how far they are from an equilibrium.

    Attributes:
        values: (N, S), what play is worth to each player from each state on when nature answers worst.
        policies: for each player (S, A_i), rows that are distributions; the marginals of `joint` where there is one.
        exploitability: (N,), the most each player could gain at any state by leaving its policy, nature answering worst
            against the deviator; 0 is an equilibrium. See `robust_exploitability`.
        iterations: sweeps, or rounds of policy iteration.
        status: "converged"; "cycled" where the stage equilibria came around again; "budget" where the iterations ran
            out first. The exploitability holds whatever the status.
        change: by how much the values moved in the last iteration.
        joint: (S, A_1, ..., A_N) for correlated solutions, else None.
    """

    values: Array
    policies: tuple[Array, ...]
    exploitability: Array
    iterations: int
    status: Status
    change: float
    joint: Array | None = None

    def __repr__(self) -> str:
        worst = float(self.exploitability.max())
        return f"Solution(status={self.status!r}, iterations={self.iterations}, exploitability<={worst:.2g})"
