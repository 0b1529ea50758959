"""Games by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.envs.decision_problems import inventory, machine_replacement, riverswim
from robust_envs.envs.grid_games import grid_soccer, grid_world
from robust_envs.envs.markov_game import MarkovGame
from robust_envs.envs.matrix_games import (
    battle_of_the_sexes,
    chicken,
    coordination_under_risk,
    matching_pennies,
    prisoners_dilemma,
    rock_paper_scissors,
    stag_hunt,
)
from robust_envs.names import close_match

__all__ = ["NAMED_GAMES", "exposure", "named_game"]

NAMED_GAMES: dict[str, Callable[..., MarkovGame]] = {
    "battle-of-the-sexes": battle_of_the_sexes,
    "chicken": chicken,
    "coordination-under-risk": coordination_under_risk,
    "grid-soccer": grid_soccer,
    "grid-world": grid_world,
    "inventory": inventory,
    "machine-replacement": machine_replacement,
    "matching-pennies": matching_pennies,
    "prisoners-dilemma": prisoners_dilemma,
    "riverswim": riverswim,
    "rock-paper-scissors": rock_paper_scissors,
    "stag-hunt": stag_hunt,
}
_EXPOSED: dict[str, list[tuple[int, ...]]] = {
    "coordination-under-risk": [(0, 0, 0)],  # both high
    "stag-hunt": [(0, 0, 0)],  # both hunt stag
}


def named_game(name: str, **options: Any) -> MarkovGame:
    """Build a game of the library.

    Args:
        name: one of `NAMED_GAMES`.
        options: what the game's function takes, `discount` for instance.

    Raises:
        ValueError: for an unknown name; the message has the nearest.

    Example:
        >>> named_game("riverswim", length=4)
        MarkovGame(agents=('player_0',), n_states=4, n_actions=(2,), discount=0.95)
        >>> named_game("stagg-hunt")
        Traceback (most recent call last):
        ValueError: name must be one of ..., got name='stagg-hunt'; did you mean 'stag-hunt'?
    """
    if name not in NAMED_GAMES:
        known = ", ".join(NAMED_GAMES)
        raise ValueError(f"name must be one of {known}, got name={name!r}{close_match(name, NAMED_GAMES)}")
    return NAMED_GAMES[name](**options)


def exposure(name: str) -> NDArray[np.float64]:
    """Return where a named game is exposed to nature in its own story: 1 there and 0 elsewhere, (S, A_1, ..., A_N).

    In coordination under risk and in the stag hunt it is what both do together; other games are exposed everywhere.
    Times a radius it is what `robust_value_iteration` takes.

    Example:
        >>> exposure("coordination-under-risk")[0]
        array([[1., 0.],
               [0., 0.]])
    """
    shape = named_game(name).transitions.shape[:-1]
    if name not in _EXPOSED:
        return np.ones(shape)
    mask = np.zeros(shape)
    for place in _EXPOSED[name]:
        mask[place] = 1.0
    return mask
