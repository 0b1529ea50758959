"""The worst way to send mass on within a budget for its transport.

At every price of transport each place has a target, to which its mass goes. A lower price sends it farther, to a place
that is worth less, so a place whose targets agree at two prices keeps that target between them. Places stand on the
last axis here.
"""

from typing import Any, NamedTuple

import array_api_compat as aac
import numpy as np

from robust_envs.sets._geometry import NUMPY, PIECE, Array, nonzero, slack

STEPS = 500  # each finds a new piece of the dual, usually a handful; the loop ends when every row is optimal
TABLE = 1 << 26  # numbers a device makes at a time


class Line(NamedTuple):
    """What a plan, a target for every place, comes to, (rows): a piece of the dual, value + price * cost."""

    value: Array
    cost: Array


class Open(NamedTuple):
    """The places with mass, of all rows in one list, whose targets in the near and the far plan differ."""

    row: Array
    place: Array
    mass: Array
    near: Array
    far: Array


def dispatch(xp: Any, y: Array, p0: Array, d: Array, level: Array) -> Array:
    """Send rows p0 on at a cost of at most `level`, (rows), to where <p, y> is least; d_ij is the cost from i to j.

    The optimal plans are the pieces of the dual, which is concave and piecewise linear in the price. The mixture of two
    neighbours, one within the budget and one beyond it, that spends the budget is the answer.
    """
    to_near, to_far, beyond = _neighbours(xp, y, p0, d, level)
    near, far = (_line(xp, y, p0, d, to).cost for to in (to_near, to_far))  # without the rounding errors of many steps
    share = (level - near) / nonzero(xp, far - near)
    share = xp.minimum(xp.maximum(share, xp.zeros_like(share)), xp.ones_like(share))
    share = xp.where(beyond, share, xp.ones_like(share))[:, None]
    return share * landed(xp, p0, to_far) + (1 - share) * landed(xp, p0, to_near)


def landed(xp: Any, mass: Array, target: Array) -> Array:
    """Add up the mass that arrives at each place."""
    rows, n = mass.shape
    at = target + n * xp.arange(rows, device=aac.device(mass))[:, None]
    return xp.reshape(_sums(xp, xp.reshape(mass, (-1,)), xp.reshape(at, (-1,)), rows * n), (rows, n))


def _neighbours(xp: Any, y: Array, p0: Array, d: Array, level: Array) -> tuple[Array, Array, Array]:
    """Return the targets of a plan within the budget and of one beyond it, and in which rows there is one beyond.

    Two plans cross at some price; what is optimal there takes the place of one of them, until it is no better.
    """
    to_near, to_far = _ends(xp, y, p0, d)
    near, far = _line(xp, y, p0, d, to_near), _line(xp, y, p0, d, to_far)
    beyond = far.cost > level
    row, place = xp.nonzero((to_near != to_far) & (p0 > 0) & beyond[:, None])
    left = Open(row, place, p0[row, place], to_near[row, place], to_far[row, place])
    for _ in range(STEPS):
        if left.row.shape[0] == 0:
            break
        near, far, left, better = _cross(xp, y, d, level, near, far, left)
        to_near[left.row, left.place], to_far[left.row, left.place] = left.near, left.far
        unsettled = xp.nonzero(xp.take(better, left.row, axis=0) & (left.near != left.far))[0]
        left = Open(*(xp.take(a, unsettled, axis=0) for a in left))
    return to_near, to_far, beyond


def _ends(xp: Any, y: Array, p0: Array, d: Array) -> tuple[Array, Array]:
    """Return the targets at a price without end, where all stays, and at 0: the nearest place of least value."""
    stay = xp.zeros_like(y, dtype=xp.int64) + xp.arange(y.shape[-1], device=aac.device(y))
    above = y > xp.min(y, axis=-1, keepdims=True)
    leave = xp.zeros_like(stay) + xp.argmin(y, axis=-1, keepdims=True)
    tied = xp.sum(xp.astype(above, xp.int64), axis=-1) < y.shape[-1] - 1
    if xp.any(tied):
        row, place = xp.nonzero(tied[:, None] & (p0 > 0))
        leave[row, place] = _targets(xp, 4 * xp.astype(above, y.dtype), d, row, place)
    return stay, leave


def _line(xp: Any, y: Array, p0: Array, d: Array, target: Array) -> Line:
    rows, n = y.shape
    start = n * xp.arange(max(rows, n), device=aac.device(y))[:, None]
    value, cost = xp.reshape(y, (-1,))[start[:rows] + target], xp.reshape(d, (-1,))[start[:n, 0] + target]
    return Line(xp.sum(p0 * value, axis=-1), xp.sum(p0 * cost, axis=-1))


def _cross(
    xp: Any, y: Array, d: Array, level: Array, near: Line, far: Line, left: Open
) -> tuple[Line, Line, Open, Array]:
    """Put what is optimal where two lines cross in place of one of them, in the rows where that is better."""
    n = y.shape[-1]
    price = (near.value - far.value) / nonzero(xp, far.cost - near.cost)
    target = _targets(xp, y / nonzero(xp, price)[:, None], d, left.row, left.place)

    def change(table: Array, at: Array) -> Array:
        table, at = xp.reshape(table, (-1,)), n * at
        moved = xp.take(table, at + target, axis=0) - xp.take(table, at + left.near, axis=0)
        return _sums(xp, left.mass * moved, left.row, y.shape[0])

    gain, more = change(y, left.row), change(d, left.place)
    better = gain + price * more < -slack(xp, y) * (1 + price * near.cost)
    found = Line(near.value + gain, near.cost + more)
    out = better & (found.cost > level)
    within = better & ~out
    near = Line(*(xp.where(within, a, b) for a, b in zip(found, near, strict=True)))
    far = Line(*(xp.where(out, a, b) for a, b in zip(found, far, strict=True)))
    left = left._replace(
        near=xp.where(xp.take(within, left.row, axis=0), target, left.near),
        far=xp.where(xp.take(out, left.row, axis=0), target, left.far),
    )
    return near, far, left, better


def _targets(xp: Any, y: Array, d: Array, row: Array, place: Array) -> Array:
    """Return for places i of rows where mass goes if it costs d_ij to move and y_j to be: argmin_j y_j + d_ij."""
    on_cpu = xp is NUMPY or y.device.type == "cpu"
    step = (PIECE if on_cpu else TABLE) // d.shape[0] + 1
    parts = []
    for k in range(0, max(1, row.shape[0]), step):
        costs = xp.take(y, row[k : k + step], axis=0)
        costs += xp.take(d, place[k : k + step], axis=0)
        parts.append(xp.argmin(costs, axis=-1))
    return xp.concat(parts, axis=0)


def _sums(xp: Any, x: Array, at: Array, size: int) -> Array:
    """Add up x by where it is `at`, a number below `size`."""
    if xp is NUMPY:
        return np.bincount(at, x, size).astype(x.dtype, copy=False)
    return xp.zeros(size, dtype=x.dtype, device=x.device).scatter_add(0, at, x)
