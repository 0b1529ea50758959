"""Lemke-Howson for two-player games: every game of the batch takes one pivot at a time, together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.simplex import leaving_rows, pivot
from algos.tabular.stage.solution import Floats

__all__ = ["lemke_howson"]


def lemke_howson(payoffs: Floats, *, max_steps: int) -> tuple[Floats, Floats]:
    """Follow the path that starts by dropping the first action of the first player, to one equilibrium of each game.

    Strategies are the vertices of two polytopes; a pivot in one picks up a label which the pivot in the other drops,
    until the first label is back. Ties of the ratio test are broken lexicographically, so that the path of a
    degenerate game ends too.

    Args:
        payoffs: (B, 2, m, n), in [-1, 0] (`strategic`).
        max_steps: pivots per game; a game that needs more returns where its path stands.

    Returns:
        The policies (B, m) and (B, n).

    References:
        C. Lemke, J. Howson, 1964, Equilibrium points of bimatrix games; B. von Stengel, 2002, Computing equilibria for
        two-person games.
    """
    batch, _, m, n = payoffs.shape
    policies = np.zeros((batch, m)), np.zeros((batch, n))
    # Labels 0..m-1 are the actions of the first player, the rest those of the second. In the first pair the first
    # player's weights move and the second one's slacks answer; in the second pair it is the other way round.
    tables = [_tableau(payoffs[:, 1].swapaxes(1, 2)), _tableau(payoffs[:, 0])]
    bases = [np.tile(np.arange(m, m + n), (batch, 1)), np.tile(np.arange(m), (batch, 1))]
    columns = [np.arange(m + n), np.concatenate([n + np.arange(m), np.arange(n)])]  # where each label has its column
    slacks = [slice(m, m + n), slice(n, n + m)]
    games, entering = np.arange(batch), np.zeros(batch, np.intp)
    for step in range(max_steps):
        side = step % 2
        column = columns[side][entering]
        row = leaving_rows(tables[side], column, slacks[side])
        pivot(tables[side], row, column)
        everyone = np.arange(len(games))
        leaving = bases[side][everyone, row]
        bases[side][everyone, row] = entering
        entering = leaving
        done = leaving == 0
        if done.any():
            _read(tables, bases, games, done, policies)
            tables, bases = [table[~done] for table in tables], [basis[~done] for basis in bases]
            games, entering = games[~done], entering[~done]
        if not len(games):
            return policies
    _read(tables, bases, games, np.ones(len(games), bool), policies)
    return policies


def _tableau(payoff: Floats) -> Floats:
    """Return [payoffs + 2 | slacks | 1]: one row for each action of the player who answers."""
    batch, rows, columns = payoff.shape
    table = np.zeros((batch, rows, columns + rows + 1))
    table[:, :, :columns] = payoff + 2.0
    table[:, np.arange(rows), columns + np.arange(rows)] = 1.0
    table[:, :, -1] = 1.0
    return table


def _read(
    tables: list[Floats],
    bases: list[NDArray[np.intp]],
    games: NDArray[np.intp],
    done: NDArray[np.bool_],
    policies: tuple[Floats, Floats],
) -> None:
    m, n = policies[0].shape[1], policies[1].shape[1]
    for table, basis, policy, labels in zip(tables, bases, policies, (slice(0, m), slice(m, m + n)), strict=True):
        weights = np.zeros((int(done.sum()), m + n))
        np.put_along_axis(weights, basis[done], table[done, :, -1], axis=1)
        own = np.maximum(weights[:, labels], 0.0)
        total = own.sum(axis=1, keepdims=True)
        policy[games[done]] = own / np.where(total > 0, total, 1.0)
