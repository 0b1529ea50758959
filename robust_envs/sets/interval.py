"""The box with arbitrary corners."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import Array, as_array, between, like, slack
from robust_envs.sets.simple import SimpleSet


@dataclass(frozen=True, repr=False)
class Interval(SimpleSet):
    """Keep every coordinate between two corners: {d : low_i <= d_i <= high_i}.

    0 need not be inside: such an interval always moves the nominal value. On an integer space the corners are
    rounded inwards. `Box` is the same class.

    Args:
        low: finite, a number for all coordinates or (dim,), in the units of the perturbed quantity.
        high: finite, >= low, likewise.
        names: names of the coordinates.
        dim: number of coordinates; `bind` sets it.

    Raises:
        ValueError: if a corner is not finite, low > high, or on an integer space no integer lies between.
        TypeError: if a corner is not a number or a sequence of numbers.

    Example:
        >>> from robust_envs.sets import Interval
        >>> gap = Interval(-0.3, (0.1, 0.2))
        >>> gap.project([1.0, -1.0])
        array([ 0.1, -0.3])
        >>> gap.bind(2).bounds
        Box(-0.3, [0.1 0.2], (2,), float64)
    """

    low: float | Sequence[float] | NDArray[Any]
    high: float | Sequence[float] | NDArray[Any]

    def __post_init__(self) -> None:
        low, high = _check.vector("low", self.low), _check.vector("high", self.high)
        if isinstance(low, tuple) and isinstance(high, tuple) and len(low) != len(high):
            raise ValueError(f"low and high must have equal lengths, got low={low!r}, high={high!r}")
        if np.any(np.asarray(low) > np.asarray(high)):
            raise ValueError(f"low must be <= high, got low={low!r}, high={high!r}")
        self._set(low=low, high=high)
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return not (np.any(np.asarray(self.low)) or np.any(np.asarray(self.high)))

    @property
    def monotone(self) -> bool:
        return bool(np.all(np.asarray(self.low) <= 0) and np.all(np.asarray(self.high) >= 0))

    def scaled(self, c: float) -> Self:
        c = _check.at_least_zero("c", c)
        with np.errstate(over="ignore"):  # infinity is refused by the new set
            return self._corners(np.multiply(self.low, c), np.multiply(self.high, c))

    def _corners(self, low: NDArray[Any], high: NDArray[Any]) -> Self:
        return type(self)(low[()], high[()], names=self.names, dim=self.dim)

    def _bind(self, dim: int, integer: bool) -> Self:
        if integer:
            low, high = np.ceil(self.low), np.floor(self.high)
            if np.any(low > high):
                raise ValueError(f"low and high must have an integer between them on an integer space, got {self!r}")
            return self._corners(low, high)._bind(dim, integer=False)
        return super()._bind(dim, integer)

    def _check_dim(self, dim: int) -> None:
        super()._check_dim(dim)
        _check.length("low", self.low, dim)
        _check.length("high", self.high, dim)

    @cached_property
    def _ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        assert self.dim is not None
        return _check.spread(self.low, self.dim), _check.spread(self.high, self.dim)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._ends

    def _at(self, xp: Any, x: Array) -> tuple[Array, Array]:
        low, high = self._ends
        return like(xp, low, x), like(xp, high, x)

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        low, high = self._at(xp, x)
        below, above = low - slack(xp, x) * xp.abs(low), high + slack(xp, x) * xp.abs(high)
        return xp.all((x >= below - tolerance) & (x <= above + tolerance), axis=-1)

    def _project(self, xp: Any, x: Array) -> Array:
        low, high = self._at(xp, x)
        return between(xp, x, low, high)

    def _worst(self, xp: Any, g: Array) -> Array:
        low, high = self._at(xp, g)
        idle = between(xp, xp.zeros_like(g), low, high)
        return xp.where(g > 0, low, xp.where(g < 0, high, idle))

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        xp, u = as_array("sample", _draw.uniform(rng, (*shape, dim)))
        low, high = self._at(xp, u)
        return xp.minimum(low + (high - low) * u, high)

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        least, most = self._at(xp, x)
        least, most = xp.maximum(least, low), xp.minimum(most, high)
        if xp.any(least > most):
            raise ValueError(f"no member of {self!r} lies between low={low} and high={high}")
        return between(xp, x, low, high)  # x is in the interval, so that moving it into the box keeps it there


Box = Interval
