"""Strategies for uncertainty sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from gymnasium import spaces
from hypothesis import strategies as st

from robust_envs.sets import (
    L1,
    L2,
    Budgeted,
    Ellipsoid,
    Finite,
    Interval,
    Joint,
    Linf,
    PerEpisode,
    Product,
    Switch,
    UncertaintySet,
    joint,
    per_episode,
)
from robust_envs.testing.strategies._numbers import count, signed, sizes

__all__ = ["KINDS", "uncertainty_sets"]

Kind = type[UncertaintySet]
Sets = st.SearchStrategy[UncertaintySet]

KINDS: tuple[Kind, ...] = (Linf, L1, L2, Interval, Budgeted, Finite, Ellipsoid)
"""The kinds that act on plain numbers, simplest first."""


def uncertainty_sets(
    space: spaces.Space[Any] | int | None = None,
    *,
    kinds: Sequence[Kind] | None = None,
    nominal: bool = False,
) -> Sets:
    """Generate uncertainty sets, bound to a space.

    Radii, units, corners and members lie on integer lattices, so that every number is an exact float. Examples shrink
    towards `Linf` of radius 0: no perturbation at all.

    Args:
        space: What the sets are bound to: a Box, Discrete, Dict or Tuple space, or a number of coordinates. By
            default between one and four coordinates. On a Box of integers sets have whole radii, corners and members;
            on Discrete they are `Finite` or `Switch`; on Dict and Tuple a `Product` over some of the Boxes.
        kinds: Classes to draw from: for numbers `Linf`, `L1`, `L2`, `Interval`, `Budgeted`, `Finite`, `Ellipsoid` (all
            by default), and `Joint` and `PerEpisode`, which draw what they hold; for Discrete `Finite`, `Switch`.
        nominal: Whether every set must hold 0: then intervals and finite sets do, too.

    Returns:
        A strategy of bound sets.

    Raises:
        ValueError: For a kind that does not act on the space, or a space that no set acts on.
        TypeError: If `space` or `kinds` is neither.

    Example:
        >>> from hypothesis import find
        >>> from robust_envs.testing.strategies import uncertainty_sets
        >>> find(uncertainty_sets(2), lambda members: not members.is_zero)
        Linf(0.0625, dim=2)
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        return _products(space, _known(kinds, (Product, *KINDS)), nominal)
    if isinstance(space, spaces.Discrete):
        return st.one_of([_choices(kind, space) for kind in _known(kinds, (Finite, Switch))])
    chosen = _known(kinds, (*KINDS, PerEpisode, Joint), usual=KINDS)
    if space is None:
        made = {dim: _numbers(dim, dim, chosen, nominal, whole=False) for dim in range(1, 5)}
        return st.sampled_from(list(made)).flatmap(made.__getitem__)  # made once: making a strategy is slow
    if isinstance(space, spaces.Box):
        whole = np.dtype(space.dtype).kind in "iu"
        return _numbers(space, int(np.prod(space.shape)), chosen, nominal, whole=whole)
    if isinstance(space, spaces.Space):
        raise ValueError(f"space must be a Box, Discrete, Dict or Tuple to hold an uncertainty set, got space={space}")
    dim = count("space", space)
    return _numbers(dim, dim, chosen, nominal, whole=False)


def _known(kinds: Sequence[Kind] | None, possible: Sequence[Kind], usual: Sequence[Kind] | None = None) -> list[Kind]:
    if kinds is None:
        return list(possible if usual is None else usual)
    if isinstance(kinds, type) or not all(isinstance(kind, type) for kind in kinds):
        raise TypeError(f"kinds must be a sequence of classes of sets, got kinds={kinds!r}")
    for kind in kinds:
        if kind not in possible:
            names = ", ".join(one.__name__ for one in possible)
            raise ValueError(f"kinds must be among {names} here, got {kind.__name__}")
    if not kinds:
        raise ValueError("kinds must name at least one class, got none")
    return list(kinds)


def _numbers(space: Any, dim: int, kinds: Sequence[Kind], nominal: bool, *, whole: bool) -> Sets:
    found = [_make(kind, dim, nominal, whole) for kind in kinds]
    return st.one_of(found).map(lambda members: members.bind(space))


