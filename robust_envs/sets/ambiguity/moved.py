"""A set of distributions seen as a set of deltas about the nominal one."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets._geometry import Array, like
from robust_envs.sets.ambiguity.base import AmbiguitySet
from robust_envs.sets.base import UncertaintySet


@dataclass(frozen=True, repr=False)
class Moved(UncertaintySet):
    """Hold p - nominal for the distributions p of an ambiguity set.

    Args:
        around: the ambiguity set.
        nominal: the nominal distribution, (n,).
        share: of a way from the nominal to p, in [0, 1]; deltas are `share * (p - nominal)`.

    Example:
        >>> from robust_envs.sets import Moved, TotalVariation
        >>> Moved(TotalVariation(0.2), (0.5, 0.5)).worst([0.0, 1.0])
        array([ 0.2, -0.2])
    """

    around: AmbiguitySet
    nominal: tuple[float, ...]
    share: float = 1.0

    @property
    def dim(self) -> int:
        return len(self.nominal)

    @property
    def names(self) -> None:
        return None

    @property
    def is_zero(self) -> bool:
        return self.share == 0 or not np.any(np.asarray(getattr(self.around, "radius", 1.0)))

    @property
    def monotone(self) -> bool:
        return self.is_zero

    @property
    def radius(self) -> float:
        """The radius of the ambiguity set, if it has one."""
        return self.around.radius  # type: ignore[attr-defined, no-any-return]

    def with_radius(self, radius: float) -> Self:
        """Return the same set with another radius."""
        if not hasattr(self.around, "radius"):
            raise ValueError(f"radius can be set where a set has one, got {self.around!r}")
        return replace(self, around=replace(self.around, radius=radius))  # type: ignore[type-var]

    def bind(self, space: gym.Space[Any] | int) -> Self:
        return self

    def scaled(self, c: float) -> Self:
        if not 0 <= c <= 1:
            raise ValueError(f"c must be in [0, 1] for distributions, got c={c!r}")
        return replace(self, share=self.share * c)

    @cached_property
    def _p0(self) -> NDArray[np.float64]:
        return np.asarray(self.nominal)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        axes = np.eye(dim)
        return np.diagonal(self.worst(axes)).copy(), np.diagonal(self.worst(-axes)).copy()

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        if self.is_zero:
            return xp.all(xp.abs(x) <= tolerance, axis=-1)
        p = like(xp, self._p0, x) + x / self.share
        # a member that was written down as a delta and read back has rounded twice
        slack = float(np.max(np.asarray(tolerance))) / self.share + 1e-12
        return self.around.contains(p, self._p0, slack)

    def _project(self, xp: Any, x: Array) -> Array:
        if bool(xp.all(self._contains(xp, x, like(xp, 0.0, x)))):
            return x + 0.0
        p0 = like(xp, self._p0, x)
        return self.share * (self.around.project(p0 + x / self.share, self._p0) - p0)

    def _worst(self, xp: Any, g: Array) -> Array:
        p0 = like(xp, self._p0, g)
        return self.share * (self.around.worst_case(g, self._p0)[1] - p0)

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        return self.share * (self.around.sample(rng, self._p0, shape) - self._p0)

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        return x  # members are distributions: they fit wherever distributions do
