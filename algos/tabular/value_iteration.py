"""Robust value iteration for Markov games and Markov decision processes."""

from __future__ import annotations

from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.backups import Sweep, first_profile
from algos.tabular.dynamics import Profile, enough, gains
from algos.tabular.model import RobustModel
from algos.tabular.solution import Solution, Status
from robust_envs.envs import MarkovGame

__all__ = ["robust_value_iteration"]

Array = Any
SAME = 1e-5  # of a sweep's change: nearer than this to values seen before is a cycle, not slow progress
LONGEST_CYCLE = 64


def robust_value_iteration(
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
    max_iterations: int = 100_000,
    initial: Any = None,
) -> Solution:
    r"""Solve a robust Markov game by sweeps over its stage games.

    Each player i expects the worst of nature, and the players meet in a stage game at every state:

        V_i(s) = max over x_i of min over r in R_i(s), p in P_i(s) of E_(a ~ x(s)) [ r(a) + discount <p(a), V_i> ]

    with x(s) an equilibrium of the stage game at s, that of `selection` where there are several. One player makes it
    robust dynamic programming, where the sweep is a contraction and the limit is optimal. So it is for one nature in a
    zero-sum game. With several players and a nature each it is no contraction (values jump where another equilibrium is
    selected): it may cycle, and the certificate says what was found.

    What may be a `reward_set`: a set of deltas, or an array of half-widths (S, A_1, ..., A_N), or a function. With
    `rectangular="sa"` the set bounds every single reward and the function takes (state, joint action); with "s" one set
    stands over the rewards of all joint actions of a state and the function takes the state. `None` is certain.

    What may be a `transition_set`: a set of distributions, whose radius may be an array (S, A_1, ..., A_N) (with "s":
    (S,)), or an array of kernels (K, S, A_1, ..., A_N, S) among which nature picks, or a function as above. With "s"
    the sets are `L1Ambiguity`, `L2Ambiguity`, `LinfAmbiguity`, `Scenarios` and kernels.

    Either may be a dict by player; players it does not name are certain. Terminal states are out of nature's reach.

    Args:
        game: the nominal game.
        reward_set: uncertainty of the rewards, applied before that of the transitions.
        transition_set: uncertainty of the transitions.
        rectangular: "sa": nature sees the joint action before it picks; "s": it sees the mixed policies only, and has
            one choice for all joint actions of a state.
        nature: "per_agent": every player has its own worst case, so that a zero-sum game need not stay zero-sum;
            "shared": one nature in a game of one objective: against the team, or in a zero-sum game against the first
            player. A player's name: one nature against that player of a zero-sum game.
        coupling: where rewards depend on the next state, "joint" takes the worst of reward plus going on, "separate"
            takes the nominal expected reward plus the worst of going on.
        selection: which equilibrium of a stage game, see `algos.tabular.stage.solve`.
        kind: what a solution of a stage game is: "auto", "nash", "zero_sum", "correlated", "coarse_correlated" or
            "security" (then `values` are what each player can guarantee).
        tolerance: largest error of the values where sweeps contract, > 0.
        max_iterations: most sweeps.
        initial: (N, S), values to start from, 0 by default.

    Returns:
        The solution with its certificate. It does not raise where no equilibrium is found: see `Solution.status`.

    Raises:
        ValueError: for sets that do not fit the game, or unknown words.
        TypeError: for what is no game or no set.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Contamination
        >>> from robust_envs.envs import named_game
        >>> risk = np.zeros((2, 2, 2))  # state, action, action
        >>> game = named_game("coordination-under-risk")
        >>> for risk[0, 0, 0] in (0.1, 0.2):  # only where both take the risk
        ...     found = robust_value_iteration(game, transition_set=Contamination(risk))
        ...     print(found.values[0, 0].round(6), found.policies[0][0])
        10.526316 [1. 0.]
        10.0 [0. 1.]

    References:
        K. Zhang et al., 2020, Robust multi-agent reinforcement learning with model uncertainty; G. Iyengar, 2005,
        Robust dynamic programming; A. Nilim, L. El Ghaoui, 2005, Robust control of Markov decision processes with
        uncertain transition matrices; W. Wiesemann, D. Kuhn, B. Rustem, 2013, Robust Markov decision processes.
    """
    check_budget(tolerance, max_iterations)
    model = RobustModel(game, reward_set, transition_set, rectangular, nature, coupling)
    sweep = Sweep(model, selection, kind)
    values, profile = first_values(model, initial), first_profile(model)
    watch, change = CycleWatch(values), float("inf")
    for iteration in range(1, max_iterations + 1):
        found, profile = sweep(values, profile)
        change, values = distance(model, found, values), found
        if change <= enough(model, values, tolerance):
            return finish(model, profile, values, "converged", iteration, change, tolerance)
        period = watch.period(model, iteration, values, change)
        if period is not None:
            best = _best_of_cycle(sweep, values, profile, period, tolerance)
            return finish(model, best, None, "cycled", iteration, change, tolerance)
    return finish(model, profile, None, "budget", max_iterations, change, tolerance)


