"""What lies in a set and in a box at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _interior
from robust_envs.sets._geometry import Array, as_array, between, like, nonzero, norm, where_outside
from robust_envs.sets.ambiguity._simplex import fill, search
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.budgeted import Budgeted
from robust_envs.sets.ellipsoid import Ellipsoid
from robust_envs.sets.interval import Interval
from robust_envs.sets.norms import L1, L2, Linf

ROUNDS = 1000  # of rejection; each draws as many as are asked for, from the set and from the box


@dataclass(frozen=True, repr=False)
class Intersection(UncertaintySet):
    """Keep what lies in a set and in a box: {d in inner : low <= d <= high}. `intersect` is the function to call.

    `project` and `worst` solve the one-dimensional dual by halving: exact up to rounding for `L1`, `L2`, `Budgeted` and
    ellipsoids along the axes. For other ellipsoids an interior point method takes the objective to within 1e-9 of its
    range, from inside. `sample` rejects, from the set and from the box in turn.

    Args:
        inner: `L1`, `L2`, `Budgeted` or `Ellipsoid`.
        box: the corners; for an `Ellipsoid` that is not along the axes with low <= 0 <= high and low < high.

    Raises:
        ValueError: if nothing lies in both, or lengths do not match.
        TypeError: if `inner` is another set or `box` is not an `Interval`.

    Example:
        >>> from robust_envs.sets import L2, Interval, Intersection
        >>> both = Intersection(L2(1.0), Interval(-0.5, 2.0))
        >>> both.worst([3.0, 4.0]), both.worst([-3.0, -4.0])
        (array([-0.5, -0.5]), array([0.6, 0.8]))
    """

    inner: UncertaintySet
    box: Interval

    def __post_init__(self) -> None:
        if not isinstance(self.inner, L1 | L2 | Budgeted | Ellipsoid):
            raise TypeError(f"inner must be L1, L2, Budgeted or Ellipsoid, got inner={self.inner!r}")
        if not isinstance(self.box, Interval):
            raise TypeError(f"box must be an Interval, got box={self.box!r}")
        dim = self.inner.dim if self.inner.dim is not None else self.box.dim
        if dim is None:
            return
        object.__setattr__(self, "inner", self.inner.bind(dim))
        object.__setattr__(self, "box", self.box.bind(dim))
        low, high = self._corners
        if self._turned and not (np.all(low <= 0) and np.all(high >= 0) and np.all(low < high)):
            raise ValueError(f"box must hold 0 and have low < high to cut an Ellipsoid, got box={self.box!r}")
        if not np.all(self.inner.contains(np.clip(0.0, low, high))):
            raise ValueError(f"inner and box must have a member in common, got {self.inner!r} and {self.box!r}")

    @property
    def dim(self) -> int | None:
        return self.inner.dim

    @property
    def names(self) -> tuple[str, ...] | None:
        return self.inner.names or self.box.names

    @property
    def is_zero(self) -> bool:
        return self.inner.is_zero or self.box.is_zero

    @property
    def monotone(self) -> bool:
        return self.inner.monotone and self.box.monotone

    def bind(self, space: gym.Space[Any] | int) -> Self:
        return replace(self, inner=self.inner.bind(space), box=self.box.bind(space))

    def scaled(self, c: float) -> Self:
        c = _check.at_least_zero("c", c)
        if c == 0 and self._turned:  # a box without width cannot cut an ellipsoid, and need not
            return replace(self, inner=self.inner.scaled(0.0))
        return replace(self, inner=self.inner.scaled(c), box=self.box.scaled(c))

    @property
    def _turned(self) -> bool:
        return isinstance(self.inner, Ellipsoid) and not self.inner.monotone

    @cached_property
    def _corners(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        dim = self._need_dim("the box")
        return np.array(_check.spread(self.box.low, dim)), np.array(_check.spread(self.box.high, dim))

    @cached_property
    def _axes(self) -> NDArray[np.float64]:
        if isinstance(self.inner, Ellipsoid):
            return self.inner.radius * np.sqrt(np.diag(np.asarray(self.inner.matrix)))
        return self.inner._axes  # type: ignore[attr-defined, no-any-return]

    @cached_property
    def _reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The corners of the box inside the bounds of `inner`; those of `Budgeted` are part of it."""
        (low, high), bounds = self._corners, self.inner.bounds
        return np.maximum(low, bounds.low), np.minimum(high, bounds.high)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        eye = np.eye(dim)
        return np.diag(self.worst(eye)).copy(), np.diag(self.worst(-eye)).copy()

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        return self.inner._contains(xp, x, tolerance) & self.box._contains(xp, x, tolerance)

    def _project(self, xp: Any, x: Array) -> Array:
        low, high = (like(xp, corner, x) for corner in self._reach)
        return self._near(xp, x, low, high)

    def _near(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        inside = self._contains(xp, x, like(xp, 0.0, x)) & xp.all((x >= low) & (x <= high), axis=-1)
        if xp.all(inside):
            return x + 0.0
        if self._turned:
            return where_outside(xp, inside, lambda rows: self._by_interior(xp, rows, "near"), x)
        return xp.where(inside[..., None], x, self._onto(xp, x, low, high))

    def _worst(self, xp: Any, g: Array) -> Array:
        low, high = (like(xp, corner, g) for corner in self._reach)
        if self._turned:
            return self._by_interior(xp, g, "worst")
        corner = xp.where(g > 0, low, xp.where(g < 0, high, between(xp, xp.zeros_like(g), low, high)))
        inside = self.inner._contains(xp, corner, like(xp, 0.0, g))[..., None]
        return xp.where(inside, corner, self._along(xp, g, corner, low, high)) + 0.0

    def _onto(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        """Shrink towards 0 as the ball alone would have it, then clip; find how much by halving."""
        free, top = like(xp, self._axes > 0, x), like(xp, max(np.max(self._axes), 1e-300), x)
        b = xp.where(free > 0, like(xp, self._axes, x) / top, xp.ones_like(free))
        size = norm(xp, x / top)

        def member(share: Array) -> Array:
            if isinstance(self.inner, L2 | Ellipsoid):
                keep = (1 - share) * b**2
                moved = x * keep / (keep + share * size)  # price share / (1 - share), in units that suit every size
            else:
                moved = xp.sign(x) * xp.maximum(xp.abs(x) - share * size * top / b, xp.zeros_like(x))
            return between(xp, free * moved, low, high)

        return _smallest(xp, member, self._fits, size * 0)

    def _along(self, xp: Any, g: Array, corner: Array, low: Array, high: Array) -> Array:
        """Go to the corner coordinate by coordinate (`L1`, `Budgeted`), or as the sphere bends (`L2`)."""
        axes = like(xp, self._axes, g)
        rest = between(xp, xp.zeros_like(g), low, high)
        if not isinstance(self.inner, L2 | Ellipsoid):
            safe = nonzero(xp, axes)
            budget = self.inner.budget if isinstance(self.inner, Budgeted) else 1.0
            left = budget - xp.sum(xp.abs(rest) / safe, axis=-1)
            room = xp.abs(corner - rest) / safe
            flat = (-1, g.shape[-1])
            gain, place = (xp.reshape(a, flat).T for a in (xp.abs(g) * axes, room))
            spent = xp.reshape(fill(xp, -gain, place, xp.reshape(left, (1, -1))).T, g.shape)
            return rest + (corner - rest) * xp.minimum(spent / nonzero(xp, room), xp.ones_like(spent))
        pull = axes * (g / nonzero(xp, norm(xp, g)))
        pull = axes * (pull / nonzero(xp, norm(xp, pull)))

        def member(share: Array) -> Array:
            return between(xp, -pull * (1 - share) / nonzero(xp, share), low, high)

        return _smallest(xp, member, self._fits, pull[..., :1] * 0)

    def _fits(self, xp: Any, y: Array) -> Array:
        """Say whether y is within the ball alone, to the last bit."""
        ratio = y / nonzero(xp, like(xp, self._axes, y))
        if isinstance(self.inner, L2 | Ellipsoid):
            return xp.sum(ratio**2, axis=-1, keepdims=True) <= 1
        budget = self.inner.budget if isinstance(self.inner, Budgeted) else 1.0
        return xp.sum(xp.abs(ratio), axis=-1, keepdims=True) <= budget

    def _by_interior(self, xp: Any, x: Array, what: str) -> Array:
        assert isinstance(self.inner, Ellipsoid)
        if self.inner.is_zero:
            return xp.zeros_like(x)
        rows = xp.astype(xp.reshape(x, (-1, x.shape[-1])), xp.float64)
        top = float(np.max(self.inner.bounds.high))
        axes, directions = self.inner._frame
        low, high = (np.clip(corner / top, -2, 2) for corner in self._corners)  # the ellipsoid lies within 1
        root, low, high = (like(xp, a, rows) for a in (directions * (top / axes), low, high))
        if what == "near":
            rows = rows / top
            size = xp.maximum(norm(xp, rows), xp.ones_like(rows[:, :1]))
            y = _interior.solve(xp, 1 / size, -rows / size, root, low, high)
        else:
            slope = rows / nonzero(xp, norm(xp, rows))
            y = _interior.solve(xp, 0 * slope[:, :1], slope, root, low, high)
        return xp.astype(xp.reshape(y * top, x.shape), x.dtype)

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        proposals = [self.inner, Interval(*self._reach)]
        xp, drawn = as_array("sample", self.inner.sample(rng, shape))
        fresh = ~self._contains(xp, drawn, like(xp, 0.0, drawn))
        for k in range(ROUNDS):
            if not xp.any(fresh):
                return drawn
            more = proposals[1 - k % 2].bind(dim).sample(rng, shape)
            kept = fresh & self._contains(xp, more, like(xp, 0.0, more))
            drawn, fresh = xp.where(kept[..., None], more, drawn), fresh & ~kept
        raise ValueError(f"{self!r} is so small in {self.inner!r} and in its box that no draw of {ROUNDS} meets it")

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        if self.monotone:
            return between(xp, x, low, high)
        if self.box.monotone:
            return self.inner._fit(xp, x, low, high)  # along the ray to 0, which stays in the box
        corners = (like(xp, corner, x) for corner in self._reach)
        near, far = (
            pick(xp.broadcast_to(a, x.shape), b)
            for pick, a, b in zip((xp.maximum, xp.minimum), (low, high), corners, strict=True)
        )
        fitted = self._near(xp, x, near, xp.maximum(near, far))
        fits = self._contains(xp, fitted, like(xp, 0.0, x)) & xp.all((fitted >= low) & (fitted <= high), axis=-1)
        if not xp.all(fits):
            raise ValueError(f"no member of {self!r} lies between low and high")
        return fitted


def _smallest(xp: Any, member: Callable[[Array], Array], fits: Callable[[Any, Array], Array], zero: Array) -> Array:
    """Return member(share) for the smallest share in [0, 1] that fits, where all larger ones do."""
    _, share = search(xp, lambda at: ~fits(xp, member(at)), zero, zero + 1)
    return member(share)


def intersect(inner: UncertaintySet, box: UncertaintySet) -> UncertaintySet:
    """Keep what lies in a set and in a box at once, so that what was clipped is still projected exactly.

    Args:
        inner: `L1`, `L2`, `Budgeted`, `Ellipsoid`, or another box (`Linf`, `Interval`).
        box: an `Interval` or `Linf`.

    Returns:
        An `Interval` for two boxes, else an `Intersection`.

    Raises:
        ValueError: if nothing lies in both, or lengths do not match.
        TypeError: if an argument is another set.

    Example:
        >>> from robust_envs.sets import L2, Interval, Linf, intersect
        >>> intersect(L2(1.0), Interval(0.0, 0.9)).project([[2.0, 0.0], [-1.0, 0.5]])
        array([[0.9, 0. ],
               [0. , 0.5]])
        >>> intersect(Linf(1.0), Interval(-2.0, 0.5))
        Interval(-1.0, 0.5)
    """
    box = _as_interval(box) if isinstance(box, Linf) and not isinstance(box, Interval) else box
    if isinstance(inner, Linf | Interval) and isinstance(box, Interval):
        return _overlap(_as_interval(inner), box)
    return Intersection(inner, box)  # type: ignore[arg-type]  # refuses what is no Interval


def _as_interval(ball: UncertaintySet) -> Interval:
    if isinstance(ball, Interval):
        return ball
    assert isinstance(ball, Linf)
    reach = ball.radius * np.asarray(1.0 if ball.unit is None else ball.unit)
    return Interval((0.0 - reach)[()], reach[()], names=ball.names, dim=ball.dim)


def _overlap(one: Interval, other: Interval) -> Interval:
    low, high = np.maximum(one.low, other.low), np.minimum(one.high, other.high)
    if np.any(low > high):
        raise ValueError(f"inner and box must have a member in common, got {one!r} and {other!r}")
    return Interval(low[()], high[()], names=one.names or other.names, dim=one.dim or other.dim)
