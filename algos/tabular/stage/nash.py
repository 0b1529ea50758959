"""Nash equilibria: the right method for the number of players who have a choice, and the asked selection."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.compiled import kernels
from algos.tabular.stage.exact import mend
from algos.tabular.stage.howson import lemke_howson
from algos.tabular.stage.logit import logit_limit
from algos.tabular.stage.payoffs import constant_sum, evaluate, strategic
from algos.tabular.stage.security import saddle_points
from algos.tabular.stage.selection import choose
from algos.tabular.stage.solution import Budget, Floats, StageSolution
from algos.tabular.stage.supports import Equilibria, count_supports, extreme_equilibria

__all__ = ["nash"]

TIES = (1e-10, 1e-12, 1e-9, 1e-8)  # in turn, for games with near ties: what counts as a tie in listing equilibria
TIE = 1e-12  # of the scaled payoffs: actions of one player, or pure profiles, this close are equally good


def nash(
    payoffs: Floats, tensors: Floats, allowed: Floats, selection: str, budget: Budget, *, saddles: bool
) -> StageSolution:
    """Return one equilibrium per game, whose gaps should not exceed `allowed` (B, N).

    `tensors` are the payoffs with the batch last. `saddles` sends two-player games of constant sum to the simplex.
    """
    answer = _Answer(payoffs, tensors, allowed)
    sizes = payoffs.shape[2:]
    players = [player for player, size in enumerate(sizes) if size > 1]
    if len(players) == 2 and len(sizes) == 2:
        _two_players(answer, players, selection, budget, saddles)
    elif len(players) == 2:
        _two_players(answer, players, selection, budget, saddles=False)
    else:
        _any_players(answer, players, selection, budget)
    values, gap = evaluate(tensors, answer.policies)
    bad = np.flatnonzero((gap > allowed).any(axis=1) & (answer.method == "lemke_howson"))
    if len(bad):
        answer.mend(bad, players, budget)
        values[bad], gap[bad] = evaluate(tensors[..., bad], tuple(policy[bad] for policy in answer.policies))
    return StageSolution(answer.policies, values, gap, "nash", answer.method, answer.selected)


class _Answer:
    """Collect the answers of the games of a batch, whichever method finds them."""

    def __init__(self, payoffs: Floats, tensors: Floats, allowed: Floats) -> None:
        self.payoffs, self.tensors, self.allowed = payoffs, tensors, allowed
        self.policies = tuple(np.full((len(payoffs), size), 1.0 / size) for size in payoffs.shape[2:])
        self.method = np.full(len(payoffs), "none", dtype="U16")
        self.selected = np.zeros(len(payoffs), dtype=np.bool_)

    def among(self, players: list[int]) -> Floats:
        """Return the games of the players who have a choice."""
        idle = tuple(2 + player for player, size in enumerate(self.payoffs.shape[2:]) if player not in players)
        return self.payoffs[:, players].squeeze(idle) if idle else self.payoffs

    def write(self, games: NDArray[np.intp], players: list[int], policies: tuple[Floats, ...], method: Any) -> None:
        where = slice(None) if len(games) == len(self.payoffs) else games  # games are in order: all are all
        for player, policy in zip(players, policies, strict=True):
            self.policies[player][where] = policy
        self.method[where] = method
        self.selected[where] = True

    def mend(self, games: NDArray[np.intp], players: list[int], budget: Budget) -> None:
        """Solve two-player games again, in whole numbers."""
        first, second = (self.policies[player] for player in players)
        self.method[mend(self.among(players), (first, second), games, max_steps=budget.steps)] = "exact"

    def pick(
        self, games: NDArray[np.intp], players: list[int], listed: Equilibria, selection: str, method: str
    ) -> NDArray[np.intp]:
        """Write down the selected one of the listed equilibria of some games, and return the games left without."""
        full = [np.ones((len(listed.game), 1)) for _ in self.policies]
        for player, policy in zip(players, listed.policies, strict=True):
            full[player] = policy
        game, place = choose(
            self.tensors[..., games], Equilibria(listed.game, tuple(full)), selection, self.allowed[games]
        )
        self.write(games[game], players, tuple(policy[place] for policy in listed.policies), method)
        return np.setdiff1d(games, games[game], assume_unique=True)


def _two_players(answer: _Answer, players: list[int], selection: str, budget: Budget, saddles: bool) -> None:
    payoffs = answer.among(players)
    games = np.arange(len(payoffs))
    flat = constant_sum(answer.tensors, 1e-12) if saddles else np.zeros(len(payoffs), np.bool_)
    if flat.any():
        x, y, exact = saddle_points(answer.payoffs[flat, 0], answer.allowed[flat].min(axis=1), budget)
        answer.write(games[flat], players, (x, y), np.where(exact, "exact", "simplex"))
        games = games[~flat]
        payoffs = payoffs[games]
    if not len(games):
        return
    if selection == "risk_dominant":
        limit = logit_limit(strategic(payoffs), tolerance=budget.tolerance, max_steps=budget.steps)
        answer.write(games, players, limit, "logit")
        return
    run = kernels(budget.fast)
    if selection == "first":
        answer.write(games, players, _follow(payoffs, budget), "lemke_howson")
        return
    supports = count_supports(*payoffs.shape[2:])
    if supports > budget.supports:
        raise ValueError(
            f"selection={selection!r} compares all equilibria, which is for games of at most max_supports="
            f"{budget.supports} pairs of supports, got {supports} ({payoffs.shape[2]} x {payoffs.shape[3]} actions); "
            "selection='first' and 'risk_dominant' have no such limit"
        )
    find = run.extreme_equilibria if run else extreme_equilibria
    scaled = strategic(payoffs)
    for tie in TIES:  # nearly all games are done after the first
        listed = find(scaled, min(tie, budget.tolerance))
        left = answer.pick(games, players, listed, selection, "enumeration")
        if not len(left):
            return
        scaled, games = scaled[np.isin(games, left)], left
    answer.write(games, players, _follow(scaled, budget), "lemke_howson")
    answer.selected[games] = False  # the best found, which the caller raises


def _follow(payoffs: Floats, budget: Budget) -> tuple[Floats, Floats]:
    run, steps = kernels(budget.fast), budget.pivots(payoffs)
    return run.lemke_howson(payoffs, max_steps=steps) if run else lemke_howson(strategic(payoffs), max_steps=steps)


def _any_players(answer: _Answer, players: list[int], selection: str, budget: Budget) -> None:
    if len(players) > 2 and selection == "payoff_dominant":
        raise ValueError(f"selection='payoff_dominant' is for at most two players with a choice, got {len(players)}")
    scaled = strategic(answer.among(players))
    left = np.arange(len(scaled))
    if len(players) < 2 or selection != "risk_dominant":
        method = "best_action" if len(players) < 2 else "pure"
        left = answer.pick(left, players, _pure(scaled), selection, method)
    if len(left):
        limit = logit_limit(scaled[left], tolerance=budget.tolerance, max_steps=budget.steps)
        answer.write(left, players, limit, "logit")


def _pure(scaled: Floats) -> Equilibria:
    """List the pure equilibria: with best replies scaled to 0, profiles at which nobody is below 0."""
    stable = (scaled >= -TIE).all(axis=1)
    game, *actions = np.nonzero(stable)
    policies = tuple(np.eye(size)[action] for size, action in zip(scaled.shape[2:], actions, strict=True))
    return Equilibria(game, policies)