class CycleWatch:
    """Notice values that come around again, remembering one moment only (Brent's method)."""

    def __init__(self, values: Array) -> None:
        self._seen, self._at, self._until = values, 0, 1

    def period(self, model: RobustModel, iteration: int, values: Array, change: float) -> int | None:
        """Return the length of the cycle that these values close, if they do."""
        if distance(model, values, self._seen) <= SAME * (1 - min(model.game.discount, 0.999)) * change:
            return iteration - self._at
        if iteration == self._until:
            self._seen, self._at, self._until = values, iteration, 2 * iteration
        return None


def distance(model: RobustModel, left: Array, right: Array) -> float:
    """Return the largest difference."""
    return float(model.xp.max(model.xp.abs(left - right)))


def first_values(model: RobustModel, initial: Any) -> Array:
    """Return the values to start from, (N, S)."""
    game, xp = model.game, model.xp
    shape = (game.n_players, game.n_states)
    if initial is None:
        return xp.zeros(shape, dtype=game.rewards.dtype, device=aac.device(game.rewards))
    values = xp.asarray(initial, dtype=game.rewards.dtype)
    if tuple(values.shape) != shape or not bool(xp.all(xp.isfinite(values))):
        raise ValueError(f"initial must be finite values of shape {shape}, got shape {tuple(values.shape)}")
    return values * model.alive[:, 0]


def finish(
    model: RobustModel,
    profile: Profile,
    values: Array | None,
    status: Status,
    iterations: int,
    change: float,
    tolerance: float,
) -> Solution:
    """Certify a profile; where no values are given, its own worth stands in for them."""
    worth, more = gains(model, profile, tolerance=tolerance)
    return Solution(
        values=worth if values is None else values,
        policies=profile.policies,
        exploitability=model.xp.max(more, axis=-1),
        iterations=iterations,
        status=status,
        change=change,
        joint=model.tensor(profile.joint) if profile.correlated else None,
    )


def check_budget(tolerance: Any, max_iterations: Any) -> None:
    """Refuse a tolerance or a number of iterations that is none."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance must be finite and > 0, got tolerance={tolerance!r}")
    if isinstance(max_iterations, bool) or not isinstance(max_iterations, int) or max_iterations < 1:
        raise ValueError(f"max_iterations must be a positive int, got max_iterations={max_iterations!r}")


def _best_of_cycle(sweep: Sweep, values: Array, profile: Profile, period: int, tolerance: float) -> Profile:
    """Return the profile of a cycle that is the least exploitable."""
    model, best, least = sweep.model, profile, float("inf")
    for _ in range(min(period, LONGEST_CYCLE)):
        values, profile = sweep(values, profile)
        worst = float(model.xp.max(gains(model, profile, tolerance=tolerance)[1]))
        if worst < least:
            best, least = profile, worst
    return best
