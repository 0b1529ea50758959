"""The ellipsoid with axes in any direction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check
from robust_envs.sets._geometry import Array, as_array, between, like, nonzero, norm, onto_l2, ratio, slack
from robust_envs.sets.norms import unit_l2
from robust_envs.sets.simple import SimpleSet


@dataclass(frozen=True, repr=False)
class Ellipsoid(SimpleSet):
    """Bound the Mahalanobis length: {d : d' matrix^-1 d <= radius^2}, which is radius * L * (unit ball), matrix = L L'.

    With a covariance as `matrix` this is the confidence region of a Gaussian error.

    Args:
        matrix: (dim, dim), symmetric positive definite, in squared units of the perturbed quantity.
        radius: finite, >= 0, a plain number.
        names: names of the coordinates.
        dim: number of coordinates; `bind` checks it.

    Raises:
        ValueError: if `matrix` is not square, symmetric and positive definite, or `radius` is negative.
        TypeError: if `radius` is not a number.

    Example:
        >>> from robust_envs.sets import Ellipsoid
        >>> region = Ellipsoid([[9.0, 0.0], [0.0, 16.0]])
        >>> region.worst([1.0, 1.0])
        array([-1.8, -3.2])
        >>> region.contains([[2.9, 0.0], [2.9, 3.9]])
        array([ True, False])

    References:
        Projection: J. J. More, D. C. Sorensen, 1983, Computing a trust region step (the secular equation).
    """

    matrix: Sequence[Sequence[float]] | NDArray[Any]
    radius: float = 1.0

    def __post_init__(self) -> None:
        rows = _check.table("matrix", self.matrix)
        self._set(matrix=rows, radius=_check.at_least_zero("radius", self.radius))
        array = np.asarray(rows)
        if array.shape[0] != array.shape[1]:
            raise ValueError(f"matrix must be square, got matrix={rows!r}")
        if not np.allclose(array, array.T, rtol=1e-12, atol=1e-12 * float(np.abs(array).max())):
            raise ValueError(f"matrix must be symmetric, got matrix={rows!r}")
        values = np.linalg.eigvalsh(array)
        if not values[0] > len(values) * np.finfo(np.float64).eps * values[-1]:
            raise ValueError(f"matrix must be positive definite, got matrix={rows!r}")
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return self.radius == 0

    @property
    def monotone(self) -> bool:
        array = np.asarray(self.matrix)
        return self.is_zero or not np.any(array - np.diag(np.diag(array)))

    def with_radius(self, radius: float) -> Self:
        """Return the same set with another radius, finite and >= 0."""
        return replace(self, radius=radius)

    def scaled(self, c: float) -> Self:
        return replace(self, radius=self.radius * _check.at_least_zero("c", c))

    def _bind(self, dim: int, integer: bool) -> Self:
        if integer and not self.monotone:
            raise ValueError("Ellipsoid cannot act on an integer space: rounding leaves it; use Linf, L1 or L2")
        return super()._bind(dim, integer)

    def _check_dim(self, dim: int) -> None:
        super()._check_dim(dim)
        _check.length("matrix", self.matrix, dim)

    @cached_property
    def _frame(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Half-widths (dim,) and, as columns, the directions (dim, dim) of the principal axes."""
        values, directions = np.linalg.eigh(np.asarray(self.matrix))
        return self.radius * np.sqrt(values), directions

    def _at(self, xp: Any, x: Array) -> tuple[Array, Array]:
        axes, directions = self._frame
        return like(xp, axes, x), like(xp, directions, x)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        reach = self.radius * np.sqrt(np.diag(np.asarray(self.matrix)))
        return -reach, reach

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        axes, directions = self._at(xp, x)
        give = xp.matmul(xp.broadcast_to(tolerance, x.shape), xp.abs(directions))
        # Turning into the frame rounds relative to the longest axis, which matters on the shortest one.
        give = give + slack(xp, x) * xp.max(axes)
        with np.errstate(all="ignore"):  # infinity times the zeros of the frame is NaN, and NaN is outside
            turned = xp.matmul(x, directions)
        return norm(xp, ratio(xp, turned, axes, give))[..., 0] <= 1 + slack(xp, x)

    def _project(self, xp: Any, x: Array) -> Array:
        axes, directions = self._at(xp, x)
        inside = self._contains(xp, x, like(xp, 0.0, x))[..., None]
        if xp.all(inside):
            return x + 0.0
        near = onto_l2(xp, xp.matmul(x, directions), axes)
        return xp.where(inside, x, xp.matmul(near, directions.T))

    def _worst(self, xp: Any, g: Array) -> Array:
        axes, directions = self._at(xp, g)
        pull = axes * xp.matmul(g / nonzero(xp, norm(xp, g)), directions)
        return xp.matmul(-axes * (pull / nonzero(xp, norm(xp, pull))), directions.T)

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        xp, inner = as_array("sample", unit_l2(rng, shape, dim))
        axes, directions = self._at(xp, inner)
        return xp.matmul(inner * axes, directions.T)

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        if self.monotone:
            return between(xp, x, low, high)
        out, ones = (x < low) | (x > high), xp.ones_like(x)
        share = xp.where(out, xp.where(x > 0, high, low), ones) / xp.where(out, x, ones)
        return between(xp, x * xp.min(share, axis=-1, keepdims=True), low, high)
