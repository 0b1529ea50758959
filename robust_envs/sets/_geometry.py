"""Norms, membership and Euclidean projections of axis-aligned balls, written once for numpy and torch.

`axes` (n,) holds the half-widths a_i >= 0 of a ball; a coordinate with a_i = 0 is pinned to 0.
Everything is first divided by the largest half-width, so that no scale overflows.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import array_api_compat as aac
import array_api_compat.numpy
import numpy as np

Array = Any
NUMPY: Any = array_api_compat.numpy
PIECE = 1 << 15  # numbers that fit the cache several times over
LONG = 256  # coordinates
BUFFER = 512  # numbers; numpy's own choice is 8192, and it fills the buffer with every row that is half as long
NEWTON_STEPS = 100  # each row needs at most a few; the loop ends when all have converged


def as_array(name: str, value: Any) -> tuple[Any, Array]:
    """Return (namespace, array of floats with at least one axis)."""
    if isinstance(value, np.ndarray) or not aac.is_array_api_obj(value):
        xp, array = NUMPY, np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise TypeError(f"{name} must be an array of numbers, got {name}={value!r}")
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
    else:
        xp, array = aac.array_namespace(value), value
        array = array if xp.isdtype(array.dtype, "real floating") else xp.astype(array, xp.float64)
    if array.ndim == 0:
        raise ValueError(f"{name} must have coordinates on its last axis, got {name}={value!r}")
    return xp, array


def like(xp: Any, value: Any, x: Array) -> Array:
    """Return `value` as an array of the kind, precision and device of `x`."""
    if xp is NUMPY:
        return np.asarray(value, dtype=x.dtype)
    value = np.array(value) if isinstance(value, np.ndarray) else value  # torch warns of read-only memory
    return xp.asarray(value, dtype=x.dtype, device=aac.device(x))


def slack(xp: Any, x: Array) -> float:
    """Return the relative rounding error that sums over the last axis may carry."""
    return float(xp.finfo(x.dtype).eps) * (8.0 + math.sqrt(x.shape[-1]))


def between(xp: Any, x: Array, low: Array, high: Array) -> Array:
    """Clip; two plain calls are several times faster than `clip` on the small arrays of a step."""
    return xp.minimum(xp.maximum(x, low), high)


def nonzero(xp: Any, x: Array) -> Array:
    """Return x >= 0 with 1 in place of 0, to divide by."""
    return xp.where(x > 0, x, xp.ones_like(x))


def norm(xp: Any, x: Array) -> Array:
    """Return the Euclidean norm over the last axis, kept as an axis of one, safe from overflow."""
    top = nonzero(xp, xp.max(xp.abs(x), axis=-1, keepdims=True))
    return top * xp.sqrt(xp.sum((x / top) ** 2, axis=-1, keepdims=True))


def ratio(xp: Any, x: Array, axes: Array, tolerance: Array) -> Array:
    """Return |x_i| (less its tolerance) in half-widths, cut at 2, where a pinned coordinate counts 0 or 2."""
    size = xp.abs(x) - tolerance
    size = xp.maximum(size, xp.zeros_like(size))
    if xp.all(axes > 0):
        return xp.minimum(size, 2 * axes) / axes
    safe = nonzero(xp, axes)
    pinned = xp.where(size == 0, size, xp.full_like(size, 2.0))
    return xp.where(axes > 0, xp.minimum(size, 2 * safe) / safe, pinned)


def onto_l2(xp: Any, x: Array, axes: Array) -> Array:
    """Project rows outside the ellipsoid sum (y_i / a_i)^2 <= 1 onto it.

    The optimum is y_i = a_i^2 x_i / (a_i^2 + t); Newton on 1 / |y / a| = 1, which is concave in t, from the left.
    """
    top = xp.max(axes)
    if not top > 0:
        return xp.zeros_like(x)
    if xp.min(axes) == top:
        return top * (x / nonzero(xp, norm(xp, x)))
    b, x = axes / top, x / top
    pull = b * x
    none, one = like(xp, 0.0, x), like(xp, 1.0, x)
    shift = xp.maximum(norm(xp, pull) - 1, none)
    for _ in range(NEWTON_STEPS):
        scale = nonzero(xp, b**2 + shift)
        step = pull / scale
        size = norm(xp, step)
        if not xp.any(size > 1 + slack(xp, x)):
            break
        curve = xp.sum(step**2 / scale, axis=-1, keepdims=True)
        shift = shift + xp.maximum((size - 1) * size**2 / nonzero(xp, curve), none)
    return top * b * step / xp.maximum(size, one)


def onto_l1(xp: Any, x: Array, axes: Array) -> Array:
    """Project rows outside the cross-polytope sum |y_i| / a_i <= 1 onto it.

    With heights z_i = |x_i| a_i the optimum is |y_i| = (z_i - t)_+ / a_i, where used(t) = sum (z_i - t)_+ / a_i^2 = 1.
    Heights are sorted and `used` is summed from the top: nothing but terms >= 0, so no digits cancel.
    """
    top = xp.max(axes)
    if not top > 0:
        return xp.zeros_like(x)
    if xp.min(axes) == top:
        return _onto_even_l1(xp, x, top)
    free = axes > 0
    b = xp.where(free, axes / top, xp.ones_like(axes))
    weight = xp.broadcast_to(xp.where(free, 1 / b**2, xp.zeros_like(b)), x.shape)
    plain = xp.where(free, xp.abs(x) / top, xp.zeros_like(x))
    height = xp.where(free, plain * b, -xp.ones_like(x))
    order = xp.argsort(height, axis=-1, descending=True)
    z, total = _take(xp, height, order), xp.cumulative_sum(_take(xp, weight, order), axis=-1)
    steps = (z[..., :-1] - z[..., 1:]) * total[..., :-1]
    used = xp.concat([xp.zeros_like(z[..., :1]), xp.cumulative_sum(steps, axis=-1)], axis=-1)
    last = xp.sum(xp.astype(used < 1, xp.int64), axis=-1, keepdims=True) - 1
    rest = (1 - _take(xp, used, last)) / _take(xp, total, last)
    above = height - _take(xp, z, last)
    size = xp.where(free & (above + rest > 0), above + rest, xp.zeros_like(x)) / b
    size = size / nonzero(xp, xp.sum(size / b, axis=-1, keepdims=True))
    outside = xp.sum(plain / b, axis=-1, keepdims=True) > 1  # False where only pinned coordinates are out
    return xp.sign(x) * top * xp.where(outside, size, plain)


def _onto_even_l1(xp: Any, x: Array, radius: Array) -> Array:
    x = columns(xp, xp.reshape(x, (-1, x.shape[-1])))
    z = xp.abs(x) / radius
    z = z - xp.max(z, axis=0, keepdims=True)
    size = xp.maximum(z - threshold(xp, z), xp.zeros_like(z))
    size = size * (radius / xp.sum(size, axis=0, keepdims=True))
    return xp.copysign(size, x).T


def threshold(xp: Any, z: Array, used: Array | None = None) -> Array:
    """Return t with sum (z - t)_+ = 1 for columns z <= 0 that reach 0: Newton from the left, without a sort.

    Heights are measured from the highest, so that all terms of a sum have one sign and no digits cancel. `used` is a
    guess of the places above t, as numbers 0 and 1: whatever it is, the t that suits it is not above the answer.

    References:
        C. Michelot, 1986, A finite algorithm for finding the projection of a point onto the canonical simplex of R^n
        (started where the highest place alone would stop it).
    """
    t = xp.maximum((xp.sum(z, axis=0, keepdims=True) - 1) / z.shape[0], -xp.ones_like(z[:1]))
    if used is not None:
        t = xp.maximum(t, (xp.sum(z * used, axis=0, keepdims=True) - 1) / xp.sum(used, axis=0, keepdims=True))
    many = xp.full_like(t, xp.inf)
    while True:
        above = z > t
        fewer = xp.sum(xp.astype(above, z.dtype), axis=0, keepdims=True)
        if not xp.any(fewer < many):  # what falls below the mean never comes back, but for rounding
            return t
        many, t = xp.minimum(many, fewer), (xp.sum(z * above, axis=0, keepdims=True) - 1) / fewer


def columns(xp: Any, rows: Array) -> Array:
    """Return (n, rows) from (rows, n), laid out anew where rows are short: long ones are summed as fast as they are."""
    if rows.shape[-1] >= LONG:
        return rows.T
    return np.ascontiguousarray(rows.T) if xp is NUMPY else rows.T.contiguous()


def in_pieces(xp: Any, act: Any, x: Array) -> Array:
    """Apply `act` to rows; numpy takes large arrays a piece at a time, so that what it makes stays in the cache."""
    if xp is not NUMPY or x.size <= PIECE:
        return act(x)
    rows = x.reshape(-1, x.shape[-1])
    step = piece(x.shape[-1])
    out = np.empty_like(rows)
    with short_buffer():
        for i in range(0, len(rows), step):
            out[i : i + step] = act(rows[i : i + step])
    return out.reshape(x.shape)


def piece(n: int) -> int:
    """Return how many rows of n numbers to work on at a time, and make numpy ready for it."""
    np.empty(64 * PIECE)  # a block this large, once freed, lets the C library keep the memory of smaller ones
    return max(1, PIECE // n) | 1  # odd: columns a power of two apart would share the lines of the cache


@contextmanager
def short_buffer() -> Iterator[None]:
    """Keep numpy from copying what it broadcasts to its buffer, which takes as long as the arithmetic."""
    before = np.setbufsize(BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


def where_outside(xp: Any, inside: Array, act: Any, x: Array) -> Array:
    """Return x where inside and act(x) elsewhere; numpy asks `act` about the rows outside only."""
    if xp.all(inside):
        return x + 0.0
    if xp is not NUMPY:
        return xp.where(inside[..., None], x, act(x))
    out = x.copy()
    out[~inside] = act(x[~inside])
    return out


def _take(xp: Any, x: Array, at: Array) -> Array:
    # torch's own name; array_api_compat has the standard's name for it only in later versions
    return xp.take_along_dim(x, at, -1) if hasattr(xp, "take_along_dim") else xp.take_along_axis(x, at, axis=-1)
