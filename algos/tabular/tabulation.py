"""Any policy as a table, so that it can be certified."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.envs import MarkovGame
from robust_envs.policies import check_policy, team_actions

__all__ = ["tabulate"]


def tabulate(policy: Any, game: MarkovGame, *, samples: int | None = None) -> tuple[NDArray[np.float64], ...]:
    """Ask a policy for its actions in every state of a game it plays as a `MarkovGameEnv`.

    Args:
        policy: what the team plays: a trainer of `algos.deep`, anything with `predict`, a callable from state to
            action, or a dict by agent of those. It sees the state, as an int.
        game: the game.
        samples: None asks once for the deterministic action; a number asks that often for a random one, and the table
            holds how often each came.

    Returns:
        For each player (S, A_i), rows that sum to 1: what `robust_exploitability` takes.

    Raises:
        TypeError: if `policy` is none.
        ValueError: if an action is outside its space, or `samples` is no positive int.

    Example:
        >>> from algos.tabular import is_equilibrium
        >>> from robust_envs.envs import named_game
        >>> game = named_game("stag-hunt")
        >>> timid = tabulate(lambda state: 1, game)
        >>> timid[0], is_equilibrium(game, timid)
        (array([[0., 1.]]), True)
    """
    check_policy(policy)
    if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < 1):
        raise ValueError(f"samples must be a positive int or None, got samples={samples!r}")
    tables = tuple(np.zeros((game.n_states, n)) for n in game.n_actions)
    for state in range(game.n_states):
        observations = dict.fromkeys(game.players, np.int64(state))
        for _ in range(1 if samples is None else samples):
            actions = team_actions(policy, observations, deterministic=samples is None)
            for table, agent in zip(tables, game.players, strict=True):
                table[state, _index(actions.get(agent), table.shape[1], agent, state)] += 1
    return tuple(table / table.sum(axis=1, keepdims=True) for table in tables)


def _index(action: Any, n: int, agent: str, state: int) -> int:
    if isinstance(action, np.ndarray) and action.size == 1:
        action = action.reshape(())[()]
    if isinstance(action, bool) or not isinstance(action, int | np.integer) or not 0 <= action < n:
        raise ValueError(f"policy must answer with actions in 0..{n - 1}, got {action!r} from {agent} in state {state}")
    return int(action)
