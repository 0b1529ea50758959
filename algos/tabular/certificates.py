"""How far policies are from a robust equilibrium, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.dynamics import Profile, evaluate, gains
from algos.tabular.model import RobustModel
from algos.tabular.solution import Solution
from algos.tabular.value_iteration import check_budget
from robust_envs.envs import MarkovGame

__all__ = ["is_equilibrium", "robust_exploitability", "robust_values"]

Array = Any


def robust_exploitability(
    game: MarkovGame,
    policies: Sequence[Array] | Solution,
    *,
    reward_set: Any = None,
    transition_set: Any = None,
    rectangular: str = "sa",
    nature: str = "per_agent",
    coupling: str = "joint",
    tolerance: float = 1e-10,
) -> Array:
    """Return how much each player could gain by leaving its policy, nature answering worst against the deviator too.

        max over s, x_i of V_i(s; x_i, x_-i) - V_i(s; x_i*, x_-i)

    Both are exact: against fixed policies of the others a player faces a robust Markov decision process, which is
    solved by policy iteration. The start is the worst one for the certificate: any state.

    Args:
        game: the nominal game.
        policies: for each player (S, A_i), rows that are distributions; or a `Solution`, whose correlated policies are
            tested by the deviations of its own kind only if it says so itself: here players deviate without advice.
        reward_set: as in `robust_value_iteration`.
        transition_set: likewise.
        rectangular: likewise.
        nature: likewise.
        coupling: likewise.
        tolerance: largest error of the values, > 0.

    Returns:
        (N,), >= 0; all 0 is a robust Markov perfect equilibrium.

    Raises:
        ValueError: for policies or sets that do not fit the game.
        TypeError: for what is no game or no set.

    Example:
        >>> import numpy as np
        >>> from robust_envs.envs import named_game
        >>> always_heads = np.array([[1.0, 0.0]])
        >>> robust_exploitability(named_game("matching-pennies"), (always_heads, always_heads))
        array([0., 2.])

    References:
        G. Iyengar, 2005, Robust dynamic programming; K. Zhang et al., 2020, Robust multi-agent reinforcement learning
        with model uncertainty.
    """
    check_budget(tolerance, 1)
    model = RobustModel(game, reward_set, transition_set, rectangular, nature, coupling)
    _, more = gains(model, _profile(model, policies), tolerance=tolerance)
    return model.xp.max(more, axis=-1)


def robust_values(
    game: MarkovGame,
    policies: Sequence[Array] | Solution,
    *,
    reward_set: Any = None,
    transition_set: Any = None,
    rectangular: str = "sa",
    nature: str = "per_agent",
    coupling: str = "joint",
    tolerance: float = 1e-10,
) -> Array:
    """Return what policies are worth when nature answers worst: robust policy evaluation.

        V_i(s) = min over r in R_i(s), p in P_i(s) of E_(a ~ x(s)) [ r(a) + discount <p(a), V_i> ]

    Args:
        game: the nominal game.
        policies: for each player (S, A_i), rows that are distributions; or a `Solution`.
        reward_set: as in `robust_value_iteration`.
        transition_set: likewise.
        rectangular: likewise.
        nature: likewise.
        coupling: likewise.
        tolerance: largest error of the values, > 0.

    Returns:
        (N, S).

    Raises:
        ValueError: for policies or sets that do not fit the game.
        TypeError: for what is no game or no set.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Linf
        >>> from robust_envs.envs import named_game
        >>> even = np.array([[0.5, 0.5]])
        >>> robust_values(named_game("matching-pennies"), (even, even), reward_set=Linf(0.25))
        array([[-0.25],
               [-0.25]])

    References:
        G. Iyengar, 2005, Robust dynamic programming.
    """
    check_budget(tolerance, 1)
    model = RobustModel(game, reward_set, transition_set, rectangular, nature, coupling)
    weights = _profile(model, policies).joint
    return model.xp.stack([evaluate(model, i, weights, tolerance=tolerance) for i in range(game.n_players)])


def is_equilibrium(
    game: MarkovGame,
    policies: Sequence[Array] | Solution,
    *,
    tolerance: float = 1e-6,
    reward_set: Any = None,
    transition_set: Any = None,
    rectangular: str = "sa",
    nature: str = "per_agent",
    coupling: str = "joint",
) -> bool:
    """Say whether no player could gain more than `tolerance` by leaving its policy.

    Args:
        game: the nominal game.
        policies: for each player (S, A_i); or a `Solution`.
        tolerance: in the units of the values, > 0; the exploitability itself is computed a hundred times finer.
        reward_set: as in `robust_value_iteration`.
        transition_set: likewise.
        rectangular: likewise.
        nature: likewise.
        coupling: likewise.

    Raises:
        ValueError: for policies or sets that do not fit the game.
        TypeError: for what is no game or no set.

    Example:
        >>> import numpy as np
        >>> from robust_envs.envs import named_game
        >>> even = np.array([[0.5, 0.5]])
        >>> is_equilibrium(named_game("matching-pennies"), (even, even))
        True
    """
    check_budget(tolerance, 1)
    found = robust_exploitability(
        game,
        policies,
        reward_set=reward_set,
        transition_set=transition_set,
        rectangular=rectangular,
        nature=nature,
        coupling=coupling,
        tolerance=tolerance / 100,
    )
    return bool((found <= tolerance).all())


def _profile(model: RobustModel, policies: Sequence[Array] | Solution) -> Profile:
    if isinstance(policies, Solution):
        if policies.joint is not None:
            joint = model.xp.reshape(policies.joint, (model.game.n_states, -1))
            return Profile(policies.policies, joint, correlated=True)
        policies = policies.policies
    kept = check_policies(model, policies)
    return Profile(kept, model.weights(kept))


def check_policies(model: RobustModel, policies: Any) -> tuple[Array, ...]:
    """Return policies as arrays of the game's kind, or say what is wrong with them."""
    game, xp = model.game, model.xp
    if isinstance(policies, str) or not isinstance(policies, Sequence) or len(policies) != game.n_players:
        raise ValueError(f"policies must hold one array for each of {game.n_players} players, got {policies!r}")
    kept = []
    for i, (policy, n) in enumerate(zip(policies, game.n_actions, strict=True)):
        given = policy if aac.is_array_api_obj(policy) else np.asarray(policy)
        array = xp.asarray(given, dtype=game.rewards.dtype, device=aac.device(game.rewards))
        if tuple(array.shape) != (game.n_states, n):
            raise ValueError(f"policies[{i}] must have shape ({game.n_states}, {n}), got shape {tuple(array.shape)}")
        sums = xp.sum(array, axis=-1)
        if not bool(xp.all(array >= 0)) or not bool(xp.all(xp.abs(sums - 1) <= 1e-6)):
            raise ValueError(f"policies[{i}] must have rows >= 0 that sum to 1")
        kept.append(array)
    return tuple(kept)
