"""Sets for the parts of a Dict or Tuple space."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.names import close_match
from robust_envs.sets import _check
from robust_envs.sets._geometry import Array, as_array
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.finite import Switch
from robust_envs.sets.wrapping import Wrapping


class Parts(Mapping[str | int, UncertaintySet]):
    """A read-only, hashable dict of sets in a fixed order."""

    def __init__(self, parts: Mapping[str | int, UncertaintySet]) -> None:
        self._parts = dict(parts)

    def __getitem__(self, key: str | int) -> UncertaintySet:
        return self._parts[key]

    def __iter__(self) -> Iterator[str | int]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __eq__(self, other: object) -> bool:
        # Order counts: it lays out the coordinates.
        return isinstance(other, Parts) and list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return repr(self._parts)


@dataclass(frozen=True, repr=False)
class Product(UncertaintySet):
    """Give parts of a Dict or Tuple space sets of their own: the product of the sets.

    A delta is the concatenation of the parts' deltas in the order of `parts`; parts of the space that are not
    named are left alone.

    Args:
        parts: a set for each perturbed part, by its key (Dict) or index (Tuple). A part that is itself a Dict or
            Tuple takes a `Product`.

    Raises:
        ValueError: if there is no part, or a part is a `Joint`, `PerEpisode` or `Switch`.
        TypeError: if `parts` is not a mapping from str or int to sets.

    Example:
        >>> from gymnasium.spaces import Box, Dict
        >>> from robust_envs.sets import L2, Linf, Product
        >>> both = Product({"position": Linf(0.1), "velocity": L2(1.0)})
        >>> box = Box(-1, 1, (2,))
        >>> both = both.bind(Dict(position=box, velocity=box, mass=box))
        >>> both.dim, both.slices["velocity"]
        (4, slice(2, 4, None))
        >>> both.project([1.0, 0.0, 3.0, 4.0])
        array([0.1, 0. , 0.6, 0.8])
    """

    parts: Mapping[str | int, UncertaintySet]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, Mapping):
            raise TypeError(f"parts must be a mapping from parts to sets, got parts={self.parts!r}")
        if not self.parts:
            raise ValueError("parts must not be empty, got parts={}")
        for key, part in self.parts.items():
            _check_part(key, part)
        object.__setattr__(self, "parts", Parts(self.parts))

    @property
    def dim(self) -> int | None:
        dims = [part.dim for part in self.parts.values() if part.dim is not None]
        return sum(dims) if len(dims) == len(self.parts) else None

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names like position[0], or position.x where the part has names; None when unbound."""
        if self.dim is None:
            return None
        return tuple(f"{key}{name}" for key, part in self.parts.items() for name in _part_names(part))

    @property
    def slices(self) -> dict[str | int, slice]:
        """Where each part lies in a delta.

        Raises:
            ValueError: if the set is unbound.
        """
        self._need_dim("slices")
        slices, start = {}, 0
        for key, part in self.parts.items():
            slices[key] = slice(start, start + (part.dim or 0))
            start = slices[key].stop
        return slices

    @property
    def is_zero(self) -> bool:
        return all(part.is_zero for part in self.parts.values())

    @property
    def monotone(self) -> bool:
        return all(part.monotone for part in self.parts.values())

    def bind(self, space: gym.Space[Any] | int) -> Self:
        if isinstance(space, gym.spaces.Dict | gym.spaces.Tuple):
            return type(self)({key: _bind_part(space, key, part) for key, part in self.parts.items()})
        if isinstance(space, gym.Space):
            raise ValueError(f"Product cannot act on a {type(space).__name__} space: it is for Dict and Tuple")
        if self.dim != _check.count("space", space):
            raise ValueError(f"Product must be bound to a Dict or Tuple space, which has parts, got space={space!r}")
        return self

    def scaled(self, c: float) -> Self:
        return type(self)({key: part.scaled(c) for key, part in self.parts.items()})

    def _pairs(self) -> list[tuple[UncertaintySet, slice]]:
        return list(zip(self.parts.values(), self.slices.values(), strict=True))

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        boxes = [part.bounds for part in self.parts.values()]
        return np.concatenate([box.low for box in boxes]), np.concatenate([box.high for box in boxes])

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        tolerance = xp.broadcast_to(tolerance, x.shape)
        inside = [part._contains(xp, x[..., at], tolerance[..., at]) for part, at in self._pairs()]
        return xp.all(xp.stack(inside), axis=0)

    def _project(self, xp: Any, x: Array) -> Array:
        return xp.concat([part._project(xp, x[..., at]) for part, at in self._pairs()], axis=-1)

    def _worst(self, xp: Any, g: Array) -> Array:
        return xp.concat([part._worst(xp, g[..., at]) for part, at in self._pairs()], axis=-1)

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        drawn = [part.sample(rng, shape) for part in self.parts.values()]
        xp, _ = as_array("sample", drawn[0])
        return xp.concat(drawn, axis=-1)

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        low, high = xp.broadcast_to(low, x.shape), xp.broadcast_to(high, x.shape)
        fitted = [part._fit(xp, x[..., at], low[..., at], high[..., at]) for part, at in self._pairs()]
        return xp.concat(fitted, axis=-1)


def _check_part(key: object, part: object) -> None:
    if isinstance(key, bool) or not isinstance(key, str | int) or not isinstance(part, UncertaintySet):
        raise TypeError(f"parts must map str or int to sets, got {key!r}: {part!r}")
    if isinstance(part, Wrapping | Switch):
        raise ValueError(
            f"parts must be plain sets: put joint, per_episode and per_state outside, got {key!r}: {part!r}"
        )


def _part_names(part: UncertaintySet) -> list[str]:
    if part.names is None:
        return [f"[{i}]" for i in range(part.dim or 0)]
    return [f".{name}" for name in part.names]


def _bind_part(space: Any, key: str | int, part: UncertaintySet) -> UncertaintySet:
    known = list(space.spaces) if isinstance(space, gym.spaces.Dict) else list(range(len(space.spaces)))
    if key not in known:
        raise ValueError(f"parts must be among {known}, got part {key!r}{close_match(key, known)}")
    subspace = space.spaces[key]
    if isinstance(subspace, gym.spaces.Discrete):
        raise ValueError(f"parts must be Box, Dict or Tuple spaces, got part {key!r}: {subspace}")
    try:
        return part.bind(subspace)
    except ValueError as error:
        raise ValueError(f"part {key!r}: {error}") from error
