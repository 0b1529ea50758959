"""Convex quadratic problems over an ellipsoid and a box at once, all rows together, in double precision."""

from typing import Any

import array_api_compat as aac

from robust_envs.sets._geometry import Array

STEPS = 200  # each takes off most of the gap; the loop ends when every row is optimal
GOAL = 1e-14  # mean product of room and price
GOOD = 1e-10  # what is left where rounding ends it earlier
SHARE = 0.9  # of the way to the border
EVEN = 1e-3  # the least product of room and price, in parts of their mean
BACK = 20  # times a step is halved to keep it so
AIM = 0.2  # of the gap


def solve(xp: Any, bend: Array, slope: Array, root: Array, low: Array, high: Array) -> Array:
    """Minimise bend |y|^2 / 2 + <slope, y> over |y root| <= 1 and low <= y <= high.

    A primal-dual interior point method: every iterate is strictly inside, and the duality gap is known.

    Args:
        xp: array namespace.
        bend: (rows, 1), >= 0.
        slope: (rows, n), of size about 1.
        root: (n, n), not singular, its ellipsoid of size about 1.
        low: (n,), finite, <= 0.
        high: (n,), finite, >= 0, > low.

    Returns:
        (rows, n), inside.

    References:
        S. Boyd, L. Vandenberghe, 2004, Convex optimization, section 11.7.
    """
    y = xp.zeros_like(slope) + _start(xp, root, low, high)
    price = 1 / _room(xp, y, root, low, high)
    at = xp.arange(y.shape[0], device=aac.device(y))  # rows not yet optimal
    for _ in range(STEPS):
        here, dear = y[at], price[at]
        room = _room(xp, here, root, low, high)
        gap = xp.mean(room * dear, axis=-1, keepdims=True)
        aim = _aim(xp, here, room, dear, bend[at] * here + slope[at], root) * gap
        step, raised = _newton(xp, here, room, dear, aim, bend[at], slope[at], root)
        reach = _reach(xp, here, room, dear, step, raised, root)
        for _ in range(BACK):
            product = _room(xp, here + reach * step, root, low, high) * (dear + reach * raised)
            even = xp.min(product, axis=-1) >= EVEN * xp.mean(product, axis=-1)
            if xp.all(even):
                break
            reach = xp.where(even[:, None], reach, reach / 2)
        here, dear = here + reach * step, dear + reach * raised
        # False where rounding rules
        inside = xp.all((_room(xp, here, root, low, high) > 0) & (dear > 0), axis=-1)
        at, going = at[inside], (gap[:, 0] > GOAL)[inside]
        y[at], price[at] = here[inside], dear[inside]
        at = at[going]
        if at.shape[0] == 0:
            break
    gap = xp.max(xp.mean(_room(xp, y, root, low, high) * price, axis=-1)) if y.shape[0] else 0.0
    if not gap <= GOOD:
        raise ArithmeticError(f"the ellipsoid is too thin to be cut by this box: the gap stayed at {float(gap):.1e}")
    return y


def _start(xp: Any, root: Array, low: Array, high: Array) -> Array:
    """Return a point strictly inside: part of the way from 0 to the middle of the box."""
    middle = (low + high) / 2
    return middle * (0.5 / max(1.0, float(xp.sum((middle @ root) ** 2)) ** 0.5))


def _room(xp: Any, y: Array, root: Array, low: Array, high: Array) -> Array:
    """Return how far y is inside each constraint, (rows, 1 + 2 n): half of 1 - |y root|^2, y - low, high - y."""
    size = xp.sum((y @ root) ** 2, axis=-1, keepdims=True)
    return xp.concat([(1 - size) / 2, y - low, high - y], axis=-1)


def _aim(xp: Any, y: Array, room: Array, price: Array, force: Array, root: Array) -> Array:
    """Return to which part of it the gap is to fall: not at all before the prices explain the force."""
    n = y.shape[-1]
    left = force + _first(price) * ((y @ root) @ root.T) - _below(price, n) + _above(price, n)
    width = _below(room, n) + _above(room, n)
    unexplained = xp.sum(xp.abs(left) * width, axis=-1, keepdims=True)
    explained = unexplained <= 10 * xp.sum(room * price, axis=-1, keepdims=True)
    return xp.where(explained, 0 * unexplained + AIM, 0 * unexplained + 1)


def _newton(
    xp: Any, y: Array, room: Array, price: Array, aim: Array, bend: Array, slope: Array, root: Array
) -> tuple[Array, Array]:
    """Return the steps of y and of the prices towards room * price = aim."""
    n, bent, pull = y.shape[-1], (y @ root) @ root.T, aim / room
    push = price / room
    curve, below, above = _first(push), _below(push, n), _above(push, n)
    force = bend * y + slope + _first(pull) * bent - _below(pull, n) + _above(pull, n)
    matrix = (bend + below + above)[..., None] * xp.eye(n, dtype=y.dtype, device=aac.device(y))
    matrix = matrix + price[..., :1, None] * (root @ root.T)
    by_force, by_bent = _solved(xp, matrix, force), _solved(xp, matrix, bent)
    # the border's curvature adds curve * bent bent' to the matrix, by far its largest part in the end
    along = xp.sum(bent * by_force, axis=-1, keepdims=True)
    share = curve * along / (1 + curve * xp.sum(bent * by_bent, axis=-1, keepdims=True))
    step = share * by_bent - by_force
    gained = xp.concat([-xp.sum(bent * step, axis=-1, keepdims=True), step, -step], axis=-1)
    return step, pull - price - push * gained


def _solved(xp: Any, matrix: Array, x: Array) -> Array:
    """Solve with rows and columns scaled to a diagonal of ones: rooms differ by many orders of magnitude."""
    scale = 1 / xp.sqrt(xp.linalg.diagonal(matrix))
    return scale * xp.linalg.solve(matrix * (scale[..., :, None] * scale[..., None, :]), (scale * x)[..., None])[..., 0]


def _first(x: Array) -> Array:
    return x[..., :1]


def _below(x: Array, n: int) -> Array:
    return x[..., 1 : n + 1]


def _above(x: Array, n: int) -> Array:
    return x[..., n + 1 :]


def _reach(xp: Any, y: Array, room: Array, price: Array, step: Array, raised: Array, root: Array) -> Array:
    """Return which part of the step leaves all rooms and prices above 0."""
    n = step.shape[-1]
    falls = xp.concat([-raised / price, -step / _below(room, n), step / _above(room, n)], axis=-1)
    reach = SHARE / xp.maximum(xp.max(falls, axis=-1, keepdims=True), 0 * step[..., :1] + SHARE)
    # after a part s of the step the ellipsoid's room is r - b s - c s^2: a hundredth of r must be left
    r, turned = SHARE * _first(room), step @ root
    b, c = xp.sum(turned * (y @ root), axis=-1, keepdims=True), xp.sum(turned**2, axis=-1, keepdims=True) / 2
    return xp.minimum(reach, 2 * r / (b + xp.sqrt(b**2 + 4 * c * r)))