def _make(kind: Kind, dim: int, nominal: bool, whole: bool) -> Sets:
    if kind is Joint:
        inner: list[Kind] = [*KINDS, PerEpisode]
        plain = [_make(one, dim, nominal, whole) for one in inner]
        return cast("Sets", st.one_of(plain).map(joint))
    if kind is PerEpisode:
        balls = st.one_of([_balls(one, dim, whole) for one in (Linf, L1, L2)])
        return st.builds(per_episode, balls, st.none() | st.integers(1, 20))
    makers: dict[Kind, Callable[[], Sets]] = {
        Interval: partial(_intervals, dim, nominal, whole),
        Finite: partial(_lists, dim, nominal, whole),
        Ellipsoid: partial(_ellipsoids, dim, whole),
    }
    return makers[kind]() if kind in makers else _balls(kind, dim, whole)


def _balls(kind: Kind, dim: int, whole: bool) -> Sets:
    units = st.none() | st.tuples(*[sizes(2, whole=whole)] * dim)
    if kind is Budgeted:
        return st.builds(Budgeted, sizes(whole=whole), sizes(dim + 1), unit=units)
    return st.builds(kind, sizes(whole=whole), unit=units)


def _intervals(dim: int, nominal: bool, whole: bool) -> Sets:
    reach = st.tuples(*[sizes(whole=whole)] * dim)
    shift = st.just((0.0,) * dim) if nominal else st.tuples(*[signed(2, whole=whole)] * dim)

    def make(below: Sequence[float], above: Sequence[float], shift: Sequence[float]) -> UncertaintySet:
        return Interval(np.subtract(shift, below), np.add(shift, above))

    return st.builds(make, reach, reach, shift)


def _lists(dim: int, nominal: bool, whole: bool) -> Sets:
    row = st.tuples(*[signed(whole=whole)] * dim)
    zero = [(0.0,) * dim] if nominal else []
    listed = st.lists(row, min_size=0 if nominal else 1, max_size=4)
    return listed.map(lambda members: Finite([*zero, *members]))


def _ellipsoids(dim: int, whole: bool) -> Sets:
    """Draw matrix = L L' with L lower triangular and, for a good condition, dominated by its diagonal."""
    diagonal = st.tuples(*[sizes(2)] * dim)
    below = st.just((0.0,) * (dim * dim)) if whole else st.tuples(*[signed(1)] * (dim * dim))

    def make(diagonal: Sequence[float], below: Sequence[float], radius: float) -> UncertaintySet:
        turned = np.tril(np.reshape(below, (dim, dim)), -1) / dim + np.eye(dim)
        factor = (np.asarray(diagonal) + 0.25)[:, None] * turned
        matrix = factor @ factor.T
        return Ellipsoid((matrix + matrix.T) / 2, radius)

    return st.builds(make, diagonal, below, sizes(whole=whole))


def _choices(kind: Kind, space: spaces.Discrete[Any]) -> Sets:
    if kind is Switch:
        return st.builds(Switch, sizes(1)).map(lambda members: members.bind(space))
    first = int(space.start)
    actions = st.lists(st.integers(first, first + int(space.n) - 1), min_size=1, max_size=int(space.n), unique=True)
    return actions.map(lambda members: Finite(members).bind(space))


def _products(space: spaces.Dict | spaces.Tuple[Any], kinds: Sequence[Kind], nominal: bool) -> Sets:
    items = dict(space.spaces) if isinstance(space, spaces.Dict) else dict(enumerate(space.spaces))
    plain = [kind for kind in kinds if kind is not Product]
    parts = {
        key: uncertainty_sets(part, kinds=plain or None, nominal=nominal)
        for key, part in items.items()
        if isinstance(part, spaces.Box) and key != "action_mask"
    }
    if not parts:
        raise ValueError(f"space must have a part that is a Box, got space={space}")
    names = st.lists(st.sampled_from(list(parts)), min_size=1, unique=True)
    chosen = names.flatmap(lambda keys: st.fixed_dictionaries({key: parts[key] for key in keys}))
    return chosen.map(lambda found: Product(found).bind(space))
