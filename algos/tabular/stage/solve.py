"""Solve a batch of stage games: one call, one kind of solution, one explicit rule of selection."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from algos.tabular.stage.correlated import correlated
from algos.tabular.stage.nash import nash
from algos.tabular.stage.payoffs import ROUNDING, as_payoffs, constant_sum, lanes, magnitude, spread
from algos.tabular.stage.security import saddle, security
from algos.tabular.stage.selection import RULES
from algos.tabular.stage.solution import Budget, Floats, NoEquilibrium, StageSolution

__all__ = ["solve"]


def solve(
    payoffs: Any,
    *,
    selection: str = "welfare",
    kind: str = "auto",
    tolerance: float = 1e-9,
    max_supports: int = 1000,
    max_steps: int = 10_000,
    fast: bool | None = None,
) -> StageSolution:
    """Solve every game of a batch and certify each answer.

    A Nash equilibrium is a profile of independent policies in which no player gains by deviating:
    u_i(x) >= u_i(a, x_-i) for every player i and action a. A correlated one is a joint distribution in which no player
    gains by answering its advice with another action, a coarse one in which none gains by deciding not to listen.

    Kinds:

    - `nash`: a Nash equilibrium. One player with a choice takes its best action; two are solved by Lemke-Howson or by
      listing all extreme equilibria; more by listing the pure equilibria, or by the logit path.
    - `zero_sum`: a saddle point of two players whose payoffs have a constant sum, by the simplex method.
    - `auto`: `zero_sum` for the two-player games of constant sum, `nash` for the rest.
    - `correlated`, `coarse_correlated`: a joint distribution, by a linear program (needs scipy).
    - `security`: what each player can guarantee whatever the others do, together; by the simplex method.

    Selections, where there are several equilibria:

    - `welfare`: the largest sum of values; `egalitarian`: the largest smallest value. Correlated kinds know these two.
    - `payoff_dominant`: at least as good for everybody as every other; there may be none. At most two players.
    - `first`: of two players where Lemke-Howson ends that drops the first player's first action; else the first pure
      one.
    - `risk_dominant`: the limit of the logit quantal response equilibria, in 2 x 2 games that of Harsanyi and Selten.

    One or two players: the rules compare all extreme equilibria, and as values are bilinear no mixture of them has
    more welfare. Three players or more: `welfare`, `egalitarian` and `first` compare all pure equilibria, and a game
    without a pure one is answered by the limit of its logit path. Equilibria that a rule cannot tell apart are ordered
    by their supports, small before large, then by the numbers of the actions. All saddle points of a game of constant
    sum have the same values, so there `auto` and `zero_sum` select none.

    Args:
        payoffs: (B, N, A1..AN), finite.
        selection: which equilibrium, where there are several; `zero_sum` and `security` have nothing to select.
        kind: what to solve for.
        tolerance: largest gap of an answer, in units of the spread of that player's payoffs in that game, > 0.
        max_supports: most pairs of supports of equal size, binom(m + n, m) - 1, of a two-player game whose equilibria
            are all to be listed (6 x 6 has 923).
        max_steps: most pivots, or steps on the logit path, per game.
        fast: whether to use compiled loops (extra `fast`: numba); None uses them where numba is installed. The answers
            agree to rounding.

    Returns:
        Policies, values and gaps of all games.

    Raises:
        NoEquilibrium: if a game has no answer within the tolerance and the budget; it carries the best found.
        ValueError: if an argument is out of range, or the kind or the selection does not suit these games.
        TypeError: if `payoffs` is no array of numbers.
        ImportError: if what the kind or `fast=True` needs is not installed.

    Example:
        >>> stag_hunt = [[[4, 0], [3, 3]], [[4, 3], [0, 3]]]
        >>> solve([stag_hunt]).policies[0], solve([stag_hunt], selection="risk_dominant").policies[0]
        (array([[1., 0.]]), array([[0., 1.]]))

    References:
        J. Nash, 1950, Equilibrium points in n-person games; R. Aumann, 1974, Subjectivity and correlation in randomized
        strategies; J. Harsanyi, R. Selten, 1988, A general theory of equilibrium selection in games.
    """
    games = as_payoffs(payoffs)
    budget = _budget(kind, selection, tolerance, max_supports, max_steps, fast)
    tensors = lanes(games)
    allowed = budget.tolerance * spread(tensors) + ROUNDING * magnitude(tensors)
    if kind in ("correlated", "coarse_correlated"):
        solution = correlated(games, kind, selection)
    elif kind == "security":
        solution = security(games, allowed, budget)
    elif kind == "zero_sum":
        _check_constant_sum(games)
        solution = saddle(games, allowed, budget)
    else:
        solution = nash(games, tensors, allowed, selection, budget, saddles=kind == "auto")
    return certified(solution, allowed)


def certified(solution: StageSolution, allowed: Floats) -> StageSolution:
    """Return the solution where every game has its answer, else raise it as the best that was found."""
    bad = ~solution.selected | (solution.gap > allowed).any(axis=1)
    if not bad.any():
        return solution
    games = np.flatnonzero(bad)
    first = games[0]
    wanted = f"a gap of at most {allowed[first].min():.3g}" if solution.selected[first] else "the asked selection"
    raise NoEquilibrium(
        f"no {solution.kind} solution with {wanted} in {len(games)} of {len(bad)} games, first in game {first}: the "
        f"best found there, by {solution.method[first]}, has a gap of {solution.gap[first].max():.3g}",
        solution,
        games,
    )


def _budget(kind: str, selection: str, tolerance: float, supports: int, steps: int, fast: bool | None) -> Budget:
    if kind not in RULES:
        raise ValueError(f"kind must be one of {', '.join(RULES)}, got kind={kind!r}")
    if selection not in RULES[kind]:
        raise ValueError(f"selection must be one of {', '.join(RULES[kind])} for {kind}, got selection={selection!r}")
    if not (isinstance(tolerance, int | float) and 0 < tolerance < math.inf):
        raise ValueError(f"tolerance must be finite and > 0, got tolerance={tolerance!r}")
    for name, value in (("max_supports", supports), ("max_steps", steps)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive int, got {name}={value!r}")
    return Budget(tolerance=float(tolerance), supports=supports, steps=steps, fast=fast)


def _check_constant_sum(payoffs: Floats) -> None:
    if payoffs.shape[1] != 2:
        raise ValueError(f"kind='zero_sum' is for two players, got {payoffs.shape[1]}")
    wrong = np.flatnonzero(~constant_sum(lanes(payoffs), 1e-9))
    if len(wrong):
        raise ValueError(f"kind='zero_sum' needs payoffs of constant sum, got others in game {wrong[0]}")
