"""Strategies for who picks inside a set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from robust_envs.natures import (
    Drift,
    Impulse,
    LinearFeedback,
    Mixture,
    Move,
    Noise,
    Nominal,
    Periodic,
    Population,
    RandomWalk,
    Step,
    Uniform,
    WorstCase,
    check_nature,
    scheduled,
)
from robust_envs.natures.move import is_choice, leaves, size
from robust_envs.sets import UncertaintySet
from robust_envs.testing.strategies._numbers import count, signed
from robust_envs.testing.strategies.members import RESOLUTION, place

__all__ = ["Follow", "Push", "natures"]

Natures = st.SearchStrategy[Any]
Kind = tuple[Any, Natures]
_LONG = 8  # coordinates beyond which an axis is left to nature, and a law needs too many numbers


@dataclass(frozen=True)
class Push:
    """Push the same way at every move: integers from the nominal value (0) to the border of the set.

    Args:
        integers: one for each coordinate, taken round and round; on Discrete spaces the first counts the choices, 0
            leaves the choice alone.
        resolution: the integer that stands for the border.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, robust
        >>> from robust_envs.testing.strategies import Push
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.5), nature=Push((0, 64)))
        >>> _ = env.reset(seed=0)
        >>> env.last_move["observation", "agent_0"].executed.round(3)
        array([0. , 0.5, 0. , 0.5])
    """

    integers: tuple[int, ...]
    resolution: int = RESOLUTION

    def __call__(self, move: Move) -> Any:
        """Answer a move."""
        if is_choice(move):
            return _chosen(move, self.integers[0])
        return place(move.set, np.resize(self.integers, len(move.nominal)), self.resolution)


@dataclass(frozen=True)
class Follow:
    """Push each coordinate along the sign of one number nature sees: delta_i ~ integers_i * sign(seen_j).

    Args:
        integers: one for each coordinate, taken round and round.
        shift: which number goes with the first coordinate; the next with the second, and so on.
        resolution: the integer that stands for the border.

    Example:
        >>> from robust_envs.testing.strategies import Follow
        >>> Follow((3,), 0) == Follow((3,), 0)
        True
    """

    integers: tuple[int, ...]
    shift: int
    resolution: int = RESOLUTION

    def __call__(self, move: Move) -> Any:
        """Answer a move."""
        signs = np.sign(np.resize(np.roll(move.seen, -self.shift), len(move.nominal)))
        if is_choice(move):
            return _chosen(move, int(self.integers[0] * signs[0]))
        return place(move.set, np.resize(self.integers, len(move.nominal)) * signs, self.resolution)


def _chosen(move: Move, integer: int) -> Any:
    options = np.asarray(move.set.grid(len(move.set.members)))  # type: ignore[attr-defined] # a Finite
    return move.nominal if integer == 0 else options[abs(integer) % len(options)]


def natures(channel: str = "observation", of: UncertaintySet | None = None, *, seen: int | None = None) -> Natures:
    """Generate natures.

    Two functions of `Move` that draw nothing while they play, `Push`, the same member always, and `Follow`, a member
    that follows the signs of what nature sees; and the natures of the package: `Nominal`, `Uniform`, `WorstCase` (for
    rewards), `Noise` (with many cuts), `Impulse`, `Step`, `Periodic`, `Drift`, `RandomWalk`, `LinearFeedback`, and made
    of these `Mixture`, `Population` and `scheduled`. Examples shrink towards `Nominal()`.

    Natures that draw do so from the streams of nature, which `reset(seed=...)` seeds: draw that seed, too.

    Args:
        channel: What they are to perturb; ``"reward"`` adds `WorstCase`.
        of: The bound set they are to pick from: leaves out natures that it refuses (`Noise` on `L2`, for instance).
            Without it only natures are drawn that hardly any set refuses: `Nominal`, `Push`, `Follow`, `Uniform`,
            `WorstCase` and a `Population` of them.
        seen: How many numbers nature sees, >= 1: adds `LinearFeedback`, where `of` is given.

    Returns:
        A strategy of natures.

    Example:
        >>> from hypothesis import find
        >>> from robust_envs.testing.strategies import natures
        >>> find(natures(), lambda nature: True)
        Nominal()
    """
    plain = [*_plain(), *([] if of is None else _of_a_set(of, seen))]
    alone = st.one_of([strategy for one, strategy in plain if _fits(one, channel, of)])
    made = _made(alone) if of is not None else _made(alone)[:1]
    fitting = [
        strategy.filter(lambda nature: _fits(nature, channel, of)) for one, strategy in made if _fits(one, channel, of)
    ]
    return st.one_of(alone, *fitting)


def _plain() -> list[Kind]:
    """List natures that fit sets of any size, an example of each first."""
    integers = st.lists(st.integers(-RESOLUTION, RESOLUTION), min_size=1, max_size=4).map(tuple)
    return [
        (Nominal(), st.just(Nominal())),
        (Push((0,)), st.builds(Push, integers)),
        (Follow((0,), 0), st.builds(Follow, integers, st.integers(0, 7))),
        (Uniform(), st.just(Uniform())),
        (WorstCase(), st.just(WorstCase())),
    ]


def _of_a_set(of: UncertaintySet, seen: int | None) -> list[Kind]:
    """List natures that are particular about their set, an example of each first."""
    dim = size(of)
    axis = st.none() if dim > _LONG else st.none() | st.tuples(*[st.integers(-4, 4)] * dim).filter(any)
    steps, eighths = st.integers(0, 8), st.integers(1, 32).map(lambda k: k / 8)
    found: list[Kind] = [
        (Noise(), st.integers(1, 12).map(lambda k: Noise(cut=k / 4))),
        (Impulse(), st.builds(Impulse, at=steps, duration=st.integers(1, 4), axis=axis)),
        (Step(), st.builds(Step, at=steps, axis=axis)),
        (Periodic(), st.builds(Periodic, period=eighths, phase=signed(1), square=st.booleans(), axis=axis)),
        (Drift(), st.builds(Drift, over=st.integers(1, 12), axis=axis)),
        (RandomWalk(), st.builds(RandomWalk, step=eighths)),
    ]
    if seen is not None and dim * count("seen", seen) <= _LONG**2:
        gains = st.lists(st.lists(signed(), min_size=seen, max_size=seen), min_size=dim, max_size=dim)
        biases = st.none() | st.lists(signed(), min_size=dim, max_size=dim)
        law = st.builds(LinearFeedback, gains, biases, squash=st.sampled_from(("tanh", "sign")))
        found.append((LinearFeedback(np.zeros((dim, seen)).tolist()), law))
    return found


def _made(parts: Natures) -> list[Kind]:
    """List natures made of others, an example of each first."""
    shares = st.integers(0, 8).map(lambda k: k / 8)
    several = st.lists(parts, min_size=1, max_size=3)
    times = {
        "start": st.integers(0, 4),
        "stop": st.none() | st.integers(5, 9),
        "every": st.integers(1, 4),
        "duration": st.integers(1, 3),
        "probability": shares,
        "budget": st.none() | st.integers(0, 5),
    }
    return [
        (Population([Nominal()]), st.builds(Population, several, each=st.sampled_from(("episode", "move")))),
        (Mixture(0.5, Nominal()), st.builds(Mixture, shares, parts)),
        (Mixture(0.5, Nominal(), noisy=True), st.builds(Mixture, shares, parts, noisy=st.just(True))),
        (scheduled(Nominal()), st.builds(scheduled, parts, **times)),
    ]


def _fits(nature: Any, channel: str, of: UncertaintySet | None) -> bool:
    if of is None:
        return channel == "reward" or not any(isinstance(leaf, WorstCase) for leaf in leaves(nature))
    try:
        check_nature(nature, channel, of)
    except ValueError:
        return False
    return True
