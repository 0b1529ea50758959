"""What `Joint` and `PerEpisode` have in common."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets._geometry import Array
from robust_envs.sets.base import UncertaintySet


class Wrapping(UncertaintySet):
    """Share how a set that says where or when delegates what it holds to the set inside."""

    inner: UncertaintySet

    @property
    def dim(self) -> int | None:
        return self.inner.dim

    @property
    def names(self) -> tuple[str, ...] | None:
        return self.inner.names

    @property
    def is_zero(self) -> bool:
        return self.inner.is_zero

    @property
    def monotone(self) -> bool:
        return self.inner.monotone

    @property
    def radius(self) -> float:
        """The radius of the set inside, if that has one."""
        return self.inner.radius  # type: ignore[attr-defined, no-any-return]

    @property
    def with_radius(self) -> Callable[[float], Self]:
        """A function from a radius to the same set with that radius inside, if the set inside has one."""
        change = self.inner.with_radius  # type: ignore[attr-defined]
        return lambda radius: replace(self, inner=change(radius))  # type: ignore[type-var]

    def bind(self, space: gym.Space[Any] | int) -> Self:
        return replace(self, inner=self.inner.bind(space))  # type: ignore[type-var]

    def scaled(self, c: float) -> Self:
        return replace(self, inner=self.inner.scaled(c))  # type: ignore[type-var]

    def grid(self, n: int) -> NDArray[np.float64]:
        return self.inner.grid(n)

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.inner._bounds(dim)

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        return self.inner._contains(xp, x, tolerance)

    def _project(self, xp: Any, x: Array) -> Array:
        return self.inner._project(xp, x)

    def _worst(self, xp: Any, g: Array) -> Array:
        return self.inner._worst(xp, g)

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        return self.inner._sample(rng, shape, dim)

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        return self.inner._fit(xp, x, low, high)
