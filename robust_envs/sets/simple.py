"""Sets of plain vectors: coordinates, their names, and binding to a Box."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import gymnasium as gym
import numpy as np

from robust_envs.sets import _check
from robust_envs.sets._geometry import Array, between
from robust_envs.sets.base import UncertaintySet

PARTS = "use Product({part: set})"
MISFITS = {"Discrete": "use Finite([...]) or Switch(p)", "Dict": PARTS, "Tuple": PARTS}


@dataclass(frozen=True, repr=False)
class SimpleSet(UncertaintySet):
    """Share what sets of plain vectors have in common: coordinates, their names, and binding to a Box."""

    names: tuple[str, ...] | None = field(default=None, kw_only=True)
    dim: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._set(names=_check.labels(self.names))
        if self.dim is not None:
            self._set(dim=_check.count("dim", self.dim))
            self._check_dim(self.dim)

    def bind(self, space: gym.Space[Any] | int) -> Self:
        if isinstance(space, gym.spaces.Discrete):
            return self._bind_discrete(space)
        dim, integer = self._size(space)
        if self.dim is not None and self.dim != dim:
            raise ValueError(f"space must have {self.dim} coordinates for {self!r}, got space={space!r}")
        return self._bind(dim, integer)

    def _bind(self, dim: int, integer: bool) -> Self:
        return self if self.dim == dim else replace(self, dim=dim)

    def _bind_discrete(self, space: gym.spaces.Discrete) -> Self:
        raise ValueError(self._misfit(space))

    def _check_dim(self, dim: int) -> None:
        _check.length("names", self.names, dim)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)  # the way of frozen dataclasses to normalise their fields

    def _size(self, space: gym.Space[Any] | int) -> tuple[int, bool]:
        """Return (number of coordinates, whether values are integers)."""
        if isinstance(space, gym.spaces.Box):
            dim = int(np.prod(space.shape))
            if dim == 0:
                raise ValueError(f"space must have at least one coordinate, got space={space!r}")
            return dim, space.dtype.kind != "f"
        if isinstance(space, gym.Space):
            raise ValueError(self._misfit(space))
        return _check.count("space", space), False

    def _misfit(self, space: gym.Space[Any]) -> str:
        kind = type(space).__name__
        advice = MISFITS.get(kind, "only Box and Discrete spaces, or their parts, can be perturbed")
        return f"{type(self).__name__} cannot act on a {kind} space: {advice}"


class ClippingSet(SimpleSet):
    """Share how monotone sets fit a box: clipping a coordinate towards 0 never leaves them."""

    @property
    def monotone(self) -> bool:
        return True

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        return between(xp, x, low, high)
