"""What every uncertainty set can do."""

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check
from robust_envs.sets._geometry import Array, as_array, like

Shape = int | tuple[int, ...]


class UncertaintySet(ABC):
    """Hold the deltas nature may add to a nominal value.

    Elements are vectors on the last axis of an array; every operation is batched over the axes before it and
    serves numpy and torch. A set is a value: frozen, hashable, comparable, picklable, and `eval(repr(s)) == s`.
    `bind` fixes the number of coordinates; an unbound set takes it from the array it is given.
    Deltas are expected to be finite; `contains` answers False for NaN and infinity.
    """

    @property
    @abstractmethod
    def dim(self) -> int | None:
        """Number of coordinates; None before `bind`."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...] | None:
        """Names of the coordinates, if any were given."""

    @property
    @abstractmethod
    def is_zero(self) -> bool:
        """Whether the set is {0}: perturbing from it changes nothing."""

    @property
    @abstractmethod
    def monotone(self) -> bool:
        """Whether moving any coordinate of a member towards 0 stays inside (so clipping and truncating are safe)."""

    @abstractmethod
    def bind(self, space: gym.Space[Any] | int) -> Self:
        """Fix the number of coordinates to those of a space.

        Args:
            space: a gymnasium space the set can act on (most sets: Box), or a positive number of coordinates.

        Returns:
            The same set with `dim` fixed. Binding again to the same size changes nothing.

        Raises:
            ValueError: if the set cannot act on the space or a length does not match.
            TypeError: if `space` is neither a gymnasium space nor an int.

        Example:
            >>> from robust_envs.sets import L2
            >>> L2(0.5).bind(3)
            L2(0.5, dim=3)
        """

    @abstractmethod
    def scaled(self, c: float) -> Self:
        """Multiply all deltas by `c`.

        Args:
            c: finite, >= 0; 0 gives {0}.

        Returns:
            A set of the same kind.

        Raises:
            ValueError: if `c` is negative or not finite.
            TypeError: if `c` is not a number.

        Example:
            >>> from robust_envs.sets import Interval
            >>> Interval(-1.0, 2.0).scaled(0.5)
            Interval(-0.5, 1.0)
        """

    @property
    def bounds(self) -> gym.spaces.Box:
        """The smallest float64 Box around the set, shape (dim,).

        Raises:
            ValueError: if the set is unbound.

        Example:
            >>> from robust_envs.sets import L1
            >>> L1(2.0).bind(2).bounds
            Box(-2.0, 2.0, (2,), float64)
        """
        low, high = self._bounds(self._need_dim("bounds"))
        return gym.spaces.Box(low, high, dtype=np.float64)

    def contains(self, delta: Any, tolerance: Any = 0.0) -> Array:
        """Say which deltas are in the set, up to a few rounding errors.

        Args:
            delta: (..., dim).
            tolerance: absolute slack per coordinate, >= 0, a number or (..., dim): a delta passes if a member
                lies that near. For `Ellipsoid` the slack is mapped to a bound on its norm, which may let a
                little more pass.

        Returns:
            (...,) bools; NaN and infinity are never inside.

        Raises:
            ValueError: if the last axis does not have `dim` coordinates.

        Example:
            >>> from robust_envs.sets import L1
            >>> L1(1.0).contains([[0.5, -0.5], [0.6, 0.6]])
            array([ True, False])
        """
        xp, x, this = self._enter("delta", delta)
        return this._contains(xp, x, like(xp, tolerance, x))

    def project(self, delta: Any) -> Array:
        """Return the nearest member in Euclidean distance: argmin over y in the set of |y - delta|_2.

        Args:
            delta: (..., dim), finite.

        Returns:
            (..., dim), the same dtype; exactly `delta` where it is inside. A set of scattered points may have
            several nearest members: the first is taken.

        Raises:
            ValueError: if the last axis does not have `dim` coordinates.

        Example:
            >>> from robust_envs.sets import L2
            >>> L2(5.0).project([6.0, 8.0])
            array([3., 4.])
        """
        xp, x, this = self._enter("delta", delta)
        return this._project(xp, x)

    def worst(self, direction: Any) -> Array:
        """Return the member that does most harm: argmin over y in the set of <direction, y>.

        Args:
            direction: (..., dim), finite; for a reward this is the weight with which it counts.

        Returns:
            (..., dim), the same dtype.

        Raises:
            ValueError: if the last axis does not have `dim` coordinates.

        Example:
            >>> from robust_envs.sets import L2
            >>> L2(1.0).worst([3.0, 4.0])
            array([-0.6, -0.8])
        """
        xp, g, this = self._enter("direction", direction)
        return this._worst(xp, g)

    def sample(self, rng: Any, shape: Shape = ()) -> Array:
        """Draw uniformly from the set.

        Args:
            rng: numpy Generator (float64 on the CPU) or torch Generator (default dtype on its device).
            shape: how many independent draws.

        Returns:
            (*shape, dim).

        Raises:
            ValueError: if the set is unbound.
            TypeError: if `rng` is not a Generator.

        Example:
            >>> import numpy as np
            >>> from robust_envs.sets import L2
            >>> L2(1.0).bind(3).sample(np.random.default_rng(0), (4, 5)).shape
            (4, 5, 3)
        """
        dim = self._need_dim("sample")
        return self._sample(rng, (shape,) if isinstance(shape, int) else tuple(shape), dim)

    def fit(self, delta: Any, low: Any, high: Any) -> Array:
        """Return a member of the set inside the box [low, high], near to `delta`.

        Monotone sets clip, `Ellipsoid` shrinks along the ray to 0, an interval clips to what both allow,
        `Finite` takes its nearest member that fits.

        Args:
            delta: (..., dim), a member of the set.
            low: (..., dim) or a number, <= 0, may be -inf.
            high: (..., dim) or a number, >= 0, may be inf.

        Returns:
            (..., dim); exactly `delta` where it already fits.

        Raises:
            ValueError: if no member fits.

        Example:
            >>> from robust_envs.sets import L2
            >>> L2(1.0).fit([0.6, 0.8], -0.5, 0.7)
            array([0.6, 0.7])
        """
        xp, x, this = self._enter("delta", delta)
        return this._fit(xp, x, like(xp, low, x), like(xp, high, x))

    def grid(self, n: int) -> NDArray[np.float64]:
        """Return n extreme members: +axis 1, -axis 1, +axis 2, ..., then the same ring at 1/2, 1/3, ... of its size.

        Rings shrink towards the member nearest to 0; pinned coordinates have no place in the ring.

        Args:
            n: number of members, > 0.

        Returns:
            (n, dim).

        Raises:
            ValueError: if the set is unbound or `n` < 1.

        Example:
            >>> from robust_envs.sets import Linf
            >>> Linf(1.0).bind(2).grid(3)
            array([[ 1.,  0.],
                   [-1.,  0.],
                   [ 0.,  1.]])
        """
        dim, n = self._need_dim("grid"), _check.count("n", n)
        axes = np.concatenate([np.stack([-row, row]) for row in np.eye(dim)])
        centre = self.project(np.zeros(dim))
        ring = self.worst(axes)
        ring = ring[np.any(ring != self.worst(-axes), axis=-1)]
        if len(ring) == 0:
            return np.tile(centre, (n, 1))
        turns = np.arange(n)
        points = centre + (ring[turns % len(ring)] - centre) / (1 + turns // len(ring))[:, None]
        return np.asarray(self.project(points))  # matters where a part of a product is not convex

    def _enter(self, name: str, value: Any) -> tuple[Any, Array, Self]:
        xp, x = as_array(name, value)
        if self.dim is None:
            return xp, x, self.bind(x.shape[-1])
        if x.shape[-1] != self.dim:
            raise ValueError(f"{name} must have {self.dim} coordinates on its last axis, got shape {tuple(x.shape)}")
        return xp, x, self

    def _need_dim(self, what: str) -> int:
        if self.dim is None:
            raise ValueError(f"{what} needs the number of coordinates: bind {self!r} to a space first")
        return self.dim

    @abstractmethod
    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    @abstractmethod
    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array: ...

    @abstractmethod
    def _project(self, xp: Any, x: Array) -> Array: ...

    @abstractmethod
    def _worst(self, xp: Any, g: Array) -> Array: ...

    @abstractmethod
    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array: ...

    @abstractmethod
    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array: ...

    def __repr__(self) -> str:
        shown = []
        # Every concrete set is a dataclass; inherited keyword-only fields come first in it, but not in a call.
        for f in sorted(fields(self), key=lambda f: bool(f.kw_only)):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if not f.kw_only:
                shown.append(repr(value))
            elif value != f.default:
                shown.append(f"{f.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        # Cached arrays are derived from the fields and are left behind.
        return {f.name: self.__dict__[f.name] for f in fields(self)}  # type: ignore[arg-type]
