"""What all sets of distributions share: pouring mass, projecting on the simplex, one-dimensional searches.

Distributions stand in COLUMNS here, on the first axis, and every function is batched over the axes after it: a sum over
places is then a few additions of long rows, whatever the number of places, and masks are multiplied in, because
choosing by a random mask costs ten times as much. The same lines serve numpy and torch.
"""

from collections.abc import Callable
from typing import Any

import array_api_compat as aac
import numpy as np

from robust_envs.sets import _draw
from robust_envs.sets._geometry import NUMPY, Array, nonzero, threshold

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
    return x[at, np.arange(x.shape[1])] if x.ndim == 2 else np.take_along_axis(x, at, axis=0)


def first(xp: Any, flags: Array) -> Array:
    """Mark the first True of each column."""
    places = xp.arange(flags.shape[0], device=aac.device(flags))
    return places.reshape((-1,) + (1,) * (flags.ndim - 1)) == xp.argmax(
        xp.astype(flags, xp.int8), axis=0, keepdims=True
    )


def waterline(xp: Any, key: Array, room: Array, amount: Array) -> tuple[Array, Array]:
    """Return up to which key vessels of size `room` are full when `amount` is poured, smallest key first.

    Halves the ranks of the sorted keys, so that it ends after log2(n) sums, whatever the numbers.

    Returns:
        The key of the last vessels that get anything, and the share of their room that is filled.
    """
    n, at, amount = key.shape[0], ranked(xp, key), xp.minimum(amount, total(xp, room))
    place = xp.zeros(amount.shape, dtype=xp.int64, device=aac.device(amount))  # how many ranks hold too little
    below = xp.zeros_like(amount)
    for bit in reversed(range((n - 1).bit_length())):
        probe = place + (1 << bit)
        held = total(xp, room * (key <= gather(xp, at, xp.minimum(probe, probe * 0 + n) - 1)))
        lacks = held < amount
        place, below = place + lacks * (1 << bit), xp.maximum(below, held * lacks)
    last = gather(xp, at, place)
    share = (amount - below) / nonzero(xp, total(xp, room * (key == last)))
    return last, xp.minimum(xp.maximum(share, xp.zeros_like(share)), xp.ones_like(share))


def fill(xp: Any, key: Array, room: Array, amount: Array) -> Array:
    """Pour `amount` into vessels of size `room`, smallest key first; vessels of equal key share in proportion."""
    last, share = waterline(xp, key, room, amount)
    return room * (xp.astype(key < last, key.dtype) + (key == last) * share)


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
