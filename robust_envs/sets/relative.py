"""Fractions of a nominal value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from robust_envs.sets import _check
from robust_envs.sets.ambiguity import AmbiguitySet
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.finite import Finite
from robust_envs.sets.interval import Interval
from robust_envs.sets.norms import Cube, Linf
from robust_envs.sets.product import Product
from robust_envs.sets.wrapping import Wrapping


class Relative(Cube):
    """Let every number move by a fraction of its nominal value: {d : |d_i| <= radius * |nominal_i|}.

    For physical parameters and states (``dynamics``, ``start``), which have a nominal value of a size of their own.
    As a set it holds fractions; where it meets a parameter, `around` makes a `Linf` of it.

    Args:
        radius: finite, >= 0; 0.2 is a fifth of the nominal value up or down.
        unit: finite, >= 0, a number or (dim,): `radius` in multiples of it; 0 pins a number.
        names: names of the coordinates.
        dim: number of coordinates; `bind` sets it.

    Raises:
        ValueError: if `radius` or `unit` is negative or not finite, or a length does not match.
        TypeError: if `radius` is not a number.

    Example:
        >>> from robust_envs.sets import Relative
        >>> Relative(0.1).around([9.8, -2.0])
        Linf(0.1, unit=(9.8, 2.0))
    """

    def around(self, nominal: Any) -> Linf:
        """Return the set of deltas about a nominal value, shape (dim,)."""
        numbers = np.abs(np.asarray(nominal, np.float64).reshape(-1))
        unit = numbers if self.unit is None else numbers * np.asarray(self.unit)
        return Linf(self.radius, unit=tuple(unit.tolist()), names=self.names)


@dataclass(frozen=True, repr=False)
class Shrunk(Wrapping):
    """Move the values that a set lists towards the nominal one: deltas times `factor`, once `around` knows them.

    Scaling an `Interval` or a `Finite` of values would scale the values: half of a mass in [0.8, 1.2] is another mass.

    Args:
        inner: the set of values.
        factor: finite, >= 0; 0 leaves the nominal value alone.
    """

    inner: UncertaintySet
    factor: float

    @property
    def is_zero(self) -> bool:
        return self.factor == 0 or self.inner.is_zero

    def scaled(self, c: float) -> Self:
        return replace(self, factor=self.factor * _check.at_least_zero("c", c))


def lists_values(members: UncertaintySet) -> bool:
    """Tell whether a set stands for values of a parameter, or for fractions, and needs its nominal value."""
    if isinstance(members, Wrapping):
        return lists_values(members.inner)
    return isinstance(members, Interval | Finite | Relative)


def lists_points(members: UncertaintySet) -> bool:
    """Tell whether a set lists values of a parameter, so that it may or may not hold the nominal one."""
    if isinstance(members, Wrapping):
        return lists_points(members.inner)
    return isinstance(members, Interval | Finite)


def around(members: UncertaintySet, nominal: Any) -> UncertaintySet:
    """Return the set of deltas about a nominal value.

    `Interval` and `Finite` list values of the parameter itself, `Relative` holds fractions; others hold deltas already.

    Args:
        members: any set; not bound.
        nominal: (dim,).

    Example:
        >>> from robust_envs.sets import Interval
        >>> around(Interval(0.5, 1.5), [1.0])
        Interval((-0.5,), (0.5,))
    """
    numbers = np.asarray(nominal, np.float64).reshape(-1)
    if isinstance(members, Shrunk):
        return around(members.inner, numbers).scaled(members.factor)
    if isinstance(members, Wrapping):
        return replace(members, inner=around(members.inner, numbers))  # type: ignore[type-var]
    if isinstance(members, Relative):
        return members.around(numbers)
    if isinstance(members, Interval):
        return replace(members, low=np.asarray(members.low) - numbers, high=np.asarray(members.high) - numbers)
    if isinstance(members, Finite):
        values = np.asarray(members.members)
        if values.shape[1] != len(numbers):
            raise ValueError(f"members must have {len(numbers)} numbers each, got {members!r}")
        return replace(members, members=members.scale * values - numbers, scale=1.0)
    return members


def towards_nominal(given: Any, c: float) -> Any:
    """Scale what a channel on the world was given: all deltas times `c`, values drawn towards the nominal one.

    Args:
        given: a set, a set of distributions, or a dict of such by parameter.
        c: finite, >= 0; 0 leaves the world alone.

    Raises:
        ValueError: for a set of distributions that has no radius.

    Example:
        >>> from robust_envs.sets import Interval, Linf
        >>> towards_nominal({"mass": Interval(0.5, 1.5), "damping": Linf(0.1)}, 0.5)
        {'mass': Shrunk(Interval(0.5, 1.5), 0.5), 'damping': Linf(0.05)}
    """
    if isinstance(given, Product):
        given = given.parts
    if isinstance(given, Mapping):
        return {name: towards_nominal(members, c) for name, members in given.items()}
    if isinstance(given, AmbiguitySet):
        if not hasattr(given, "radius"):
            raise ValueError(f"a set of distributions must have a radius to be scaled, got {given!r}")
        return replace(given, radius=_times(given.radius, c))  # type: ignore[type-var]
    if isinstance(given, Shrunk):
        return given.scaled(c)
    if isinstance(given, Wrapping):
        return replace(given, inner=towards_nominal(given.inner, c))  # type: ignore[type-var]
    return Shrunk(given, c) if isinstance(given, Interval | Finite) else given.scaled(c)


def _times(radius: Any, c: float) -> Any:
    return tuple(_times(one, c) for one in radius) if isinstance(radius, tuple) else c * radius
