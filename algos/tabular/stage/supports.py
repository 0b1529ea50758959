"""All extreme equilibria of two-player games, by solving for every pair of supports of equal size at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.solution import Floats

__all__ = ["Equilibria", "count_supports", "extreme_equilibria"]

TIE = 1e-10
CHUNK = 1 << 18  # numbers a pass works on at a time, so that what it makes stays in the cache


@dataclass(frozen=True)
class Equilibria:
    """List the equilibria of a batch of games one after the other, sorted by game.

    Attributes:
        game: (K,) int, the game each belongs to.
        policies: one (K, A_i) array per player.
    """

    game: NDArray[np.intp]
    policies: tuple[Floats, ...]


def count_supports(m: int, n: int) -> int:
    """Return how many pairs of supports of equal size an m x n game has."""
    return comb(m + n, m) - 1


def extreme_equilibria(payoffs: Floats, tie: float = TIE) -> Equilibria:
    """Return every extreme equilibrium of every game.

    A mixed strategy that cannot be written as a mixture of others with the same support and the same best replies is a
    vertex. A pair of vertices is an equilibrium where each one's support lies among the best replies to the other, and
    all equilibria are mixtures of such pairs. A vertex solves one linear system: the opponent is indifferent between
    as many actions as the strategy uses. In a game that is not degenerate both vertices come from the same pair of
    supports; in a degenerate game every pair of vertices is compared.

    Args:
        payoffs: (B, 2, m, n), in [-1, 0] (`strategic`).
        tie: what counts as nothing: replies worth this much less than the best are best too, weights this small are 0.

    Returns:
        The equilibria of each game in the order of their supports: small before large, then lexicographic.

    References:
        D. Avis, G. Rosenberg, R. Savani, B. von Stengel, 2010, Enumeration of Nash equilibria for two-player games.
    """
    m, n = payoffs.shape[2:]
    step = max(1, CHUNK // (count_supports(m, n) * (m + n)))
    parts = [_chunk(payoffs[at : at + step], at, tie) for at in range(0, len(payoffs), step)]
    if not parts:
        return Equilibria(np.zeros(0, np.intp), (np.zeros((0, m)), np.zeros((0, n))))
    games, x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Equilibria(games, (x, y))


def _chunk(payoffs: Floats, offset: int, tie: float) -> tuple[NDArray[np.intp], Floats, Floats]:
    plan = _plan(*payoffs.shape[2:])
    swapped = [(cols, rows) for rows, cols in plan]
    # The batch goes last: then every operation below runs over long rows.
    mine = _vertices(np.ascontiguousarray(payoffs[:, 1].transpose(1, 2, 0)), plan, tie)
    theirs = _vertices(np.ascontiguousarray(payoffs[:, 0].transpose(2, 1, 0)), swapped, tie)
    simple = ~(mine.degenerate | theirs.degenerate)
    p, game = np.nonzero(_fit(mine, theirs) & simple)
    q = p
    if not simple.all():
        odd = np.flatnonzero(~simple)
        left, right = mine.of(odd), theirs.of(odd)
        at, other, where = _match(left, right)
        p, q, game = (np.concatenate(pair) for pair in ((p, at), (q, other), (game, odd[where])))
    order = np.lexsort((q, p, game))
    p, q, game = p[order], q[order], game[order]
    return game + offset, mine.points[p, :, game], theirs.points[q, :, game]


@dataclass(frozen=True)
class _Vertices:
    points: Floats  # (S, A, B), one candidate for each pair of supports
    valid: NDArray[np.bool_]  # (S, B)
    support: NDArray[np.int64]  # (S, B), the actions used, one bit each
    replies: NDArray[np.int64]  # (S, B), the opponent's best replies, one bit each
    degenerate: NDArray[np.bool_]  # (B,), whether some vertex has more best replies than actions

    def of(self, games: NDArray[np.intp]) -> _Vertices:
        """Return the vertices of some games, each vertex once."""
        support, replies = self.support[:, games], self.replies[:, games]
        valid = self.valid[:, games].copy()
        for later in range(1, len(valid)):
            same = (support[:later] == support[later]) & (replies[:later] == replies[later]) & valid[:later]
            valid[later] &= ~same.any(axis=0)
        return _Vertices(self.points[..., games], valid, support, replies, self.degenerate[games])


@lru_cache(maxsize=64)
def _plan(m: int, n: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    plan = []
    for size in range(1, min(m, n) + 1):
        mine, theirs = list(combinations(range(m), size)), list(combinations(range(n), size))
        pairs = [(rows, cols) for rows in mine for cols in theirs]
        plan.append((np.array([rows for rows, _ in pairs]), np.array([cols for _, cols in pairs])))
    return plan


def _vertices(payoff: Floats, plan: list[tuple[NDArray[np.intp], NDArray[np.intp]]], tie: float) -> _Vertices:
    """Return the candidates for every pair of supports: `payoff` (A, A', B) is what the opponent gets."""
    own, other, batch = payoff.shape
    points = np.zeros((sum(len(rows) for rows, _ in plan), own, batch))
    at = 0
    with np.errstate(all="ignore"):  # a singular system gives nan, which is no vertex
        for rows, cols in plan:
            mix = _indifferent(payoff, rows, cols)
            points[np.arange(at, at + len(rows))[:, None], rows] = mix
            at += len(rows)
        valid = (points >= -tie).all(axis=1)
        np.maximum(points, 0.0, out=points)
        worth = points[:, 0, None] * payoff[0]
        for action in range(1, own):
            worth += points[:, action, None] * payoff[action]
        best = worth >= worth.max(axis=1, keepdims=True) - tie
    replies, support = _bits(best), _bits(points > tie)
    asked = np.concatenate([(1 << cols).sum(axis=1) for _, cols in plan])[:, None]
    valid &= (asked & ~replies) == 0
    extra = valid & (_ones(replies, other) > _ones(support, own))
    return _Vertices(points, valid, support, replies, extra.any(axis=0))


def _indifferent(payoff: Floats, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Any:
    """Return the weights on `rows`, summing to 1, under which all `cols` are worth the same, (P, k, B).

    They are orthogonal to the differences between the columns, so they are the signed minors of those differences.
    """
    size = rows.shape[1]
    if size == 1:
        return 1.0
    block = payoff[rows[:, :, None], cols[:, None, :]]
    difference = block[:, :, 1:] - block[:, :, :1]
    minors: dict[tuple[int, ...], Any] = {(): 1.0}
    for row in range(size - 1):
        grown: dict[tuple[int, ...], Any] = {}
        for subset in combinations(range(size), row + 1):
            terms = [
                (-1) ** (row + place) * difference[:, column, row] * minors[subset[:place] + subset[place + 1 :]]
                for place, column in enumerate(subset)
            ]
            grown[subset] = sum(terms[1:], terms[0])
        minors = grown
    weights = np.stack([(-1) ** c * minors[tuple(i for i in range(size) if i != c)] for c in range(size)], axis=1)
    return weights / weights.sum(axis=1, keepdims=True)


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    result = flags[:, 0].astype(np.int64)
    for place in range(1, flags.shape[1]):
        result |= flags[:, place].astype(np.int64) << place
    return result


def _ones(bits: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    table = np.array([bin(number).count("1") for number in range(1 << count)])
    return table[bits]


def _fit(mine: _Vertices, theirs: _Vertices) -> NDArray[np.bool_]:
    apart = (mine.support & ~theirs.replies) | (theirs.support & ~mine.replies)
    fits: NDArray[np.bool_] = mine.valid & theirs.valid & (apart == 0)
    return fits


def _match(mine: _Vertices, theirs: _Vertices) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return all pairs of vertices that fit: indices of mine, of theirs, and of the game."""
    found = [
        (np.full(len(q), p), q, game)
        for p in range(len(mine.valid))
        for q, game in [np.nonzero(_fit_one(mine, theirs, p))]
    ]
    p, q, game = (np.concatenate(part) for part in zip(*found, strict=True))
    return p, q, game


def _fit_one(mine: _Vertices, theirs: _Vertices, p: int) -> NDArray[np.bool_]:
    apart = (mine.support[p] & ~theirs.replies) | (theirs.support & ~mine.replies[p])
    fits: NDArray[np.bool_] = mine.valid[p] & theirs.valid & (apart == 0)
    return fits
