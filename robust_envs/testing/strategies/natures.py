"""Strategies for who picks inside a set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from robust_envs.natures import Move, Noise, Nominal, Uniform, WorstCase, check_nature
from robust_envs.natures.move import is_choice
from robust_envs.sets import UncertaintySet
from robust_envs.testing.strategies.members import RESOLUTION, place

__all__ = ["Follow", "Push", "natures"]


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


def natures(channel: str = "observation", of: UncertaintySet | None = None) -> st.SearchStrategy[Any]:
    """Generate natures.

    `Nominal`, `Uniform`, `Noise` (with many cuts), for rewards `WorstCase`, and two functions of `Move` that draw
    nothing while they play: `Push`, the same member always, and `Follow`, a member that follows the signs of what
    nature sees. Examples shrink towards `Nominal()`.

    `Uniform` and `Noise` draw from the streams of nature, which `reset(seed=...)` seeds: draw that seed, too.

    Args:
        channel: What they are to perturb; ``"reward"`` adds `WorstCase`.
        of: The bound set they are to pick from: leaves out natures that it refuses (`Noise` on `L2`, for instance).
            Without it `Noise` and natures that must plan are left out.

    Returns:
        A strategy of natures.

    Example:
        >>> from hypothesis import find
        >>> from robust_envs.testing.strategies import natures
        >>> find(natures(), lambda nature: True)
        Nominal()
    """
    integers = st.lists(st.integers(-RESOLUTION, RESOLUTION), min_size=1, max_size=4).map(tuple)
    found: list[tuple[Any, st.SearchStrategy[Any]]] = [
        (Nominal(), st.just(Nominal())),
        (Push((0,)), st.builds(Push, integers)),
        (Follow((0,), 0), st.builds(Follow, integers, st.integers(0, 7))),
        (Uniform(), st.just(Uniform())),
        (WorstCase(), st.just(WorstCase())),
        (Noise(), st.integers(1, 12).map(lambda k: Noise(cut=k / 4))),
    ]
    return st.one_of([strategy for one, strategy in found if _fits(one, channel, of)])


def _fits(nature: Any, channel: str, of: UncertaintySet | None) -> bool:
    if of is None:
        return not isinstance(nature, Noise) and (channel == "reward" or not isinstance(nature, WorstCase))
    try:
        check_nature(nature, channel, of)
    except ValueError:
        return False
    return True
