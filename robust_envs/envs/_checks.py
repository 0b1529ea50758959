"""What makes arrays a game."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import array_api_compat as aac
import array_api_compat.numpy
import numpy as np

from robust_envs.names import close_match

if TYPE_CHECKING:
    from robust_envs.envs.markov_game import MarkovGame

Array = Any
NUMPY: Any = array_api_compat.numpy


def checked(game: MarkovGame) -> dict[str, Any]:
    """Return the game's fields as they are kept."""
    xp, transitions = floats("transitions", game.transitions)
    _, rewards = floats("rewards", game.rewards)
    if aac.array_namespace(rewards) is not xp:
        raise TypeError(
            f"rewards and transitions must be arrays of one library, got {type(rewards)} and {type(transitions)}"
        )
    shape = _check_shapes(tuple(rewards.shape), tuple(transitions.shape))
    n_states, n_actions = shape[0], shape[1:-1]
    finite(xp, "rewards", rewards)
    distributions(xp, "transitions", transitions)
    terminal = _terminal(xp, game.terminal, rewards, transitions)
    discount = number("discount", game.discount, "be in [0, 1]", 0.0, 1.0)
    if discount == 1:
        _check_ends(xp, transitions, terminal)
    agents = _names("agents", game.agents, len(n_actions)) or tuple(f"player_{i}" for i in range(len(n_actions)))
    return {
        "rewards": rewards,
        "transitions": transitions,
        "discount": discount,
        "start": _start(xp, game.start, terminal, transitions),
        "terminal": terminal,
        "agents": agents,
        "actions": _action_names(game.actions, n_actions),
        "states": _names("states", game.states, n_states),
    }


def floats(name: str, value: Any) -> tuple[Any, Array]:
    """Return (namespace, array of floats)."""
    if isinstance(value, np.ndarray | np.generic) or not aac.is_array_api_obj(value):
        try:
            array = np.asarray(value)
        except ValueError as error:  # rows of different lengths
            raise ValueError(f"{name} must be an array with rows of equal length: {error}") from error
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be an array of numbers, got an array of {array.dtype}")
        return NUMPY, array if array.dtype.kind == "f" else array.astype(np.float64)
    xp = aac.array_namespace(value)
    return xp, value if xp.isdtype(value.dtype, "real floating") else xp.astype(value, xp.float64)


def finite(xp: Any, name: str, array: Array) -> None:
    """Refuse NaN and infinity, saying where."""
    good = xp.isfinite(array)
    if not bool(xp.all(good)):
        at = _where(xp, ~good)
        raise ValueError(f"{name} must be finite, got {name}{list(at)} = {float(array[at])}")


def distributions(xp: Any, name: str, array: Array) -> None:
    """Refuse rows that are not distributions over the last axis, saying which."""
    finite(xp, name, array)
    if bool(xp.any(array < 0)):
        at = _where(xp, array < 0)
        raise ValueError(f"{name} must be >= 0, got {name}{list(at)} = {float(array[at])}")
    sums = xp.sum(array, axis=-1)
    wrong = xp.abs(sums - 1) > 1e-8 if array.dtype == xp.float64 else xp.abs(sums - 1) > 1e-4
    if bool(xp.any(wrong)):
        at = _where(xp, wrong)
        row = f"{name}{list(at)}" if at else name
        raise ValueError(f"{name} must sum to 1 over the last axis, got a sum of {float(sums[at]):.9g} at {row}")


def number(name: str, value: Any, rule: str, low: float, high: float) -> float:
    """Return a float inside [low, high]; `rule` is how the error puts that condition."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {name}={value!r}")
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must {rule}, got {name}={value!r}")
    return float(value)


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return an int >= low, and below `high` where that is given."""
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= low
    if not fits or (high is not None and value >= high):
        rule = f"an int >= {low}" if high is None else f"an int in {low}..{high - 1}"
        raise ValueError(f"{name} must be {rule}, got {name}={value!r}")
    return int(value)


def index_of(who: str | int, players: Sequence[str]) -> int:
    """Return the index of a player given by name or index."""
    if isinstance(who, int | np.integer) and not isinstance(who, bool) and 0 <= who < len(players):
        return int(who)
    if isinstance(who, str) and who in players:
        return list(players).index(who)
    raise ValueError(
        f"player must be one of {', '.join(players)} or an index below {len(players)}, got player={who!r}"
        + close_match(who, players)
    )


