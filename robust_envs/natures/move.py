"""What nature is told when it moves, and what counts as a nature."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from robust_envs.sets import (
    Ellipsoid,
    Finite,
    Interval,
    Joint,
    Linf,
    PerEpisode,
    PerState,
    Product,
    Switch,
    UncertaintySet,
)

__all__ = ["Array", "Cue", "Move", "Nature", "Stretch", "cue", "draw_rows", "is_choice", "is_drawn", "leaves"]

Array = np.ndarray[Any, np.dtype[Any]]


class Move(NamedTuple):
    """All that nature knows when it moves.

    Attributes:
        channel: ``"reward"``, ``"observation"`` or ``"action"``.
        agent: Id of the agent it opposes, or the tuple of ids it covers when the set is `joint`.
        step: How often this nature has moved before in this episode.
        nominal: The nominal numbers, flat, shape (dim,).
        set: The deltas allowed now (with what is left of a budget). For a discrete space a `Finite` of the choices.
        seen: The nominal observation of the opposed agent(s), flat float32, mask removed.
        rng: Nature's own generator.
        episode: How many episodes this nature has been through before, whatever they were seeded with.
    """

    channel: str
    agent: str | tuple[str, ...]
    step: int
    nominal: Array
    set: UncertaintySet
    seen: Array
    rng: np.random.Generator
    episode: int = 0


Nature = Callable[[Move], Any]
"""Anything that answers a `Move` with a delta of shape (dim,), a member of ``move.set``
(for a discrete space: with the choice that replaces the nominal one)."""


class Stretch(NamedTuple):
    """Some moves in a row of one episode, as natures know them that do not look.

    Attributes:
        set: The deltas allowed.
        rng: Nature's own generator.
        coins: A generator apart for who moves when: what nature draws does not depend on it.
        first: Number of the first move, counted from the beginning of the episode.
        n: Number of moves.
        episode: How many episodes this nature has been through before.
        memory: Whatever a nature wants to keep until the end of the episode; a nature made of natures gives each part
            a memory of its own.
        whole: Whether what moves are integers.
    """

    set: UncertaintySet
    rng: np.random.Generator
    coins: np.random.Generator
    first: int
    n: int
    episode: int
    memory: dict[Any, Any]
    whole: bool = False

    @property
    def steps(self) -> Array:
        """The numbers of the moves, shape (n,)."""
        return np.arange(self.first, self.first + self.n)

    def of_part(self, part: int) -> Stretch:
        """The same moves for part number `part` of a nature made of natures."""
        return self._replace(memory=self.memory.setdefault(part, {}))


class Cue(NamedTuple):
    """Who makes the next move, and how.

    Attributes:
        nature: One that is not made of others.
        stretch: The one move, with the set this nature may choose from and the memory it has.
        share: Factor on what it chooses: the weight of nature's value in the mix with the nominal one.
        counts: Memories in which a move that changes something is counted, under ``"moved"``.
    """

    nature: Any
    stretch: Stretch
    share: float = 1.0
    counts: tuple[dict[Any, Any], ...] = ()

    def pay(self) -> None:
        """Count a move that changes something."""
        for memory in self.counts:
            memory["moved"] = memory.get("moved", 0) + 1


def cue(nature: Any, stretch: Stretch) -> Cue | None:
    """Ask natures made of others who makes the next move.

    Returns:
        The cue; ``None`` if nobody moves: the value is left alone.
    """
    found: Cue | None = Cue(nature, stretch)
    while found is not None and hasattr(found.nature, "pick"):
        inner = found.nature.pick(found.stretch)
        found = inner and inner._replace(share=found.share * inner.share, counts=found.counts + inner.counts)
    return found


def leaves(nature: Any) -> Iterator[Any]:
    """Yield the natures that a nature is made of in the end: itself, if of none."""
    if not hasattr(nature, "pick"):
        yield nature
        return
    for part in nature.parts:
        yield from leaves(part)


def is_drawn(nature: Any) -> bool:
    """Tell whether a nature does not look: its moves can be drawn many at a time."""
    if hasattr(nature, "pick"):
        return not nature.looks and all(map(is_drawn, nature.parts))
    return hasattr(nature, "block") or hasattr(nature, "course")


def draw_rows(nature: Any, stretch: Stretch) -> Array:
    """Draw moves of a nature that does not look, shape (n, dim): by its ``course``, else by its ``block``."""
    if hasattr(nature, "course"):
        return np.asarray(nature.course(stretch))
    rows = np.asarray(nature.block(stretch.set, stretch.rng, stretch.n))
    uniform = getattr(nature, "spreads", False)
    return whole_numbers(rows, stretch.set.bounds) if uniform and stretch.whole and _boxed(stretch.set) else rows


def _boxed(members: UncertaintySet) -> bool:
    return isinstance(members, Linf | Interval)


def whole_numbers(block: Array, bounds: Any) -> Array:
    """Turn uniform reals into uniform integers of the same box: rounding towards 0 would move nothing at radius 1."""
    low, high = np.ceil(bounds.low), np.floor(bounds.high)
    width = np.where(bounds.high > bounds.low, bounds.high - bounds.low, 1.0)
    return np.asarray(np.clip(low + np.floor((block - bounds.low) / width * (high - low + 1)), low, high))


def is_choice(move: Move) -> bool:
    """Tell whether the move replaces a discrete choice instead of adding a delta."""
    return discrete(move.set)


def discrete(members: UncertaintySet) -> bool:
    """Tell whether members replace a choice instead of being added."""
    return isinstance(members, Switch) or (isinstance(members, Finite) and members.discrete)


def size(members: UncertaintySet) -> int:
    """Return the number of coordinates."""
    assert members.dim is not None  # natures only ever meet bound sets
    return members.dim


def ball(members: UncertaintySet) -> UncertaintySet:
    """Return the set without what says over whom and over how long it stands."""
    while isinstance(members, Joint | PerEpisode | PerState):
        members = members.inner
    return members


def must_plan(members: UncertaintySet) -> bool:
    """Tell whether the set couples the steps of an episode whose length it was not told."""
    return is_budget(members) and getattr(members, "horizon", None) is None


def is_budget(members: UncertaintySet) -> bool:
    """Tell whether what is done at one step leaves less for the others."""
    return isinstance(members, PerEpisode) and not isinstance(ball(members), Linf)


def plan_message(name: str, members: UncertaintySet) -> str:
    """Say what a nature that must plan lacks."""
    return (
        f"{name}() must plan a budget over the episode and needs its length: per_episode(..., horizon=T), got {members}"
    )


def shrinks(members: UncertaintySet) -> bool:
    """Tell whether a fraction of a member is a member: the set is star-shaped about 0."""
    members = ball(members)
    if isinstance(members, Product):
        return all(map(shrinks, members.parts.values()))
    return not discrete(members) and (members.monotone or isinstance(members, Ellipsoid))


def check_shrinks(name: str, members: UncertaintySet) -> None:
    """Raise unless a fraction of a member is a member."""
    if discrete(members):
        raise ValueError(f"{name} adds deltas and cannot replace a choice, got {members}")
    if not shrinks(members):
        raise ValueError(f"{name} takes fractions of members: the set must hold them (and 0), got {members}")


def check_rests(name: str, members: UncertaintySet) -> None:
    """Raise unless nature may leave a value alone."""
    if not discrete(members) and not bool(np.all(ball(members).contains(np.zeros(size(members))))):
        raise ValueError(f"{name} leaves values alone at times: the set must hold 0, got {members}")
