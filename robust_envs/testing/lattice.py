"""Perturbations as whole numbers, 0 = nominal, and the nature that plays a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from robust_envs.names import key_of
from robust_envs.natures import Move
from robust_envs.natures.move import is_choice
from robust_envs.sets import Finite, UncertaintySet
from robust_envs.testing.counterexample import PerturbedStep
from robust_envs.testing.rules import nothing

__all__ = ["Q", "Script", "decode", "encode", "innermost"]

Array = np.ndarray[Any, np.dtype[Any]]
Q = 256
"""Steps from the nominal value to the border of a set: members at the border are met exactly."""


def innermost(members: UncertaintySet) -> UncertaintySet:
    """Return the set inside `joint` and `per_episode`."""
    while hasattr(members, "inner"):
        members = members.inner
    return members


def encode(delta: Array, members: UncertaintySet, q: int = Q, *, whole: bool = False) -> tuple[int, ...]:
    """Return the place of a delta on the lattice, rounded towards nominal so that it stays in the set.

    Args:
        delta: A member of the set, shape (dim,); of a discrete set of choices, the choice.
        members: The bound set of one step.
        q: Steps of the lattice.
        whole: Whether only whole deltas count: they are their own integers.

    Example:
        >>> from robust_envs import Linf
        >>> encode(np.array([0.1, -0.05]), Linf(0.1).bind(2), 256)
        (256, -128)
    """
    if isinstance(members, Finite):
        if members.discrete:
            return (int(delta[0]),)
        nearest = np.abs(np.asarray(members.members).reshape(-1, len(delta)) - delta).sum(axis=1).argmin()
        return (int(nearest) + 1,)
    if whole:
        return tuple(int(k) for k in np.trunc(delta))
    origin, up, down = _frame(members)
    gap = np.asarray(delta, np.float64) - origin
    size = np.where(gap >= 0, up, down)
    parts = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0) * q
    ints = np.clip(np.trunc(parts + 1e-6 * np.sign(parts)), -q, q)
    while not members.contains(_at(ints, members, q)) and ints.any():
        ints = np.trunc(ints * (1 - 1 / q))  # towards nominal, along a ray that leaves the set outwards only
    return tuple(int(k) for k in ints)


def decode(integers: Iterable[int], members: UncertaintySet, q: int = Q, *, whole: bool = False) -> Array:
    """Return the delta (or choice) at a place on the lattice.

    Raises:
        ValueError: If there is none there.

    Example:
        >>> from robust_envs import Linf
        >>> decode((256, -128), Linf(0.1).bind(2), 256)
        array([ 0.1 , -0.05])
    """
    ints = np.array(tuple(integers))
    if isinstance(members, Finite):
        if members.discrete:
            return ints
        rows = np.asarray(members.members, np.float64).reshape(len(members.members), -1)
        if not (len(ints) == 1 and 1 <= ints[0] <= len(rows)):
            raise ValueError(f"integers must be the number of one of {len(rows)} members, got {ints.tolist()}")
        return np.asarray(rows[ints[0] - 1])
    return ints.astype(np.float64) if whole else _at(ints, members, q)


def _at(ints: Array, members: UncertaintySet, q: int) -> Array:
    origin, up, down = _frame(members)
    return np.asarray(origin + np.where(ints >= 0, up, down) * (ints / q))


def _frame(members: UncertaintySet) -> tuple[Array, Array, Array]:
    """Return the member nearest to nominal and how far the set's box reaches from it upwards and downwards."""
    low, high = members.bounds.low, members.bounds.high
    origin = np.zeros(len(low)) if members.monotone else np.asarray(members.project(np.zeros(len(low))))
    return origin, high - origin, origin - low


class Script:
    """Play listed moves by heart; every other move is nominal.

    Attributes:
        asked: The listed moves that came about in the latest episode, by (channel, agent, time).
        barred: Those that named a choice that was not there: they were nominal.

    Args:
        steps: The moves on the lattice.
        members: The bound set of one step, by (channel, agent) with ``"*"`` for several.
        q: Steps of the lattice.
        whole: Places where only whole deltas count.
    """

    def __init__(
        self,
        steps: Iterable[PerturbedStep],
        members: Mapping[tuple[str, str], UncertaintySet],
        q: int = Q,
        *,
        whole: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.barred: list[tuple[str, str, int]] = []
        self.asked: set[tuple[str, str, int]] = set()
        self.moves: dict[tuple[str, str, int], Array] = {}
        kinds = set(whole)
        for t, agent, channel, integers in steps:
            known = members.get((channel, agent))
            if known is not None:
                label = channel, agent
                self.moves[channel, agent, t] = decode(integers, known, q, whole=label in kinds)

    def begin(self) -> None:
        """Start an episode: nothing has been played yet."""
        self.barred, self.asked = [], set()

    def __call__(self, move: Move) -> Any:
        agent = key_of(move.agent)
        target = self.moves.get((move.channel, agent, move.step))
        if target is None:
            return nothing(move)
        self.asked.add((move.channel, agent, move.step))
        if is_choice(move):
            legal = np.asarray(move.set.members).reshape(-1)  # type: ignore[attr-defined]
            if target[0] in legal or target[0] == move.nominal[0]:
                return target
            self.barred.append((move.channel, agent, move.step))
            return move.nominal
        return target
