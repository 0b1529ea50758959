"""Lemke-Howson in exact arithmetic, for the games whose near ties rounding errors cannot tell apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.payoffs import strategic
from algos.tabular.stage.solution import Floats

__all__ = ["exact_lemke_howson", "mend"]

UNIT = 1 << 52  # payoffs in [-1, 0] as whole numbers
Table = list[list[int]]


def mend(
    payoffs: Floats, policies: tuple[Floats, Floats], games: NDArray[np.intp], *, max_steps: int
) -> NDArray[np.intp]:
    """Solve some games exactly, write their policies in place, and return those games that were solved.

    Args:
        payoffs: (B, 2, m, n), of all games, in any units.
        policies: (B, m) and (B, n).
        games: which games to solve.
        max_steps: pivots per game; one that needs more keeps its policies.
    """
    solved = []
    for game, scaled in zip(games, strategic(payoffs[games]), strict=True):
        found = exact_lemke_howson(scaled, max_steps)
        if found is not None:
            policies[0][game], policies[1][game] = found
            solved.append(game)
    return np.array(solved, dtype=np.intp)


def exact_lemke_howson(payoffs: Floats, max_steps: int) -> tuple[Floats, Floats] | None:
    """Follow the path of `lemke_howson` for one game (2, m, n) with whole numbers; None beyond `max_steps` pivots.

    A tableau of whole numbers stays one when each entry of a pivot is divided by the pivot before it, without
    remainder (J. Edmonds). Two entries are compared by cross multiplication. Only the answer is rounded.

    References:
        D. Avis, G. Rosenberg, R. Savani, B. von Stengel, 2010, Enumeration of Nash equilibria for two-player games,
        section 4 on integer pivoting.
    """
    _, m, n = payoffs.shape
    tables = [_table(payoffs[1].T), _table(payoffs[0])]
    bases = [list(range(m, m + n)), list(range(m))]
    columns = [list(range(m + n)), [*range(n, n + m), *range(n)]]
    slacks = [range(m, m + n), range(n, n + m)]
    last, entering = [1, 1], 0
    for step in range(max_steps):
        side = step % 2
        column = columns[side][entering]
        row = _leaving(tables[side], column, slacks[side])
        last[side] = _pivot(tables[side], row, column, last[side])
        bases[side][row], entering = entering, bases[side][row]
        if entering == 0:
            return _weights(tables[0], bases[0], 0, m), _weights(tables[1], bases[1], m, n)
    return None


def _table(payoff: Floats) -> Table:
    rows = [[int(value) for value in row] for row in np.rint((payoff + 2.0) * UNIT)]
    return [[*row, *(int(i == j) for j in range(len(rows))), 1] for i, row in enumerate(rows)]


def _leaving(table: Table, column: int, slack: range) -> int:
    """Return the row of the lexicographic least ratio."""
    rows = [row for row in range(len(table)) if table[row][column] > 0]
    for place in (-1, *slack):
        least = rows[0]
        for row in rows[1:]:
            if table[row][place] * table[least][column] < table[least][place] * table[row][column]:
                least = row
        bound = table[least]
        rows = [row for row in rows if table[row][place] * bound[column] == bound[place] * table[row][column]]
        if len(rows) == 1:
            break
    return rows[0]


def _pivot(table: Table, row: int, column: int, last: int) -> int:
    line = table[row]
    by = line[column]
    for other, entries in enumerate(table):
        if other != row:
            factor = entries[column]
            table[other] = [(entry * by - factor * own) // last for entry, own in zip(entries, line, strict=True)]
    return by


def _weights(table: Table, basis: list[int], start: int, size: int) -> Floats:
    weights = [0] * size
    for label, row in zip(basis, table, strict=True):
        if start <= label < start + size:
            weights[label - start] = row[-1]
    total = sum(weights)
    return np.array([weight / total for weight in weights])  # true division of whole numbers of any size
