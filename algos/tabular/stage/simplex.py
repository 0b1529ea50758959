"""Zero-sum games by the simplex method: every game of the batch takes one pivot at a time, together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.solution import Floats

__all__ = ["leaving_rows", "pivot", "zero_sum"]

SMALL = 1e-11  # entries of a tableau below this are rounding errors of zero


def zero_sum(gains: Floats, *, max_steps: int) -> tuple[Floats, Floats]:
    """Solve max_x min_y x'Gy by one linear program per game, min-max in the dual.

    With all entries of G positive, the minimiser y is w / sum(w) for the w >= 0 that maximises sum(w) under G w <= 1;
    the dual prices of that program are the maximiser x. Ties of the ratio test are broken lexicographically, so that
    degenerate games do not cycle.

    Args:
        gains: (B, m, n), the payoffs of the player that picks rows.
        max_steps: pivots per game; a game that needs more returns what its last basis says.

    Returns:
        The policies x, (B, m), and y, (B, n).
    """
    batch, m, n = gains.shape
    x, y = np.zeros((batch, m)), np.zeros((batch, n))
    tableau, basis, games = _start(gains), np.tile(np.arange(n, n + m), (batch, 1)), np.arange(batch)
    for _ in range(max_steps):
        reduced = tableau[:, m, : n + m]
        column = reduced.argmin(axis=1)
        done = reduced[np.arange(len(games)), column] >= -SMALL
        if done.any():
            _read(tableau[done], basis[done], games[done], x, y)
            tableau, basis, games, column = tableau[~done], basis[~done], games[~done], column[~done]
        if not len(games):
            return x, y
        row = leaving_rows(tableau[:, :m], column, slice(n, n + m))
        pivot(tableau, row, column)
        basis[np.arange(len(games)), row] = column
    _read(tableau, basis, games, x, y)
    return x, y


def leaving_rows(rows: Floats, column: NDArray[np.intp], slack: slice) -> NDArray[np.intp]:
    """Return the row each game's pivot leaves, by the lexicographic least ratio: right side first, then slacks."""
    batch = np.arange(len(rows))
    entry = rows[batch, :, column]
    usable = entry > SMALL
    divisor = np.where(usable, entry, 1.0)
    ratio = np.where(usable, rows[:, :, -1] / divisor, np.inf)
    kept = ratio <= ratio.min(axis=1, keepdims=True) + SMALL
    tied = kept.sum(axis=1) > 1
    for place in range(slack.start, slack.stop):
        if not tied.any():
            break
        ratio = np.where(kept, rows[:, :, place] / divisor, np.inf)
        kept &= ratio <= ratio.min(axis=1, keepdims=True) + SMALL
        tied = kept.sum(axis=1) > 1
    row: NDArray[np.intp] = kept.argmax(axis=1)
    return row


def pivot(tableau: Floats, row: NDArray[np.intp], column: NDArray[np.intp]) -> None:
    """Bring each game's column into its basis at its row, in place."""
    batch = np.arange(len(tableau))
    line = tableau[batch, row] / tableau[batch, row, column][:, None]
    factor = tableau[batch, :, column]
    tableau -= factor[:, :, None] * line[:, None, :]
    tableau[batch, row] = line
    tableau[batch, :, column] = 0.0
    tableau[batch, row, column] = 1.0


def _start(gains: Floats) -> Floats:
    batch, m, n = gains.shape
    low, high = gains.min(axis=(1, 2), keepdims=True), gains.max(axis=(1, 2), keepdims=True)
    tableau = np.zeros((batch, m + 1, n + m + 1))
    tableau[:, :m, :n] = (gains - low) / np.where(high > low, high - low, 1.0) + 1.0
    tableau[:, np.arange(m), n + np.arange(m)] = 1.0
    tableau[:, :m, -1] = 1.0
    tableau[:, m, :n] = -1.0
    return tableau


def _read(tableau: Floats, basis: NDArray[np.intp], games: NDArray[np.intp], x: Floats, y: Floats) -> None:
    m, n = x.shape[1], y.shape[1]
    weights = np.zeros((len(games), n + m))
    np.put_along_axis(weights, basis, tableau[:, :m, -1], axis=1)
    y[games] = _normalised(weights[:, :n])
    x[games] = _normalised(tableau[:, m, n : n + m])


def _normalised(weights: Floats) -> Floats:
    weights = np.maximum(weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0)
