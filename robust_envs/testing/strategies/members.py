"""Strategies for what lies in a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from robust_envs.sets import AmbiguitySet, Finite, Joint, PerEpisode, Product, Scenarios, Switch, UncertaintySet
from robust_envs.testing.strategies._numbers import count, rows

__all__ = ["RESOLUTION", "distributions", "members", "place"]

Array = NDArray[np.float64]
Rows = st.SearchStrategy[Array]

RESOLUTION = 64
"""Steps from the nominal value to the border of a set."""
_MIXED = 4  # how many extreme members a drawn distribution is mixed from


def members(of: UncertaintySet | AmbiguitySet, nominal: Any = None, *, resolution: int = RESOLUTION) -> Rows:
    """Generate members of a set.

    A vector of integers k in [-resolution, resolution] says how far each coordinate goes from the nominal value
    (0) to the border of the set's box; the point is then projected onto the set. So examples shrink towards "no
    perturbation" (or the member nearest to it), the border is drawn often, and `hypothesis.target` climbs.

    A distribution is mixed from the nominal one and extreme members, which minimise <p, -k> for such vectors k.

    Args:
        of: A bound `UncertaintySet`, or an `AmbiguitySet`.
        nominal: (n,) the nominal distribution, for an `AmbiguitySet` only; `Scenarios` needs none.
        resolution: Steps of the lattice, >= 1.

    Returns:
        A strategy of arrays: deltas, shape (dim,), float64; for `Finite` on Discrete the action, shape (1,);
        distributions, shape (n,).

    Raises:
        ValueError: If the set is unbound, is a `Switch`, or lacks its nominal distribution.
        TypeError: If `of` is not a set.

    Example:
        >>> import numpy as np
        >>> from hypothesis import find
        >>> from robust_envs import L2
        >>> from robust_envs.testing.strategies import members
        >>> find(members(L2(0.5).bind(2)), lambda delta: np.any(delta != 0)).shape
        (2,)
    """
    resolution = count("resolution", resolution)
    if isinstance(of, AmbiguitySet):
        return _distributions_in(of, nominal, resolution)
    if not isinstance(of, UncertaintySet):
        raise TypeError(f"of must be an uncertainty set or a set of distributions, got of={of!r}")
    if nominal is not None:
        raise ValueError(f"nominal is for sets of distributions, deltas have none, got nominal={nominal!r}")
    return _deltas(of, resolution)


def distributions(n: int, *, resolution: int = 16) -> Rows:
    """Generate distributions over n places, some places empty; examples shrink towards the uniform one.

    Args:
        n: Number of places, >= 1.
        resolution: Largest weight of a place before the weights are divided by their sum, >= 1.

    Returns:
        A strategy of arrays, shape (n,), entries >= 0 with sum 1.

    Example:
        >>> from hypothesis import find
        >>> from robust_envs.testing.strategies import distributions
        >>> find(distributions(4), lambda p: True)
        array([0.25, 0.25, 0.25, 0.25])
    """
    weights = st.tuples(*[st.integers(0, count("resolution", resolution))] * count("n", n))
    return weights.map(_shares)


def place(of: UncertaintySet, integers: Any, resolution: int) -> Array:
    """Turn integers, (..., dim), into members: 0 is the nominal value, `resolution` the border of the set's box.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Linf
        >>> place(Linf(0.5).bind(2), np.array([0, -64]), 64)
        array([ 0. , -0.5])
    """
    box = of.bounds
    centre = of.project(np.zeros(box.shape))
    share = np.asarray(integers) / resolution
    return np.asarray(of.project(centre + share * np.where(share > 0, box.high - centre, centre - box.low)), np.float64)


def _shares(weights: Sequence[int]) -> Array:
    drawn = np.asarray(weights, np.float64)
    return drawn / drawn.sum() if drawn.any() else np.full(len(drawn), 1 / len(drawn))


def _deltas(of: UncertaintySet, resolution: int) -> Rows:
    if isinstance(of, Switch):
        raise ValueError(f"of must hold deltas, got {of!r}, which says how often an action is replaced")
    if isinstance(of, Joint | PerEpisode):
        return _deltas(of.inner, resolution)
    if of.dim is None:
        raise ValueError(f"of must be bound to a space, got of={of!r}: of.bind(space) or of.bind(dim)")
    if isinstance(of, Finite):
        return _listed(np.asarray(of.grid(len(of.members))), by_size=not of.discrete)
    if isinstance(of, Product):
        return st.tuples(*[_deltas(part, resolution) for part in of.parts.values()]).map(np.concatenate)
    return rows(of.dim, resolution).map(lambda integers: place(of, integers, resolution))


def _listed(points: Array, *, by_size: bool) -> Rows:
    order = np.argsort(np.abs(points).sum(axis=1), kind="stable") if by_size else np.arange(len(points))
    return st.sampled_from([int(k) for k in order]).map(lambda k: points[k].copy())


def _distributions_in(of: AmbiguitySet, nominal: Any, resolution: int) -> Rows:
    if isinstance(of, Scenarios):
        return _listed(np.asarray(of.members), by_size=False)
    if nominal is None:
        raise ValueError(f"nominal must be given: the members of {of!r} lie around a distribution, got nominal=None")
    start = np.asarray(nominal, np.float64)
    of.worst_case(np.zeros(start.shape), start)  # refuses what is no distribution, here and not while drawing
    pull = st.tuples(st.integers(0, resolution), rows(len(start), resolution))

    def mix(pulls: Sequence[tuple[int, Any]]) -> Array:
        spare, p = resolution, start.copy()
        for weight, direction in pulls:
            weight = min(weight, spare)
            _, extreme = of.worst_case(-direction.astype(np.float64), start)
            p = p + weight / resolution * (np.asarray(extreme) - start)
            spare -= weight
        return np.maximum(p, 0.0)

    return st.lists(pull, max_size=_MIXED).map(mix)
