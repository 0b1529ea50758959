"""A list of distributions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import Array, like
from robust_envs.sets.ambiguity._simplex import highest, lowest, total
from robust_envs.sets.ambiguity.base import AmbiguitySet, check_columns, check_distribution
from robust_envs.sets.base import Shape


@dataclass(frozen=True, repr=False)
class Scenarios(AmbiguitySet):
    """Let nature choose among finitely many distributions: {members_1, ..., members_K}.

    All mixtures of the members have the same worst case, so this also answers for finite mixtures. The set itself
    holds only the members; it does not depend on the nominal, which may be left out. `sample` takes each with equal
    probability.

    Args:
        members: (K, n), rows with entries >= 0 and sum 1, K >= 1.

    Raises:
        ValueError: if there is no member or one is no distribution.
        TypeError: if `members` is not made of numbers.

    Example:
        >>> from robust_envs.sets import Scenarios
        >>> Scenarios([[0.5, 0.5], [0.2, 0.8]]).worst_case([1.0, 0.0])
        (..., array([0.2, 0.8]))
    """

    members: Any

    def __post_init__(self) -> None:
        members = _check.table("members", self.members)
        check_distribution(np, "members", np.asarray(members))
        object.__setattr__(self, "members", members)

    def worst_case(self, values: Any, nominal: Any = None) -> tuple[Array, Array]:
        return super().worst_case(values, self._or_first(nominal))

    def contains(self, p: Any, nominal: Any = None, tolerance: float = 0.0) -> Array:
        return super().contains(p, self._or_first(nominal), tolerance)

    def project(self, q: Any, nominal: Any = None) -> Array:
        return super().project(q, self._or_first(nominal))

    def sample(self, rng: Any, nominal: Any = None, shape: Shape = ()) -> Array:
        return super().sample(rng, self._or_first(nominal), shape)

    def _or_first(self, nominal: Any) -> Any:
        return list(self.members[0]) if nominal is None else nominal

    @property
    def _level(self) -> float | NDArray[np.float64]:
        return 0.0

    def _worst_columns(self, xp: Any, v: Array, p0: Array, level: Array) -> tuple[Array, Array]:
        check_columns(xp, lowest(xp, v), highest(xp, v), p0)
        p = self._worst(xp, v, p0, level)
        return p, total(xp, p * v)

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        members = like(xp, np.asarray(self.members), y)
        return members[xp.argmin(members @ y, axis=0)].T

    def _spread(self, xp: Any, x: Array, p0: Array) -> tuple[Array, Array, Array]:
        if x.shape[-1] != len(self.members[0]):
            raise ValueError(f"members must have {x.shape[-1]} entries each, got {len(self.members[0])}")
        return super()._spread(xp, x, p0)

    def _gaps(self, xp: Any, p: Array) -> Array:
        return p[..., None, :] - like(xp, np.asarray(self.members), p)

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.min(xp.max(xp.abs(self._gaps(xp, p)), axis=-1), axis=-1)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        nearest = xp.argmin(xp.sum(self._gaps(xp, z.T) ** 2, axis=-1), axis=-1)
        return like(xp, np.asarray(self.members), z)[nearest].T

    def _sample(self, xp: Any, rng: Any, p0: Array, level: Array) -> Array:
        chosen = _draw.index(rng, len(self.members), tuple(p0.shape[:-1]))
        return like(xp, np.asarray(self.members), p0)[chosen]
