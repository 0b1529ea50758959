"""Plain loops of pivots, one game after the other, written to be compiled by numba; uncompiled they do the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.tabular.stage.jitable import register_jitable

__all__ = ["follow_paths", "solve_programs"]

SMALL = 1e-11  # as in `simplex`


def follow_paths(payoffs: Any, max_steps: int, x: Any, y: Any) -> None:
    """Do Lemke-Howson for each game, scaled as by `strategic`, see `howson`; the policies are written to x and y."""
    batch, _, m, n = payoffs.shape
    width = m + n + 1
    first, second = np.empty((n, width)), np.empty((m, width))
    first_basis, second_basis = np.empty(n, np.int64), np.empty(m, np.int64)
    top_x, top_y = np.empty(n), np.empty(m)  # what the best replies to each action get
    for game in range(batch):
        size_x, size_y = _tops(payoffs[game], top_x, top_y)
        for j in range(n):
            for c in range(width):
                first[j, c] = 0.0
            for i in range(m):
                first[j, i] = (payoffs[game, 1, i, j] - top_y[i]) / size_y + 2.0
            first[j, m + j] = 1.0
            first[j, width - 1] = 1.0
            first_basis[j] = m + j
        for i in range(m):
            for c in range(width):
                second[i, c] = 0.0
            for j in range(n):
                second[i, j] = (payoffs[game, 0, i, j] - top_x[j]) / size_x + 2.0
            second[i, n + i] = 1.0
            second[i, width - 1] = 1.0
            second_basis[i] = i
        entering = 0
        for step in range(max_steps):
            if step % 2 == 0:
                entering = _enter(first, first_basis, entering, entering, m)
            else:
                column = entering - m if entering >= m else n + entering
                entering = _enter(second, second_basis, column, entering, n)
            if entering == 0:
                break
        _read(first, first_basis, 0, x[game])
        _read(second, second_basis, m, y[game])


@register_jitable
def _tops(game: Any, top_x: Any, top_y: Any) -> Any:
    """Write what best replies get and return how much worse the worst replies are, see `payoffs.strategic`."""
    _, m, n = game.shape
    size_x, size_y = 0.0, 0.0
    for j in range(n):
        top_x[j] = game[0, 0, j]
        for i in range(1, m):
            top_x[j] = max(top_x[j], game[0, i, j])
        for i in range(m):
            size_x = max(size_x, top_x[j] - game[0, i, j])
    for i in range(m):
        top_y[i] = game[1, i, 0]
        for j in range(1, n):
            top_y[i] = max(top_y[i], game[1, i, j])
        for j in range(n):
            size_y = max(size_y, top_y[i] - game[1, i, j])
    return size_x if size_x > 0.0 else 1.0, size_y if size_y > 0.0 else 1.0


@register_jitable
def _enter(table: Any, basis: Any, column: int, label: int, slack: int) -> int:
    """Bring a label into the basis and return the one that leaves, by the lexicographic least ratio."""
    rows, width = table.shape
    row = 0
    best = np.inf
    ties = 0
    for i in range(rows):
        if table[i, column] > SMALL:
            best = min(best, table[i, width - 1] / table[i, column])
    for i in range(rows):
        if table[i, column] > SMALL and table[i, width - 1] / table[i, column] <= best + SMALL:
            if ties == 0:
                row = i
            ties += 1
    if ties > 1:
        row = _untie(table, column, slack, best)
    leaving = basis[row]
    basis[row] = label
    divisor = table[row, column]
    for c in range(width):
        table[row, c] /= divisor
    for i in range(rows):
        factor = table[i, column]
        if i != row and factor != 0.0:
            for c in range(width):
                table[i, c] -= factor * table[row, c]
            table[i, column] = 0.0
    table[row, column] = 1.0
    return int(leaving)


@register_jitable
def _untie(table: Any, column: int, slack: int, best: float) -> int:
    rows, width = table.shape
    kept = np.zeros(rows, np.bool_)
    for i in range(rows):
        kept[i] = table[i, column] > SMALL and table[i, width - 1] / table[i, column] <= best + SMALL
    for place in range(slack, slack + rows):
        least = np.inf
        for i in range(rows):
            if kept[i]:
                least = min(least, table[i, place] / table[i, column])
        count = 0
        for i in range(rows):
            if kept[i]:
                kept[i] = table[i, place] / table[i, column] <= least + SMALL
                count += kept[i]
        if count == 1:
            break
    row = 0
    while not kept[row]:
        row += 1
    return row


@register_jitable
def _read(table: Any, basis: Any, start: int, policy: Any) -> None:
    size, width, total = len(policy), table.shape[1], 0.0
    for i in range(size):
        policy[i] = 0.0
    for i in range(len(basis)):
        if start <= basis[i] < start + size:
            policy[basis[i] - start] = max(table[i, width - 1], 0.0)
            total += policy[basis[i] - start]
    if total > 0.0:
        for i in range(size):
            policy[i] /= total


def solve_programs(gains: Any, max_steps: int, x: Any, y: Any) -> None:
    """Solve one zero-sum game after the other, see `simplex.zero_sum`; the policies are written to x and y."""
    batch, m, n = gains.shape
    width = n + m + 1
    table, cost, basis = np.empty((m, width)), np.empty(width), np.empty(m, np.int64)
    for game in range(batch):
        low, high = gains[game].min(), gains[game].max()
        size = high - low if high > low else 1.0
        for i in range(m):
            for c in range(width):
                table[i, c] = 0.0
            for j in range(n):
                table[i, j] = (gains[game, i, j] - low) / size + 1.0
            table[i, n + i] = 1.0
            table[i, width - 1] = 1.0
            basis[i] = n + i
        for c in range(width):
            cost[c] = -1.0 if c < n else 0.0
        for _ in range(max_steps):
            column = 0
            for c in range(1, width - 1):
                if cost[c] < cost[column]:
                    column = c
            if cost[column] >= -SMALL:
                break
            _enter(table, basis, column, column, n)
            row = 0
            while basis[row] != column:
                row += 1
            factor = cost[column]
            for c in range(width):
                cost[c] -= factor * table[row, c]
            cost[column] = 0.0
        _read(table, basis, 0, y[game])
        total = 0.0
        for i in range(m):
            x[game, i] = max(cost[n + i], 0.0)
            total += x[game, i]
        for i in range(m):
            x[game, i] /= total if total > 0.0 else 1.0
