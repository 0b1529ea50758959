"""Zero-sum games, and what a player of any game can guarantee: its zero-sum game against all others together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.compiled import kernels
from algos.tabular.stage.exact import mend
from algos.tabular.stage.payoffs import evaluate, lanes
from algos.tabular.stage.simplex import zero_sum
from algos.tabular.stage.solution import Budget, Floats, StageSolution

__all__ = ["saddle", "saddle_points", "security"]


def saddle_points(gains: Floats, allowed: Floats, budget: Budget) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return policies (B, m), (B, n) of max_x min_y x'Gy, and which games needed exact arithmetic, (B,).

    `allowed`, (B,), is how far what y concedes may be from what x guarantees.
    """
    run = kernels(budget.fast)
    policies = (run.zero_sum if run else zero_sum)(gains, max_steps=budget.pivots(gains))
    exact = np.zeros(len(gains), dtype=np.bool_)
    bad = np.flatnonzero(_conceded(gains, policies[1]) - _guaranteed(gains, policies[0]) > allowed)
    if len(bad):
        games = np.stack([gains, -gains], axis=1)
        exact[mend(games, policies, bad, max_steps=budget.steps)] = True
    return *policies, exact


def saddle(payoffs: Floats, allowed: Floats, budget: Budget) -> StageSolution:
    """Return a saddle point of each two-player game of constant sum."""
    x, y, exact = saddle_points(payoffs[:, 0], allowed.min(axis=1), budget)
    values, gap = evaluate(lanes(payoffs), (x, y))
    method = np.where(exact, "exact", "simplex")
    return StageSolution((x, y), values, gap, "zero_sum", method, np.ones(len(payoffs), np.bool_))


def security(payoffs: Floats, allowed: Floats, budget: Budget) -> StageSolution:
    """Return each player's maximin policy; a gap is what it might guarantee beyond that, at most."""
    policies, levels, gaps = [], [], []
    exact = np.zeros(len(payoffs), dtype=np.bool_)
    for player in range(payoffs.shape[1]):
        own = np.moveaxis(payoffs[:, player], 1 + player, 1)
        gains = own.reshape(*own.shape[:2], int(np.prod(own.shape[2:])))
        x, y, mended = saddle_points(gains, allowed[:, player], budget)
        exact |= mended
        level = _guaranteed(gains, x)
        policies.append(x)
        levels.append(level)
        gaps.append(np.maximum(_conceded(gains, y) - level, 0.0))
    values, gap = np.stack(levels, axis=1), np.stack(gaps, axis=1)
    method = np.where(exact, "exact", "simplex")
    return StageSolution(tuple(policies), values, gap, "security", method, np.ones(len(payoffs), np.bool_))


def _guaranteed(gains: Floats, x: Floats) -> Floats:
    worst: Floats = (x[:, None] @ gains)[:, 0].min(axis=1)
    return worst


def _conceded(gains: Floats, y: Floats) -> Floats:
    best: Floats = (gains @ y[:, :, None])[..., 0].max(axis=1)
    return best
