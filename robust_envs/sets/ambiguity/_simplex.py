"""What all sets of distributions share: pouring mass, projecting on the simplex, one-dimensional searches.

Distributions stand in COLUMNS here, on the first axis, and every function is batched over the axes after it: a sum over
places is then a few additions of long rows, whatever the number of places, and masks are multiplied in, because
choosing by a random mask costs ten times as much. The same lines serve numpy and torch.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import array_api_compat as aac
import numpy as np

from robust_envs.sets import _draw
from robust_envs.sets._geometry import NUMPY, Array, columns, nonzero, slack, threshold

FEW = 8  # places: whole rows are compared and exchanged faster than sorted
HALVINGS = {4: 40, 8: 80}  # by bytes of a number: steps after which a bracket is as narrow as rounding allows


def total(xp: Any, x: Array) -> Array:
    """Return the sum over the places, kept as an axis of one."""
    return xp.sum(x, axis=0, keepdims=True)


def lowest(xp: Any, x: Array) -> Array:
    """Return the minimum over the places, kept as an axis of one."""
    return xp.min(x, axis=0, keepdims=True)


def highest(xp: Any, x: Array) -> Array:
    """Return the maximum over the places, kept as an axis of one."""
    return xp.max(x, axis=0, keepdims=True)


def count(xp: Any, flags: Array, x: Array) -> Array:
    """Return how many places are marked, as numbers like those of `x`."""
    return xp.sum(xp.astype(flags, x.dtype), axis=0, keepdims=True)


def ranked(xp: Any, x: Array) -> Array:
    """Sort every column; numpy sorts rows several times faster than columns."""
    return np.sort(np.ascontiguousarray(x.T), axis=-1).T if xp is NUMPY and x.ndim == 2 else xp.sort(x, axis=0)


def gather(xp: Any, x: Array, at: Array) -> Array:
    """Return x[at[...], ...], column by column."""
    if hasattr(xp, "take_along_dim"):
        return xp.take_along_dim(x, at, 0)
    if x.ndim != 2:
        return np.take_along_axis(x, at, axis=0)
    n, many = x.shape
    if x.flags.f_contiguous:
        return np.take(x.T, (at + n * np.arange(many)).T).T
    return np.take(x, at * many + np.arange(many))


def first(xp: Any, flags: Array) -> Array:
    """Mark the first True of each column."""
    places = xp.arange(flags.shape[0], device=aac.device(flags))
    return places.reshape((-1,) + (1,) * (flags.ndim - 1)) == xp.argmax(
        xp.astype(flags, xp.int8), axis=0, keepdims=True
    )


def fill(xp: Any, key: Array, room: Array, amount: Array) -> Array:
    """Pour `amount` into vessels of size `room`, smallest key first; vessels of equal key share in proportion."""
    return pour(xp, key, lowest(xp, key), room, xp.minimum(amount, total(xp, room)))


def pour(xp: Any, key: Array, least: Array, room: Array, amount: Array) -> Array:
    """Do what `fill` does where the least key is known, and that there is room."""
    by_sums = xp is NUMPY and key.ndim == 2
    last = _last_by_sums(key, least, room, amount) if by_sums else _last_by_halves(xp, key, room, amount)
    full, partly = room * (key < last), room * (key == last)
    short, held = amount - total(xp, full), total(xp, partly)
    if by_sums:
        give = slack(xp, key.T) * amount
        wrong = np.flatnonzero((short < -give) | (short > held + give))
        if wrong.size:
            last[:, wrong] = _last_by_halves(xp, key[:, wrong], room[:, wrong], amount[:, wrong])
            full, partly = room * (key < last), room * (key == last)
            short, held = amount - total(xp, full), total(xp, partly)
    share = short / nonzero(xp, held)
    return full + partly * xp.minimum(xp.maximum(share, xp.zeros_like(share)), xp.ones_like(share))


def _last_by_sums(key: Array, least: Array, room: Array, amount: Array) -> Array:
    """Return the key up to which the vessels are needed, or one near it that differs in its last digits only."""
    n, order = len(key), _order(key - least)
    held = gather(NUMPY, room, order)
    if n <= FEW:
        for k in range(1, n):
            held[k] += held[k - 1]
    step = 1 if n > FEW else n
    while step < n:
        held[step:] = held[step:] + held[:-step]
        step *= 2
    full = np.add.reduce(held < amount, axis=0, keepdims=True, dtype=np.uint8 if n < 256 else np.int64)
    return gather(NUMPY, key, gather(NUMPY, order, np.minimum(full, n - 1).astype(np.int64)))


def _order(key: Array) -> Array:
    """Return the places sorted by keys >= 0, column by column, equal keys by place, without the keys' last bits.

    The bits of numbers >= 0 are in their order. The last ones make way for the place, which is then sorted along.
    """
    n = len(key)
    places = (1 << (n - 1).bit_length()) - 1
    code = key.astype(np.float64, copy=False).view(np.int64) & ~places | np.arange(n)[:, None]
    if n > FEW:
        return columns(NUMPY, np.sort(np.ascontiguousarray(code.T), axis=-1)) & places
    rows = list(code)
    for i, j in _network(n):
        rows[i], rows[j] = np.minimum(rows[i], rows[j]), np.maximum(rows[i], rows[j])
    return np.stack(rows) & places


@cache
def _network(n: int) -> list[tuple[int, int]]:
    """Return the exchanges that sort n numbers, whatever they are.

    References:
        K. Batcher, 1968, Sorting networks and their applications.
    """
    merges = [(1 << i, 1 << j) for i in range((n - 1).bit_length()) for j in reversed(range(i + 1))]
    starts = [(p, k, i) for p, k in merges for j in range(k % p, n - k, 2 * k) for i in range(j, min(j + k, n - k))]
    return [(i, i + k) for p, k, i in starts if i // (2 * p) == (i + k) // (2 * p)]


def _last_by_halves(xp: Any, key: Array, room: Array, amount: Array) -> Array:
    """Return the key up to which the vessels are needed: halves the ranks of the sorted keys, log2(n) sums."""
    n, at = key.shape[0], ranked(xp, key)
    place = xp.zeros(amount.shape, dtype=xp.int64, device=aac.device(amount))  # how many ranks hold too little
    for bit in reversed(range((n - 1).bit_length())):
        probe = place + (1 << bit)
        held = total(xp, room * (key <= gather(xp, at, xp.minimum(probe, probe * 0 + n) - 1)))
        place = place + (held < amount) * (1 << bit)
    return gather(xp, at, place)


def onto_simplex(xp: Any, z: Array) -> Array:
    """Project on the simplex: (z - threshold)_+ with sum 1."""
    z = z - highest(xp, z)
    p = xp.maximum(z - threshold(xp, z), xp.zeros_like(z))
    return p / total(xp, p)


def lift(xp: Any, z: Array, weight: Array) -> Array:
    """Return s with sum weight (z + s)_+ = 1: what `threshold` does, with weights >= 0 and any z."""
    top = highest(xp, xp.where(weight > 0, z, xp.full_like(z, -xp.inf)))
    z = xp.where(weight > 0, z - top, xp.full_like(z, -1.0))
    used, many = weight, xp.full_like(top, xp.inf)
    while True:
        s = (1 - total(xp, used * z)) / total(xp, used)
        above = (z + s > 0) & (used > 0)
        fewer = count(xp, above, z)
        if not xp.any(fewer < many):
            return s - top
        used, many = weight * above, xp.minimum(many, fewer)


def search(xp: Any, above: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Halve [low, high] until it is as narrow as rounding allows; `above(t)` says where the answer lies above t."""
    for _ in range(HALVINGS[8 if low.dtype == xp.float64 else 4]):
        middle = low + (high - low) / 2
        if not xp.any((middle > low) & (middle < high)):
            break
        up = above(middle)
        low, high = xp.where(up, middle, low), xp.where(up, high, middle)
    return low, high


def level(xp: Any, member: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return member(t) whose sum is 1, for a member that grows with t; the last rounding error is spread over it."""
    low, high = search(xp, lambda t: total(xp, member(t)) < 1, low, high)
    less, more = member(low), member(high)
    gap = total(xp, more) - total(xp, less)
    share = (1 - total(xp, less)) / nonzero(xp, gap)
    return less + (more - less) * xp.minimum(xp.maximum(share, xp.zeros_like(share)), xp.ones_like(share))


def exponential(rng: Any, shape: tuple[int, ...]) -> Array:
    """Draw standard exponential numbers."""
    return abs(_draw.laplace(rng, shape))
