"""Two players on a grid."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from robust_envs.envs.markov_game import MarkovGame

__all__ = ["grid_soccer", "grid_world"]

Cell = tuple[int, int]
_MOVES: dict[str, Cell] = {"north": (-1, 0), "south": (1, 0), "east": (0, 1), "west": (0, -1), "stand": (0, 0)}
_FIELD = (4, 5)
_GOAL_ROWS = (1, 2)
_SIDE = 3


def grid_soccer(*, discount: float = 0.9) -> MarkovGame:
    """Play soccer on a field of 4 rows and 5 columns, one against one, zero-sum.

    Each player moves to a side or stands; both moves happen in random order. A move into the other's square does not
    happen, and hands the ball to the other if the mover had it. Carrying the ball off the field through the goal, in
    the two middle rows, scores 1: `player_0` at the left end, `player_1` at the right. Then both go back to their
    places and either gets the ball. A state says who stands where and who has the ball.

    Example:
        >>> game = grid_soccer()
        >>> game.n_states, game.n_actions, game.is_zero_sum
        (760, (5, 5), True)

    References:
        M. Littman, 1994, Markov games as a framework for multi-agent reinforcement learning, section 4.
    """
    places = [(left, right, ball) for left, right in _pairs(*_FIELD) for ball in (0, 1)]
    index = {place: i for i, place in enumerate(places)}
    kickoff = [index[(1, 3), (2, 1), ball] for ball in (0, 1)]
    moves = list(_MOVES.values())
    transitions = np.zeros((len(places), 5, 5, len(places)))
    rewards = np.zeros((len(places), 5, 5))
    for state, (left, right, ball) in enumerate(places):
        for a, b in product(range(5), repeat=2):
            for order in ((0, 1), (1, 0)):
                following, scored = _play((left, right), ball, (moves[a], moves[b]), order)
                if scored:
                    rewards[state, a, b] += 0.5 * scored
                    transitions[state, a, b, kickoff] += 0.25
                else:
                    transitions[state, a, b, index[following]] += 0.5
    start = np.zeros(len(places))
    start[kickoff] = 0.5
    names = [f"{left} {right} {'first' if ball == 0 else 'second'} has the ball" for left, right, ball in places]
    return MarkovGame(
        np.stack([rewards, 0.0 - rewards]),
        transitions,
        discount,
        start=start,
        actions=(tuple(_MOVES), tuple(_MOVES)),
        states=names,
    )


def _pairs(rows: int, columns: int) -> list[tuple[Cell, Cell]]:
    """Return all places of two players who never share a cell."""
    return list(permutations(product(range(rows), range(columns)), 2))


def _play(
    cells: tuple[Cell, Cell], ball: int, moves: tuple[Cell, Cell], order: tuple[int, int]
) -> tuple[tuple[Cell, Cell, int], int]:
    """Return the next place, and 1 or -1 for a goal of the first or the second player."""
    at = list(cells)
    for mover in order:
        row, column = at[mover][0] + moves[mover][0], at[mover][1] + moves[mover][1]
        if mover == ball and row in _GOAL_ROWS and column == (-1 if mover == 0 else _FIELD[1]):
            return (at[0], at[1], ball), 1 if mover == 0 else -1
        if not (0 <= row < _FIELD[0] and 0 <= column < _FIELD[1]):
            continue
        if (row, column) == at[1 - mover]:
            ball = 1 - mover if mover == ball else ball
        else:
            at[mover] = (row, column)
    return (at[0], at[1], ball), 0


def grid_world(*, discount: float = 0.99) -> MarkovGame:
    """Walk to opposite corners of a 3 x 3 grid without running into one another.

    `player_0` starts at the lower left and wants to the upper right, `player_1` starts at the lower right and wants
    to the upper left. Moves are certain; off the grid one stays. Moving into one cell sends both back and costs each
    1. Arriving is worth 100 and ends the game for both; both may arrive at once.

    Example:
        >>> game = grid_world()
        >>> game.n_states, int(game.terminal.sum())
        (73, 1)

    References:
        J. Hu, M. Wellman, 2003, Nash Q-learning for general-sum stochastic games, section 5 (Grid Game 1).
    """
    moves = [step for name, step in _MOVES.items() if name != "stand"]
    names = [name for name in _MOVES if name != "stand"]
    places = _pairs(_SIDE, _SIDE)
    index = {place: i for i, place in enumerate(places)}
    goals = ((0, _SIDE - 1), (0, 0))
    end = len(places)
    transitions = np.zeros((end + 1, 4, 4, end + 1))
    rewards = np.zeros((2, end + 1, 4, 4))
    transitions[end, ..., end] = 1.0
    for state, cells in enumerate(places):
        for joint in product(range(4), repeat=2):
            wanted = (_step(cells[0], moves[joint[0]]), _step(cells[1], moves[joint[1]]))
            met = wanted[0] == wanted[1]
            arrived = [not met and cell == goal for cell, goal in zip(wanted, goals, strict=True)]
            following = end if any(arrived) else state if met else index[wanted]
            rewards[:, state, joint[0], joint[1]] = [100.0 * each - met for each in arrived]
            transitions[state, joint[0], joint[1], following] = 1.0
    start: NDArray[np.float64] = np.zeros(end + 1)
    start[index[(_SIDE - 1, 0), (_SIDE - 1, _SIDE - 1)]] = 1.0
    return MarkovGame(
        rewards,
        transitions,
        discount,
        start=start,
        terminal=np.arange(end + 1) == end,
        actions=(names, names),
        states=[f"{first} {second}" for first, second in places] + ["arrived"],
    )


def _step(cell: Cell, move: Cell) -> Cell:
    row, column = cell[0] + move[0], cell[1] + move[1]
    return (row, column) if 0 <= row < _SIDE and 0 <= column < _SIDE else cell
