"""Correlated and coarse correlated equilibria by linear programs, many games in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.tabular.stage.payoffs import coupled, lanes, spread, strategic
from algos.tabular.stage.solution import Floats, StageSolution

__all__ = ["correlated"]

LARGEST = 20_000  # variables of one program
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def correlated(payoffs: Floats, kind: str, selection: str) -> StageSolution:
    """Return the (coarse) correlated equilibrium that is best for `selection` in each game.

    The program: maximise the expected objective over distributions p on joint actions, subject to one inequality for
    each player and deviation, sum_a p(a) (u_i(deviation) - u_i(a)) <= 0.
    """
    batch, players, *sizes = payoffs.shape
    scaled, coarse, profiles = strategic(payoffs), kind == "coarse_correlated", int(np.prod(sizes))
    unit = spread(lanes(payoffs)).max(axis=1)
    aims = payoffs.reshape(batch, players, profiles) / np.where(unit > 0, unit, 1.0)[:, None, None]
    aims = aims - aims.mean(axis=2, keepdims=True) * (selection == "welfare")
    step = max(1, LARGEST // profiles)
    joint = np.zeros((batch, profiles))
    for at in range(0, batch, step):
        part = slice(at, at + step)
        joint[part] = _program(_incentives(scaled[part], coarse), aims[part], selection)
    joint = joint.reshape(batch, *sizes)
    values, gap = coupled(payoffs, joint, coarse=coarse)
    marginals = tuple(_marginal(joint, player) for player in range(players))
    return StageSolution(marginals, values, gap, kind, np.full(batch, "lp"), np.ones(batch, np.bool_), joint)


def _incentives(scaled: Floats, coarse: bool) -> Floats:
    """Return the coefficients of every deviation, (B, constraints, profiles)."""
    rows = []
    for player, size in enumerate(scaled.shape[2:]):
        own = scaled[:, player]
        advice = np.arange(size).reshape([-1 if axis == player else 1 for axis in range(own.ndim - 1)])
        for instead in range(size):
            gain = np.take(own, [instead], axis=1 + player) - own
            if coarse:
                rows.append(gain.reshape(len(own), -1))
            else:
                rows.extend((gain * (advice == a)).reshape(len(own), -1) for a in range(size) if a != instead)
    return np.stack(rows, axis=1)


def _program(incentives: Floats, aims: Floats, selection: str) -> Floats:
    """Solve one block-diagonal program; the egalitarian one has a variable more per game, the smallest value."""
    linprog, sparse = _scipy()
    batch, players, profiles = aims.shape
    block = incentives
    width = profiles
    cost = -aims.sum(axis=1)
    if selection == "egalitarian":
        width += 1
        below = np.concatenate([-aims, np.ones((batch, players, 1))], axis=2)
        block = np.concatenate([np.pad(block, ((0, 0), (0, 0), (0, 1))), below], axis=1)
        cost = np.concatenate([np.zeros((batch, profiles)), -np.ones((batch, 1))], axis=1)
    game, row, column = np.nonzero(block)
    unequal = sparse.csr_matrix(
        (block[game, row, column], (game * block.shape[1] + row, game * width + column)),
        shape=(batch * block.shape[1], batch * width),
    )
    one = np.zeros(width)
    one[:profiles] = 1.0
    total = sparse.kron(sparse.identity(batch), one[None, :], format="csr")
    low = np.zeros((batch, width))
    low[:, profiles:] = -np.inf
    result = linprog(
        cost.ravel(),
        A_ub=unequal,
        b_ub=np.zeros(unequal.shape[0]),
        A_eq=total,
        b_eq=np.ones(batch),
        bounds=np.stack([low.ravel(), np.full(low.size, np.inf)], axis=1),
        method="highs",
        options=EXACT,
    )
    if result.x is None:  # cannot be infeasible: every game has a correlated equilibrium
        raise RuntimeError(f"HiGHS found no correlated equilibrium: {result.message}")
    joint: Floats = np.maximum(result.x.reshape(batch, width)[:, :profiles], 0.0)
    joint /= joint.sum(axis=1, keepdims=True)
    return joint


def _marginal(joint: Floats, player: int) -> Floats:
    result: Floats = joint.sum(axis=tuple(axis for axis in range(1, joint.ndim) if axis != 1 + player))
    return result


def _scipy() -> tuple[Any, Any]:
    try:
        from scipy import sparse
        from scipy.optimize import linprog
    except ImportError as error:
        raise ImportError("correlated equilibria need scipy: pip install 'robust-envs[algos]'") from error
    return linprog, sparse
