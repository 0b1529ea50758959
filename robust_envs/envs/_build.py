"""Games from matrices and from tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.envs._checks import floats

Floats = NDArray[np.float64]


def repeated(payoffs: Sequence[Any]) -> tuple[Floats, Floats]:
    """Return rewards and transitions of a game with one state."""
    given = [np.asarray(floats("payoffs", payoff)[1], dtype=np.float64) for payoff in payoffs]
    if len(given) == 1 and given[0].ndim == 2:
        given = [given[0], 0.0 - given[0]]
    shapes = [payoff.shape for payoff in given]
    if not given or len(set(shapes)) > 1 or given[0].ndim != len(given) or 0 in shapes[0]:
        raise ValueError(
            "payoffs must be one array (A_1, ..., A_N) for each of N players, a single matrix for a zero-sum game, "
            f"got arrays of shapes {shapes}"
        )
    return np.stack(given)[:, None], np.ones((1, *shapes[0], 1))


def from_table(env: Any, unseen_reward: float | None) -> dict[str, Any]:
    """Return the fields of a game that plays a toy-text environment's `P`."""
    base = getattr(env, "unwrapped", env)
    table = getattr(base, "P", None)
    if not isinstance(table, dict) or not table:
        raise TypeError(f"env must have a table P, as FrozenLake, CliffWalking and Taxi have, got {env!r}")
    moves = _moves(table)
    n_states, n_actions = len(table), len(table[0])
    start = np.asarray(getattr(base, "initial_state_distrib", np.full(n_states, 1 / n_states)), dtype=np.float64)
    ends = _ends(moves, start)
    if ends is None:  # one more state stands for the end
        over, n_states, start = moves[:, 4] > 0, n_states + 1, np.append(start, 0.0)
        moves = np.where(over[:, None] & (np.arange(6) == 2), n_states - 1, moves)
        ends = np.arange(n_states) == n_states - 1
    transitions = np.zeros((n_states, n_actions, n_states))
    paid = np.zeros_like(transitions)
    s, a, to = moves[:, 0].astype(int), moves[:, 1].astype(int), moves[:, 2].astype(int)
    np.add.at(transitions, (s, a, to), moves[:, 5])
    np.add.at(paid, (s, a, to), moves[:, 5] * moves[:, 3])
    transitions[ends] = paid[ends] = 0.0  # what the table says of moves after the end says nothing
    rewards = _continued(paid, transitions, unseen_reward)
    transitions[ends], rewards[ends] = np.eye(n_states)[ends][:, None, :], 0.0
    return {"rewards": rewards[None], "transitions": transitions, "start": start, "terminal": ends}


def _moves(table: dict[int, dict[int, list[tuple[Any, ...]]]]) -> Floats:
    """Return rows (state, action, next state, reward, terminated, probability) of the moves that can happen."""
    try:
        rows = [
            (s, a, int(to), float(reward), float(over), float(p))
            for s in range(len(table))
            for a in range(len(table[0]))
            for p, to, reward, over in table[s][a]
            if p > 0
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"P must map state and action to (probability, next state, reward, terminated): {error}"
        ) from error
    return np.array(rows)


def _ends(moves: Floats, start: Floats) -> NDArray[np.bool_] | None:
    """Return which states are entered with `terminated`, or None where one of them can also be passed through."""
    places = np.arange(len(start))
    ends = np.isin(places, moves[moves[:, 4] > 0, 2])
    seen = start > 0
    while True:  # what lies beyond an end, or is never reached, decides nothing
        lively = seen & ~ends
        reached = seen | np.isin(places, moves[np.isin(moves[:, 0], places[lively]), 2])
        if np.array_equal(reached, seen):
            break
        seen = reached
    passed = moves[np.isin(moves[:, 0], places[lively]) & (moves[:, 4] == 0), 2]
    return None if np.any(ends & (np.isin(places, passed) | (start > 0))) else ends


def _continued(paid: Floats, transitions: Floats, unseen_reward: float | None) -> Floats:
    """Return rewards (S, A), or (S, A, S) continued to next states that the table does not list."""
    listed = transitions > 0
    rewards = np.divide(paid, transitions, out=np.zeros_like(paid), where=listed)
    mean = paid.sum(-1)
    if np.all(~listed | np.isclose(rewards, mean[..., None], rtol=1e-12, atol=0.0)):
        return mean if unseen_reward is None else np.where(listed, rewards, unseen_reward)
    if unseen_reward is not None:
        return np.where(listed, rewards, unseen_reward)
    high = np.where(listed, rewards, -np.inf).max((0, 1))
    low = np.where(listed, rewards, np.inf).min((0, 1))
    of_next = (
        np.where(high == low, high, mean[..., None]) if np.all((high == low) | ~listed.any((0, 1))) else mean[..., None]
    )
    return np.where(listed, rewards, of_next)
