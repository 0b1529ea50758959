"""Strategies for whole recorded episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from hypothesis import strategies as st

from robust_envs.natures import Nominal
from robust_envs.sets import Finite, PerEpisode, Switch, UncertaintySet
from robust_envs.testing.strategies._numbers import count
from robust_envs.testing.strategies.members import RESOLUTION, place
from robust_envs.traces import Recorded, Trace
from robust_envs.wrap import robust

__all__ = ["traces"]

_EVENTS = 8
_SEEDS = 2**16
_ROUNDING = 1e-3  # of a budget over the episode, kept back


class _Seat(NamedTuple):
    """Where one nature moves: how many places its integers have, and how they become what it chooses."""

    key: tuple[str, str]
    places: int
    play: Callable[[Any], Recorded]


def traces(
    env: Any,
    *,
    reward: Any = None,
    observation: Any = None,
    action: Any = None,
    horizon: int,
    seeds: st.SearchStrategy[int] | None = None,
    events: int = _EVENTS,
    resolution: int = RESOLUTION,
) -> st.SearchStrategy[Trace]:
    """Generate what natures might do in an episode, to be played with `Replay`.

    A trace is a few events: from one step on, for some steps, one coordinate of one nature is pushed by an integer
    in [-resolution, resolution] from the nominal value towards the border of its set; what overlaps adds up, and each
    step is projected onto its set (with `per_episode`, onto what is left of the budget). Examples shrink towards
    fewer, shorter and smaller events: the whole of an event is five drawn numbers, which is as much as Hypothesis
    deletes at once.

    Args:
        env: The environment that is to be wrapped, not stepped here.
        reward, observation, action: Sets, as in `robust`.
        horizon: Number of steps, >= 1; moves after it are nominal.
        seeds: Of the episode's reset; 0 to 65535 by default.
        events: Largest number of events, >= 1.
        resolution: Steps of the lattice, >= 1.

    Returns:
        A strategy of `Trace`.

    Raises:
        ValueError: For sets that do not fit, for `Switch` (whose coin belongs to nature's own stream), for discrete
            actions under an action mask (which choices will be legal is not known before), or no channel at all.
        TypeError: If `horizon`, `events` or `resolution` is not an int.

    Example:
        >>> import gymnasium
        >>> from hypothesis import find
        >>> from robust_envs import Linf, Replay, robust
        >>> from robust_envs.testing.strategies import traces
        >>> drawn = traces(gymnasium.make("CartPole-v1"), observation=Linf(0.64), horizon=50)
        >>> trace = find(drawn, lambda trace: trace.moves["observation", "agent_0"].chosen.any())
        >>> trace.moves["observation", "agent_0"].chosen[:2].round(2)
        array([[0.01, 0.  , 0.  , 0.  ],
               [0.  , 0.  , 0.  , 0.  ]])
    """
    length, resolution = count("horizon", horizon), count("resolution", resolution)
    channels = {"reward": reward, "observation": observation, "action": action}
    layer = robust(env, **channels, nature=Nominal())
    perturber: Any = layer._perturber  # noqa: SLF001 - the bound sets, which only the seats know
    seats = list(_seats(env, perturber, resolution))
    starts = [0, *np.cumsum([seat.places for seat in seats]).tolist()]
    columns = [slice(at, at + seat.places) for seat, at in zip(seats, starts, strict=False)]
    event = st.tuples(
        st.integers(0, length - 1),
        st.integers(1, length),
        st.integers(0, starts[-1] - 1),
        st.integers(-resolution, resolution),
    )
    words = {" ".join(seat.key): repr(seat.members) for seat in perturber.seats}

    def make(seed: int, drawn: Sequence[tuple[int, int, int, int]]) -> Trace:
        lattice = np.zeros((length, starts[-1]), np.int64)
        for first, lasting, column, integer in drawn:
            lattice[first : first + lasting, column] += integer
        lattice = np.clip(lattice, -resolution, resolution)
        moves = {seat.key: seat.play(lattice[:, at]) for seat, at in zip(seats, columns, strict=True)}
        return Trace(seed=seed, options=None, depth=perturber.depth, moves=moves, sets=words)

    drawn = st.lists(event, max_size=count("events", events))
    return st.builds(make, st.integers(0, _SEEDS - 1) if seeds is None else seeds, drawn)


def _seats(env: Any, perturber: Any, resolution: int) -> Iterator[_Seat]:
    for seat in perturber.seats:
        of, key = seat.members, seat.key
        if isinstance(of, Switch):
            raise ValueError(f"{' of '.join(key)}: a trace cannot say when {of} may act: use Finite")
        _check_masks(env, seat)
        if isinstance(of, Finite) and of.discrete:
            yield _Seat(key, len(of.actions), _choices_player(of))
        else:
            yield _Seat(key, of.dim, _deltas_player(of, resolution))


def _choices_player(of: Finite) -> Callable[[Any], Recorded]:
    actions = np.asarray(of.actions, np.float64)

    def play(integers: Any) -> Recorded:
        moved = integers.any(axis=1, keepdims=True)
        chosen = actions[np.argmax(np.abs(integers), axis=1)][:, None]
        # `Replay` leaves a choice alone where nothing was executed
        return Recorded(np.where(moved, chosen, 0.0), moved.astype(np.float64))

    return play


def _deltas_player(of: UncertaintySet, resolution: int) -> Callable[[Any], Recorded]:
    def play(integers: Any) -> Recorded:
        chosen = _within(of, integers, resolution) if isinstance(of, PerEpisode) else place(of, integers, resolution)
        return Recorded(chosen, chosen.copy())

    return play


def _within(of: PerEpisode, integers: Any, resolution: int) -> Any:
    """Place step after step, each inside what those before it left of the budget."""
    # What is executed is rounded to the precision of what it moves, and that is what the budget pays for.
    planned = of.with_radius(of.radius * (1 - _ROUNDING))
    spent, rows = 0.0, []
    for row in integers:
        rows.append(place(planned.allowed(spent), row, resolution))
        spent = planned.spend(spent, rows[-1])
    return np.array(rows)


def _check_masks(env: Any, seat: Any) -> None:
    for agent in seat.agents if seat.masked else ():
        space = env.observation_space if isinstance(env, gymnasium.Env) else env.observation_space(agent)
        if isinstance(space, gymnasium.spaces.Dict) and "action_mask" in space.spaces:
            raise ValueError(f"action of {agent}: a trace cannot know which choices will be legal, got {space}")
