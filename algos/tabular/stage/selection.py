"""Which of several equilibria is the answer: always a rule that was asked for, ties going to the first listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.payoffs import evaluate, spread
from algos.tabular.stage.solution import Floats
from algos.tabular.stage.supports import Equilibria

__all__ = ["RULES", "choose"]

_NASH = ("welfare", "egalitarian", "payoff_dominant", "first", "risk_dominant")
RULES = {  # by kind
    "auto": _NASH,
    "nash": _NASH,
    "zero_sum": _NASH,
    "correlated": ("welfare", "egalitarian"),
    "coarse_correlated": ("welfare", "egalitarian"),
    "security": _NASH,
}
TIE = 1e-9  # of the spread of payoffs: values closer than this are equal


def choose(
    tensors: Floats, listed: Equilibria, selection: str, allowed: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the games that have an equilibrium of the asked kind, and its place in the list for each of them."""
    values, gap = evaluate(tensors[..., listed.game], listed.policies)
    kept = np.flatnonzero((gap <= allowed[listed.game]).all(axis=1))
    game, values, unit = listed.game[kept], values[kept], spread(tensors).max(axis=1)[listed.game[kept]]
    if not len(game) or selection == "first":
        games, first = np.unique(game, return_index=True)
        return games, kept[first]
    if selection == "payoff_dominant":
        good = (values >= _best(values, game) - TIE * unit[:, None]).all(axis=1)
    else:
        score = values.sum(axis=1) if selection == "welfare" else values.min(axis=1)
        good = score >= _best(score, game) - TIE * unit
    places = np.flatnonzero(good)
    games, first = np.unique(game[places], return_index=True)
    return games, kept[places[first]]


def _best(score: Floats, game: NDArray[np.intp]) -> Floats:
    starts = np.flatnonzero(np.diff(game, prepend=-1))
    best: Floats = np.repeat(np.maximum.reduceat(score, starts), np.diff(starts, append=len(game)), axis=0)
    return best
