"""The box of which only a few coordinates' worth may be used."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import Array, as_array, like, nonzero, ratio, slack
from robust_envs.sets.norms import Ball

HALVINGS = {4: 40, 8: 80}


@dataclass(frozen=True, repr=False)
class Budgeted(Ball):
    """Let `budget` coordinates' worth move: {d : |d_i| <= a_i, sum_i |d_i| / a_i <= budget}, a_i = radius * unit_i.

    With a whole budget, nature moves that many coordinates as far as `Linf(radius)` would; with `budget` at least the
    number of coordinates this is `Linf(radius)`, with `budget` 1 it is `L1(radius)`.

    Args:
        radius: finite, >= 0, in the units of the perturbed quantity, or in multiples of `unit`.
        budget: finite, >= 0, a number of coordinates, whole or not.
        unit: finite, >= 0, a number or (dim,); 0 pins a coordinate.
        names: names of the coordinates.
        dim: number of coordinates; `bind` sets it.

    Raises:
        ValueError: if `radius`, `budget` or `unit` is negative or not finite, or a length does not match.
        TypeError: if `radius` or `budget` is not a number.

    Example:
        >>> from robust_envs.sets import Budgeted
        >>> Budgeted(2.0, 1.5).worst([1.0, -3.0, 2.0])
        array([ 0.,  2., -1.])
        >>> Budgeted(1.0, 1.0).project([2.0, 0.5])
        array([1., 0.])

    References:
        D. Bertsimas, M. Sim, 2004, The price of robustness.
    """

    budget: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(budget=_check.at_least_zero("budget", self.budget))

    @property
    def is_zero(self) -> bool:
        return super().is_zero or self.budget == 0

    def with_budget(self, budget: float) -> Self:
        """Return the same set with another budget, finite and >= 0."""
        return replace(self, budget=budget)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        reach = self._axes * min(1.0, self.budget)
        return 0.0 - reach, reach

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        size = ratio(xp, x, like(xp, self._axes, x), tolerance)
        give = 1 + slack(xp, x)
        return xp.all(size <= give, axis=-1) & (xp.sum(size, axis=-1) <= self.budget * give)

    def _project(self, xp: Any, x: Array) -> Array:
        inside = self._contains(xp, x, like(xp, 0.0, x))[..., None]
        return x + 0.0 if xp.all(inside) else xp.where(inside, x, self._onto(xp, x))

    def _onto(self, xp: Any, x: Array) -> Array:
        """Shrink |x_i| / a_i by price / a_i^2 and clip it to [0, 1]; halve the price, then solve for it exactly."""
        top = like(xp, np.max(self._axes), x)
        if not top > 0 or self.budget == 0:
            return xp.zeros_like(x)
        b = like(xp, self._axes, x) / top
        none, one, safe = xp.zeros_like(x), xp.ones_like(x), nonzero(xp, b)
        height = xp.where(b > 0, xp.abs(x) / top / safe, none)
        pull = xp.where(b > 0, 1 / safe**2, none)

        def kept(price: Array) -> Array:
            return xp.minimum(xp.maximum(height - price * pull, none), one)

        low = xp.zeros_like(x[..., :1])
        high = xp.max(height * safe**2, axis=-1, keepdims=True)
        clipped = xp.sum(kept(low), axis=-1, keepdims=True) <= self.budget
        for _ in range(HALVINGS[8 if x.dtype == xp.float64 else 4]):
            middle = low + (high - low) / 2
            over = xp.sum(kept(middle), axis=-1, keepdims=True) > self.budget
            low, high = xp.where(over, middle, low), xp.where(over, high, middle)
        size, more = kept(high), kept(low)
        gap = xp.sum(more - size, axis=-1, keepdims=True)
        share = (self.budget - xp.sum(size, axis=-1, keepdims=True)) / nonzero(xp, gap)
        size = size + (more - size) * xp.minimum(xp.maximum(share, low * 0), low * 0 + 1)
        size = xp.where(clipped, kept(low * 0), size)
        return xp.sign(x) * size * b * top

    def _worst(self, xp: Any, g: Array) -> Array:
        axes = like(xp, self._axes, g)
        gain = xp.abs(g) * axes
        order = xp.argsort(xp.argsort(-gain, axis=-1), axis=-1)  # place of each coordinate among the gains
        rank = xp.astype(order, g.dtype)
        share = xp.minimum(xp.maximum(self.budget - rank, xp.zeros_like(g)), xp.ones_like(g))
        return 0.0 - axes * xp.sign(g) * share  # no -0.0

    def _unit_sample(self, rng: Any, shape: tuple[int, ...], free: int) -> Array:
        # Sizes are drawn on [0, 1] with density ~ exp(-tilt u), whose mean is the budget's, and kept with probability
        # exp(tilt (sum - budget)) where the sum is within the budget: exact, and rarely refused.
        budget = min(self.budget, float(free))
        xp, size = as_array("sample", _draw.uniform(rng, (*shape, free)))
        sign = xp.sign(_draw.uniform(rng, (*shape, free)) - 0.5)
        if free == 0 or budget == 0:
            return size * 0
        tilt = _tilt(budget / free)
        fresh = xp.ones(shape, dtype=xp.bool, device=getattr(size, "device", None))
        drawn = size * 0
        while xp.any(fresh):
            u = like(xp, _draw.uniform(rng, (*shape, free)), drawn)
            u = -xp.log1p(u * float(np.expm1(-tilt))) / tilt if tilt else u
            over = xp.sum(u, axis=-1) - budget
            v = like(xp, _draw.uniform(rng, shape), drawn)
            kept = fresh & (over <= 0) & (v < xp.exp(tilt * xp.minimum(over, over * 0)))
            drawn, fresh = xp.where(kept[..., None], u, drawn), fresh & ~kept
        return drawn * sign


def _tilt(mean: float) -> float:
    """Return the rate at which a truncated exponential on [0, 1] has the given mean; 0 where uniform has no more."""
    low, high = 0.0, 1 / mean
    for _ in range(60 if mean < 0.5 else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 / middle - 1 / np.expm1(middle) > mean else (low, middle)
    return low if mean < 0.5 else 0.0
