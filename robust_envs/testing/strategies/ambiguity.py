"""Strategies for sets of distributions, and for the games they act in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from robust_envs.sets import (
    KL,
    AmbiguitySet,
    ChiSquared,
    Contamination,
    CVaR,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    Scenarios,
    TotalVariation,
    Wasserstein,
)
from robust_envs.testing.strategies._numbers import STEP, count, sizes
from robust_envs.testing.strategies.members import distributions

__all__ = ["AMBIGUITY_KINDS", "ambiguity_sets", "markov_games"]

Kind = type[AmbiguitySet]
Sets = st.SearchStrategy[AmbiguitySet]

AMBIGUITY_KINDS: tuple[Kind, ...] = (
    TotalVariation,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    Contamination,
    KL,
    ReverseKL,
    ChiSquared,
    CVaR,
    Wasserstein,
    Scenarios,
)
"""All kinds of sets of distributions, simplest first."""
_FULL = {L1Ambiguity: 2.0, ChiSquared: 4.0, KL: 4.0, ReverseKL: 4.0, Wasserstein: 4.0}  # others: radius up to 1


def ambiguity_sets(n: int | None = None, *, kinds: Sequence[Kind] | None = None) -> Sets:
    """Generate sets of distributions over n places.

    Radii lie on an integer lattice, with and without `support_only`. Each kind shrinks towards the nominal
    distribution alone: radius 0, for `CVaR` alpha = 1; `Scenarios` towards the uniform distribution.

    Args:
        n: Number of places, >= 1, which `Wasserstein` and `Scenarios` must know; two to five by default. The other
            kinds act on any number.
        kinds: Classes to draw from, all by default.

    Returns:
        A strategy of `AmbiguitySet`.

    Raises:
        ValueError: If `kinds` names no such class, or `n` is not positive.
        TypeError: If `n` is not an int.

    Example:
        >>> from hypothesis import find
        >>> from robust_envs.testing.strategies import ambiguity_sets
        >>> from robust_envs import KL
        >>> find(ambiguity_sets(kinds=(KL,)), lambda members: members.radius > 1)
        KL(1.0625)
    """
    chosen = AMBIGUITY_KINDS if kinds is None else tuple(kinds)
    for kind in chosen:
        if kind not in AMBIGUITY_KINDS:
            raise ValueError(f"kinds must be among {', '.join(one.__name__ for one in AMBIGUITY_KINDS)}, got {kind!r}")
    if not chosen:
        raise ValueError("kinds must name at least one class, got none")
    if n is None:
        made = {places: ambiguity_sets(places, kinds=chosen) for places in range(2, 6)}
        return st.sampled_from(list(made)).flatmap(made.__getitem__)  # made once: making a strategy is slow
    places = count("n", n)
    return st.one_of([_make(kind, places) for kind in chosen])


def _make(kind: Kind, n: int) -> Sets:
    makers: dict[Kind, Callable[[], Sets]] = {
        Scenarios: partial(_scenarios, n),
        CVaR: lambda: st.integers(0, 15 * STEP).map(lambda k: CVaR(STEP / (STEP + k))),
        Wasserstein: partial(_transports, n),
    }
    if kind in makers:
        return makers[kind]()
    return st.builds(kind, sizes(_FULL.get(kind, 1.0)), support_only=st.booleans())


def _scenarios(n: int) -> Sets:
    return st.lists(distributions(n).map(tuple), min_size=1, max_size=4).map(Scenarios)


def _transports(n: int) -> Sets:
    """Draw places on a line: gaps > 0 make distances a metric."""
    gaps = st.tuples(*[st.integers(0, 2 * STEP)] * (n - 1))

    def make(radius: float, gaps: Sequence[int], support_only: bool) -> AmbiguitySet:
        at = np.concatenate([[0.0], np.cumsum(np.asarray(gaps, np.float64) / STEP + 1)])
        return Wasserstein(radius, np.abs(at[:, None] - at), support_only=support_only)

    return st.builds(make, sizes(_FULL[Wasserstein]), gaps, st.booleans())


def markov_games(
    *,
    players: int | None = None,
    states: int | None = None,
    actions: int | None = None,
    zero_sum: bool = False,
) -> st.SearchStrategy[Any]:
    """Generate small Markov games as arrays (`robust_envs.envs.MarkovGame`).

    Rewards are multiples of 1/16 in [-1, 1] and depend on state and actions; transitions have places that are never
    reached; the discount is one of 0, 1/16, ..., 15/16. Examples shrink towards one player with one action in one
    state that pays nothing.

    Args:
        players: How many, >= 1; one or two by default.
        states: How many, >= 1; one to three by default.
        actions: How many each player has, >= 1; one to three by default.
        zero_sum: Whether the second of two players gets minus what the first gets.

    Returns:
        A strategy of games.

    Raises:
        ValueError: If a number is not positive, or `zero_sum` is asked for other than two players.
        TypeError: If a number is not an int.
    """
    game: Any = import_module("robust_envs.envs").MarkovGame
    sizes = {"players": (players, 2), "states": (states, 3), "actions": (actions, 3)}
    if zero_sum and players not in (None, 2):
        raise ValueError(f"zero_sum is for two players, got players={players}")
    if zero_sum:
        sizes["players"] = (2, 2)
    drawn = [
        st.integers(1, most) if given is None else st.just(count(name, given)) for name, (given, most) in sizes.items()
    ]
    return st.tuples(*drawn).flatmap(lambda size: _games(game, *size, zero_sum=zero_sum))


def _games(game: Any, players: int, states: int, actions: int, *, zero_sum: bool) -> st.SearchStrategy[Any]:
    moves = (states, *[actions] * players)
    paid = players - zero_sum

    def make(pay: Any, weights: Any, discount: float) -> Any:
        rewards = np.concatenate([pay, -pay]) if zero_sum else pay
        sums = weights.sum(axis=-1, keepdims=True)
        shares = np.where(sums > 0, weights / np.maximum(sums, 1), 1 / states)
        return game(rewards / STEP, shares, discount)

    return st.builds(
        make,
        npst.arrays(np.int64, (paid, *moves), elements=st.integers(-STEP, STEP), fill=st.nothing()),
        npst.arrays(np.int64, (*moves, states), elements=st.integers(0, STEP), fill=st.nothing()),
        st.integers(0, STEP - 1).map(lambda k: k / STEP),
    )
