"""Robust policy iteration: few rounds, each with a linear system, instead of many sweeps."""

from __future__ import annotations

from typing import Any

from algos.tabular.backups import Sweep, first_profile
from algos.tabular.dynamics import Profile, best_response, enough, evaluate
from algos.tabular.model import RobustModel
from algos.tabular.solution import Solution
from algos.tabular.value_iteration import CycleWatch, check_budget, distance, finish, first_values
from robust_envs.envs import MarkovGame

__all__ = ["robust_policy_iteration"]

Array = Any


def robust_policy_iteration(
    game: MarkovGame,
    *,
    reward_set: Any = None,
    transition_set: Any = None,
    rectangular: str = "sa",
    nature: str = "per_agent",
    coupling: str = "joint",
    selection: str = "welfare",
    kind: str = "auto",
    tolerance: float = 1e-10,
    max_iterations: int = 1000,
    initial: Any = None,
) -> Solution:
    """Solve a robust Markov game by solving for the values of the policies that each sweep proposes.

    One player: the policy is improved until no action is better; it ends at the optimum after finitely many rounds
    where nature sees the action. Zero-sum games with one nature, or none: the first player's policy is answered by
    the second player's best reply (Hoffman and Karp), which converges. Other games: the proposed profile is evaluated
    as it is (Pollatschek and Avi-Itzhak), which may cycle; the certificate says what was found.

    Args:
        game: the nominal game.
        reward_set: as in `robust_value_iteration`.
        transition_set: likewise.
        rectangular: likewise.
        nature: likewise.
        coupling: likewise.
        selection: likewise.
        kind: likewise; "security" has no values of its own here.
        tolerance: largest error of the values where it converges, > 0.
        max_iterations: most rounds.
        initial: (N, S), values to start from, 0 by default.

    Returns:
        The solution with its certificate.

    Raises:
        ValueError: for sets that do not fit the game, or unknown words.
        TypeError: for what is no game or no set.

    Example:
        >>> from robust_envs import L1Ambiguity
        >>> from robust_envs.envs import named_game
        >>> found = robust_policy_iteration(named_game("machine-replacement"), transition_set=L1Ambiguity(0.1))
        >>> found.status, found.iterations < 10
        ('converged', True)

    References:
        A. Hoffman, R. Karp, 1966, On nonterminating stochastic games; M. Pollatschek, B. Avi-Itzhak, 1969, Algorithms
        for stochastic games with geometrical interpretation; G. Iyengar, 2005, Robust dynamic programming.
    """
    check_budget(tolerance, max_iterations)
    if kind == "security":
        raise ValueError("kind must not be 'security' for policy iteration, whose values are those of the policies")
    model = RobustModel(game, reward_set, transition_set, rectangular, nature, coupling)
    sweep = Sweep(model, selection, kind)
    values, profile = first_values(model, initial), first_profile(model)
    watch, change = CycleWatch(values), float("inf")
    for iteration in range(1, max_iterations + 1):
        _, profile = sweep(values, profile)
        found = _worth(model, profile, values, tolerance)
        change, values = distance(model, found, values), found
        if change <= enough(model, values, tolerance):
            return finish(model, profile, values, "converged", iteration, change, tolerance)
        if watch.period(model, iteration, values, change) is not None:
            return finish(model, profile, values, "cycled", iteration, change, tolerance)
    return finish(model, profile, values, "budget", max_iterations, change, tolerance)


def _worth(model: RobustModel, profile: Profile, guess: Array, tolerance: float) -> Array:
    first = 0 if model.protagonist is None else model.protagonist
    certain = model.reward_set is None and model.transition_set is None
    if model.protagonist is not None or (certain and model.game.is_zero_sum):
        second = 1 - first
        lost, _ = best_response(model, second, profile, tolerance=tolerance)
        return model.xp.stack([-lost, lost] if first == 0 else [lost, -lost])
    return model.xp.stack(
        [evaluate(model, i, profile.joint, tolerance=tolerance, guess=guess[i]) for i in range(model.game.n_players)]
    )
