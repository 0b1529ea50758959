"""A plain loop that lists equilibria, one game after the other, written to be compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.tabular.stage.jitable import register_jitable

__all__ = ["list_equilibria"]


def list_equilibria(payoffs: Any, tie: float) -> Any:
    """List all extreme equilibria of each game, see `supports.extreme_equilibria`: games, x and y."""
    batch, _, m, n = payoffs.shape
    bits_m, bits_n, count = _pairs(m, n)
    mine, sizes = _members(bits_m, m)
    theirs, _ = _members(bits_n, n)
    points_x, points_y = np.empty((count, m)), np.empty((count, n))
    bits_x, bits_y = np.empty((count, 2), np.int64), np.empty((count, 2), np.int64)
    room = 4 * batch + 64
    game, x, y = np.empty(room, np.int64), np.empty((room, m)), np.empty((room, n))
    minors, worth = np.empty(1 << min(m, n)), np.empty(max(m, n))
    second, first, single = np.empty((m, n)), np.empty((n, m)), np.empty(max(m, n), np.int64)
    found = 0
    for b in range(batch):
        for i in range(m):
            for j in range(n):
                second[i, j] = payoffs[b, 1, i, j]
                first[j, i] = payoffs[b, 0, i, j]
        count_x = _vertices(second, mine, theirs, sizes, bits_n, tie, points_x, bits_x, minors, worth, single)
        count_y = _vertices(first, theirs, mine, sizes, bits_m, tie, points_y, bits_y, minors, worth, single)
        for p in range(count_x):
            for q in range(count_y):
                if bits_x[p, 0] & ~bits_y[q, 1] or bits_y[q, 0] & ~bits_x[p, 1]:
                    continue
                if found == room:
                    room *= 2
                    more, more_x, more_y = np.empty(room, np.int64), np.empty((room, m)), np.empty((room, n))
                    more[:found], more_x[:found], more_y[:found] = game, x, y
                    game, x, y = more, more_x, more_y
                game[found] = b
                for i in range(m):
                    x[found, i] = points_x[p, i]
                for j in range(n):
                    y[found, j] = points_y[q, j]
                found += 1
    return game[:found].copy(), x[:found].copy(), y[:found].copy()


@register_jitable
def _pairs(m: int, n: int) -> Any:
    """Return all pairs of supports of equal size as bits, small before large, then lexicographic."""
    mine, theirs = _supports(m), _supports(n)
    count = 0
    for left in mine:
        for right in theirs:
            count += _ones(left) == _ones(right)
    first, second = np.empty(count, np.int64), np.empty(count, np.int64)
    at = 0
    for left in mine:
        for right in theirs:
            if _ones(left) == _ones(right):
                first[at], second[at] = left, right
                at += 1
    return first, second, count


@register_jitable
def _supports(size: int) -> Any:
    result = np.empty((1 << size) - 1, np.int64)
    at = 0
    for wanted in range(1, size + 1):
        # Lexicographic in the members is descending in the bits read from the first action on.
        for mirrored in range((1 << size) - 1, 0, -1):
            if _ones(mirrored) == wanted:
                bits = 0
                for place in range(size):
                    if mirrored >> (size - 1 - place) & 1:
                        bits |= 1 << place
                result[at] = bits
                at += 1
    return result


@register_jitable
def _ones(bits: int) -> int:
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


@register_jitable
def _members(bits: Any, width: int) -> Any:
    """Return the actions of each support, one row each, and how many there are."""
    members, sizes = np.zeros((len(bits), width), np.int64), np.zeros(len(bits), np.int64)
    for at in range(len(bits)):
        for place in range(64):
            if bits[at] >> place & 1:
                members[at, sizes[at]] = place
                sizes[at] += 1
    return members, sizes


@register_jitable
def _vertices(
    payoff: Any,
    mine: Any,
    theirs: Any,
    sizes: Any,
    asked: Any,
    tie: float,
    points: Any,
    bits: Any,
    minors: Any,
    worth: Any,
    single: Any,
) -> int:
    """Write down the vertices of one player, each once: its weights, and as bits its support and the best replies.

    `mine` and `theirs` are the actions of the supports, `asked` the opponent's ones as bits.
    """
    own, other = payoff.shape
    count, started, done = 0, 0, 0
    for at in range(len(sizes)):
        alone = sizes[at] == 1
        if alone:
            action = mine[at, 0]
            if started >> action & 1:  # one action: it answers alike whatever the other's action
                if not done >> action & 1 and asked[at] & single[action]:
                    for i in range(own):
                        points[count, i] = 0.0
                    points[count, action] = 1.0
                    bits[count, 0], bits[count, 1] = 1 << action, single[action]
                    done |= 1 << action
                    count += 1
                continue
        if not _indifferent(payoff, mine, theirs, at, sizes[at], tie, points, count, minors):
            continue
        top = -np.inf
        for j in range(other):
            value = 0.0
            for i in range(own):
                value += points[count, i] * payoff[i, j]
            worth[j] = value
            top = max(top, value)
        replies = 0
        for j in range(other):
            if worth[j] >= top - tie:
                replies |= 1 << j
        if alone:
            started |= 1 << mine[at, 0]
            single[mine[at, 0]] = replies
        if asked[at] & ~replies:
            continue
        support = 0
        for i in range(own):
            if points[count, i] > tie:
                support |= 1 << i
        known = False
        for before in range(count):
            known |= bits[before, 0] == support and bits[before, 1] == replies
        if not known:
            bits[count, 0], bits[count, 1] = support, replies
            count += 1
            if alone:
                done |= support
    return count


@register_jitable
def _indifferent(
    payoff: Any, mine: Any, theirs: Any, at: int, size: int, tie: float, points: Any, row: int, minors: Any
) -> bool:
    """Write the weights under which the other's actions are worth the same, see `supports`; False if there are none."""
    if size == 2:
        first, second, low, high = mine[at, 0], mine[at, 1], theirs[at, 0], theirs[at, 1]
        left = payoff[second, high] - payoff[second, low]
        right = payoff[first, low] - payoff[first, high]
        total = left + right
        if total == 0.0 or not left / total >= -tie or not right / total >= -tie:
            return False
        for i in range(len(payoff)):
            points[row, i] = 0.0
        points[row, first], points[row, second] = max(left / total, 0.0), max(right / total, 0.0)
        return True
    for i in range(len(payoff)):
        points[row, i] = 0.0
    if size == 1:
        points[row, mine[at, 0]] = 1.0
        return True
    _minors(payoff, mine, theirs, at, size, minors)
    full = (1 << size) - 1
    total, sign = 0.0, 1.0
    for place in range(size):
        total += sign * minors[full & ~(1 << place)]
        sign = -sign
    if total == 0.0:
        return False
    sign = 1.0
    for place in range(size):
        weight = sign * minors[full & ~(1 << place)] / total
        if not weight >= -tie:
            return False
        points[row, mine[at, place]] = max(weight, 0.0)
        sign = -sign
    return True


@register_jitable
def _minors(payoff: Any, mine: Any, theirs: Any, at: int, size: int, minors: Any) -> None:
    """Write the minors of the differences between columns, growing subsets of rows, as bits, by one at a time."""
    minors[0] = 1.0
    start = theirs[at, 0]
    for row in range(size - 1):
        column = theirs[at, row + 1]
        for subset in range(1, 1 << size):
            if _ones(subset) != row + 1:
                continue
            minor, sign = 0.0, 1.0 if row % 2 == 0 else -1.0
            for place in range(size):
                if subset >> place & 1:
                    action = mine[at, place]
                    minor += sign * (payoff[action, column] - payoff[action, start]) * minors[subset & ~(1 << place)]
                    sign = -sign
            minors[subset] = minor
