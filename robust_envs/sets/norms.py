"""The balls of the max norm, the sum norm and the Euclidean norm."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import array_api_compat as aac
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import (
    Array,
    as_array,
    between,
    in_pieces,
    like,
    nonzero,
    norm,
    onto_l1,
    onto_l2,
    ratio,
    slack,
    where_outside,
)
from robust_envs.sets.simple import ClippingSet


@dataclass(frozen=True, repr=False)
class Ball(ClippingSet):
    """Share what all norm balls {d : |d / unit| <= radius} have in common: half-widths a_i = radius * unit_i."""

    radius: float
    unit: float | Sequence[float] | NDArray[Any] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._set(radius=_check.at_least_zero("radius", self.radius))
        if self.unit is not None:
            unit = _check.vector("unit", self.unit, "be finite and >= 0", 0.0)
            self._set(unit=unit)
            _check.number("radius * unit", self.radius * (max(unit) if isinstance(unit, tuple) else unit))
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return not (self.radius and np.any(np.asarray(1.0 if self.unit is None else self.unit)))

    def with_radius(self, radius: float) -> Self:
        """Return the same set with another radius, finite and >= 0."""
        return replace(self, radius=radius)

    def scaled(self, c: float) -> Self:
        return replace(self, radius=self.radius * _check.at_least_zero("c", c))

    def _check_dim(self, dim: int) -> None:
        super()._check_dim(dim)
        _check.length("unit", self.unit, dim)

    @cached_property
    def _axes(self) -> NDArray[np.float64]:
        return self.radius * _check.spread(1.0 if self.unit is None else self.unit, self._need_dim("the ball"))

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(self._axes > 0)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return 0.0 - self._axes, self._axes

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        free = self._free
        xp, inner = as_array("sample", self._unit_sample(rng, shape, len(free)))
        inner = inner * like(xp, self._axes[free], inner)
        if len(free) == dim:
            return inner
        delta = xp.zeros((*shape, dim), dtype=inner.dtype, device=aac.device(inner))
        delta[..., free] = inner
        return delta

    @abstractmethod
    def _unit_sample(self, rng: Any, shape: tuple[int, ...], free: int) -> Array:
        """Draw uniformly from the unit ball in `free` dimensions."""


class Linf(Ball):
    """Let every coordinate move on its own: {d : max_i |d_i| / unit_i <= radius}.

    For a single number all norms agree: `Linf(r)`, `L1(r)` and `L2(r)` are then one set, [-r, r].

    Args:
        radius: finite, >= 0, in the units of the perturbed quantity, or in multiples of `unit`.
        unit: finite, >= 0, a number or (dim,); 0 pins a coordinate.
        names: names of the coordinates.
        dim: number of coordinates; `bind` sets it.

    Raises:
        ValueError: if `radius` or `unit` is negative or not finite, or a length does not match.
        TypeError: if `radius` is not a number.

    Example:
        >>> from robust_envs.sets import Linf
        >>> Linf(0.1).project([0.5, -0.05])
        array([ 0.1 , -0.05])
        >>> Linf(2.0).worst([1.0, -3.0])
        array([-2.,  2.])
    """

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        return xp.all(xp.abs(x) <= like(xp, self._axes, x) * (1 + slack(xp, x)) + tolerance, axis=-1)

    def _project(self, xp: Any, x: Array) -> Array:
        axes = like(xp, self._axes, x)
        return between(xp, x, -axes, axes)

    def _worst(self, xp: Any, g: Array) -> Array:
        return -like(xp, self._axes, g) * xp.sign(g)

    def _unit_sample(self, rng: Any, shape: tuple[int, ...], free: int) -> Array:
        return 2 * _draw.uniform(rng, (*shape, free)) - 1


class L1(Ball):
    """Share one budget among the coordinates: {d : sum_i |d_i| / unit_i <= radius}.

    For a single number all norms agree: `Linf(r)`, `L1(r)` and `L2(r)` are then one set, [-r, r].

    Args:
        radius: finite, >= 0, in the units of the perturbed quantity, or in multiples of `unit`.
        unit: finite, >= 0, a number or (dim,); 0 pins a coordinate.
        names: names of the coordinates.
        dim: number of coordinates; `bind` sets it.

    Raises:
        ValueError: if `radius` or `unit` is negative or not finite, or a length does not match.
        TypeError: if `radius` is not a number.

    Example:
        >>> from robust_envs.sets import L1
        >>> L1(1.0).project([2.0, 0.5])
        array([1., 0.])
        >>> L1(2.0).worst([1.0, -3.0])
        array([0., 2.])

    References:
        Projection: J. Duchi, S. Shalev-Shwartz, Y. Singer, T. Chandra, 2008, Efficient projections onto the
        l1-ball for learning in high dimensions (here with weights); C. Michelot, 1986, A finite algorithm for finding
        the projection of a point onto the canonical simplex of R^n. Sampling: F. Barthe, O. Guedon, S. Mendelson,
        A. Naor, 2005, A probabilistic approach to the geometry of the l_p^n-ball, theorem 1.
    """

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        return xp.sum(ratio(xp, x, like(xp, self._axes, x), tolerance), axis=-1) <= 1 + slack(xp, x)

    def _project(self, xp: Any, x: Array) -> Array:
        return in_pieces(xp, lambda rows: self._project_rows(xp, rows), x)

    def _project_rows(self, xp: Any, x: Array) -> Array:
        axes = self._axes
        if axes[0] > 0 and np.all(axes == axes[0]):  # the same answer as `_contains`, in fewer passes
            inside = xp.sum(xp.abs(x), axis=-1) <= float(axes[0]) * (1 + slack(xp, x))
        else:
            inside = self._contains(xp, x, like(xp, 0.0, x))
        return where_outside(xp, inside, lambda rows: onto_l1(xp, rows, like(xp, axes, x)), x)

    def _worst(self, xp: Any, g: Array) -> Array:
        axes = like(xp, self._axes, g)
        best = xp.argmax(xp.abs(g) * axes, axis=-1, keepdims=True)
        chosen = xp.arange(g.shape[-1], device=aac.device(g)) == best
        return xp.where(chosen, -axes * xp.sign(g), xp.zeros_like(g))

    def _unit_sample(self, rng: Any, shape: tuple[int, ...], free: int) -> Array:
        g = _draw.laplace(rng, (*shape, free + 1))
        return g[..., :free] / abs(g).sum(-1)[..., None]


class L2(Ball):
    """Bound the Euclidean length: {d : sum_i (d_i / unit_i)^2 <= radius^2}, with `unit` an axis-aligned ellipsoid.

    For a single number all norms agree: `Linf(r)`, `L1(r)` and `L2(r)` are then one set, [-r, r]. So a scalar
    reward has no L2 of its own per agent; `joint(L2(r))` couples the rewards of all agents.

    Args:
        radius: finite, >= 0, in the units of the perturbed quantity, or in multiples of `unit`.
        unit: finite, >= 0, a number or (dim,); 0 pins a coordinate.
        names: names of the coordinates.
        dim: number of coordinates; `bind` sets it.

    Raises:
        ValueError: if `radius` or `unit` is negative or not finite, or a length does not match.
        TypeError: if `radius` is not a number.

    Example:
        >>> from robust_envs.sets import L2
        >>> L2(1.0).project([3.0, 4.0])
        array([0.6, 0.8])
        >>> L2(5.0).worst([3.0, -4.0])
        array([-3.,  4.])

    References:
        Sampling: F. Barthe, O. Guedon, S. Mendelson, A. Naor, 2005, A probabilistic approach to the geometry of
        the l_p^n-ball, theorem 1 (with the exponential drawn as two more normals).
    """

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        size = ratio(xp, x, like(xp, self._axes, x), tolerance)
        return xp.sqrt(xp.sum(size**2, axis=-1)) <= 1 + slack(xp, x)

    def _project(self, xp: Any, x: Array) -> Array:
        inside = self._contains(xp, x, like(xp, 0.0, x))[..., None]
        return x + 0.0 if xp.all(inside) else xp.where(inside, x, onto_l2(xp, x, like(xp, self._axes, x)))

    def _worst(self, xp: Any, g: Array) -> Array:
        axes = like(xp, self._axes, g)
        pull = axes * (g / nonzero(xp, norm(xp, g)))
        return -axes * (pull / nonzero(xp, norm(xp, pull)))

    def _unit_sample(self, rng: Any, shape: tuple[int, ...], free: int) -> Array:
        return unit_l2(rng, shape, free)


def unit_l2(rng: Any, shape: tuple[int, ...], dim: int) -> Array:
    """Draw uniformly from the Euclidean unit ball: the first coordinates of a point on a sphere two dimensions up."""
    g = _draw.normal(rng, (*shape, dim + 2))
    return g[..., :dim] / (g**2).sum(-1)[..., None] ** 0.5
