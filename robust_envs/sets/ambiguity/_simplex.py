"""What all sets of distributions share: pouring mass, projecting on the simplex, one-dimensional searches.

Rows live on the last axis; every function is batched over the axes before it and serves numpy and torch.
"""

from collections.abc import Callable
from typing import Any

import array_api_compat as aac
import numpy as np

from robust_envs.sets._geometry import Array, nonzero

HALVINGS = {4: 40, 8: 80}  # by bytes of a number: steps after which a bracket is as narrow as rounding allows


def total(xp: Any, x: Array) -> Array:
    """Return the sum over the last axis, kept as an axis of one."""
    return xp.sum(x, axis=-1, keepdims=True)


def lowest(xp: Any, x: Array) -> Array:
    """Return the minimum over the last axis, kept as an axis of one."""
    return xp.min(x, axis=-1, keepdims=True)


def highest(xp: Any, x: Array) -> Array:
    """Return the maximum over the last axis, kept as an axis of one."""
    return xp.max(x, axis=-1, keepdims=True)


def gather(xp: Any, x: Array, at: Array) -> Array:
    """Return x[..., at[...]], row by row."""
    if hasattr(xp, "take_along_dim"):
        return xp.take_along_dim(x, at, -1)
    rows = np.arange(x.size // x.shape[-1])[:, None] * x.shape[-1]  # one flat take is faster than take_along_axis
    return x.reshape(-1)[(at.reshape(len(rows), -1) + rows).reshape(at.shape)]


def first(xp: Any, flags: Array) -> Array:
    """Mark the first True of each row."""
    places = xp.arange(flags.shape[-1], device=aac.device(flags))
    return places == xp.argmax(xp.astype(flags, xp.int64), axis=-1, keepdims=True)


def fill(xp: Any, key: Array, room: Array, amount: Array) -> Array:
    """Pour `amount` into vessels of size `room`, smallest key first; vessels of equal key share in proportion."""
    order = xp.argsort(key, axis=-1)
    poured = xp.cumulative_sum(gather(xp, room, order), axis=-1)
    last = xp.sum(xp.astype(poured < amount, xp.int64), axis=-1, keepdims=True)
    last = xp.minimum(last, xp.full_like(last, key.shape[-1] - 1))
    level = gather(xp, key, gather(xp, order, last))
    none = xp.zeros_like(room)
    full = xp.where(key < level, room, none)
    part = xp.where(key == level, room, none)
    left = xp.maximum(amount - total(xp, full), none[..., :1])
    share = xp.minimum(left / nonzero(xp, total(xp, part)), xp.ones_like(left))
    return full + part * share


def onto_simplex(xp: Any, z: Array) -> Array:
    """Project on the simplex: (z - threshold)_+ with sum 1 (Duchi et al. 2008)."""
    z = z - highest(xp, z)
    ranked = -xp.sort(-z, axis=-1)
    place = xp.arange(1, z.shape[-1] + 1, dtype=z.dtype, device=aac.device(z))
    excess = xp.cumulative_sum(ranked, axis=-1) - 1
    active = xp.sum(xp.astype(ranked * place > excess, xp.int64), axis=-1, keepdims=True)
    last = xp.maximum(active, xp.ones_like(active)) - 1
    p = z - gather(xp, excess / place, last)
    p = xp.where(p > 0, p, xp.zeros_like(p))
    return p / total(xp, p)


def search(xp: Any, above: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Halve [low, high] until it is as narrow as rounding allows; `above(t)` says where the answer lies above t."""
    for _ in range(HALVINGS[8 if low.dtype == xp.float64 else 4]):
        middle = low + (high - low) / 2
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
    from robust_envs.sets import _draw

    return abs(_draw.laplace(rng, shape))