def _where(xp: Any, flags: Array) -> tuple[int, ...]:
    return tuple(int(axis[0]) for axis in xp.nonzero(flags)) if flags.ndim else ()


def _check_shapes(rewards: tuple[int, ...], transitions: tuple[int, ...]) -> tuple[int, ...]:
    rule = "transitions must have shape (S, A_1, ..., A_N, S)"
    if len(transitions) < 3 or transitions[0] != transitions[-1]:
        raise ValueError(f"{rule}, got shape {transitions}")
    if 0 in transitions:
        raise ValueError(f"{rule} with no axis of length 0, got shape {transitions}")
    n_players = len(transitions) - 2
    plain = (n_players, *transitions[:-1])
    if rewards not in (plain, (*plain, transitions[0])):
        raise ValueError(
            f"rewards must have shape {plain} or {(*plain, transitions[0])} with transitions of shape {transitions} "
            f"({n_players} players), got shape {rewards}"
        )
    return transitions


def _terminal(xp: Any, value: Any, rewards: Array, transitions: Array) -> Array:
    n_states = transitions.shape[0]
    if value is None:
        return xp.zeros(n_states, dtype=xp.bool, device=aac.device(transitions))
    flags = value if aac.is_array_api_obj(value) else np.asarray(value)
    if tuple(flags.shape) != (n_states,) or "bool" not in str(flags.dtype):
        raise ValueError(f"terminal must be {n_states} bools, one for each state, got terminal={value!r}")
    flags = xp.asarray(flags, device=aac.device(transitions))
    for state in _indices(xp, flags):
        if bool(xp.any(transitions[state, ..., state] != 1)):
            raise ValueError(f"transitions must keep a terminal state where it is, got one that leaves state {state}")
        paid = rewards[:, state, ..., state] if rewards.ndim > transitions.ndim else rewards[:, state]
        if bool(xp.any(paid != 0)):
            raise ValueError(f"rewards must be 0 in a terminal state, got others in state {state}")
    return flags


def _indices(xp: Any, flags: Array) -> list[int]:
    return [int(i) for i in xp.nonzero(flags)[0]]


def _check_ends(xp: Any, transitions: Array, terminal: Array) -> None:
    """Refuse states between which some policy can go on for ever: the largest set closed under one action each."""
    shape = tuple(transitions.shape)
    reach = xp.reshape(transitions > 0, (shape[0], -1, shape[0]))
    stays = ~terminal
    while True:
        leaves = xp.any(reach & ~stays, axis=-1)
        kept = stays & ~xp.all(leaves, axis=-1)
        if bool(xp.all(kept == stays)):
            break
        stays = kept
    if bool(xp.any(stays)):
        raise ValueError(
            "discount must be below 1 where some policy never reaches a terminal state, got discount=1 and such a "
            f"policy from state {_indices(xp, stays)[0]}"
        )


def _start(xp: Any, value: Any, terminal: Array, transitions: Array) -> Array:
    n_states, device = transitions.shape[0], aac.device(transitions)
    if value is None:
        alive = xp.astype(~terminal if not bool(xp.all(terminal)) else terminal, transitions.dtype)
        return alive / xp.sum(alive)
    _, start = floats("start", value)
    start = xp.asarray(start, dtype=transitions.dtype, device=device)
    if tuple(start.shape) != (n_states,):
        raise ValueError(f"start must have shape ({n_states},), got shape {tuple(start.shape)}")
    distributions(xp, "start", start)
    return start


def _names(what: str, names: Any, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{what} must be strings, got {what}={names!r}")
    found: tuple[str, ...] = tuple(names)
    if len(found) != count or len(set(found)) < count:
        raise ValueError(f"{what} must be {count} distinct names, got {len(found)}: {what}={names!r}")
    return found


def _action_names(names: Any, n_actions: tuple[int, ...]) -> tuple[tuple[str, ...], ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or len(names) != len(n_actions):
        raise ValueError(f"actions must hold one sequence of names for each of {len(n_actions)} players, got {names!r}")
    # For the checker: a sequence of names is never None.
    return tuple(
        _names(f"actions[{i}]", each, n) or () for i, (each, n) in enumerate(zip(names, n_actions, strict=True))
    )
