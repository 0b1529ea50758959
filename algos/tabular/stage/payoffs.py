"""Payoffs of a batch of games: what policies are worth, what deviating gains, and a form fit for solving.

`payoffs` are (B, N, A1..AN); `tensors` are the same with the batch last, (N, A1..AN, B), see `lanes`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.solution import Floats

__all__ = [
    "ROUNDING",
    "action_values",
    "as_payoffs",
    "constant_sum",
    "coupled",
    "evaluate",
    "expected",
    "lanes",
    "magnitude",
    "spread",
    "strategic",
]

ROUNDING = 64 * float(np.finfo(np.float64).eps)  # of the largest payoff: what a gap may come to by rounding alone


def as_payoffs(payoffs: Any) -> Floats:
    """Return payoffs as a float64 array (B, N, A1..An), or say what is wrong with them."""
    try:
        array = np.asarray(payoffs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"payoffs must be an array of numbers, got {type(payoffs).__name__}") from error
    players = array.ndim - 2
    if players < 1 or array.shape[1] != players:
        raise ValueError(f"payoffs must have shape (B, N, A1, ..., AN) with N action axes, got shape {array.shape}")
    if 0 in array.shape[2:]:
        raise ValueError(f"payoffs must leave every player at least one action, got shape {array.shape}")
    if not np.isfinite(array).all():
        game = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
        raise ValueError(f"payoffs must be finite, got a payoff that is not in game {game}")
    return array


def lanes(array: Floats) -> Floats:
    """Return the batch axis last, in memory too: sums over a few actions then run along long rows."""
    return np.ascontiguousarray(np.moveaxis(array, 0, -1))


def spread(tensors: Floats) -> Floats:
    """Return the difference between each player's largest and smallest payoff, (B, N): the unit of its gaps."""
    flat = _flat(tensors)
    result: Floats = (flat.max(axis=1) - flat.min(axis=1)).T
    return result


def magnitude(tensors: Floats) -> Floats:
    """Return each player's largest absolute payoff, (B, N)."""
    result: Floats = np.abs(_flat(tensors)).max(axis=1).T
    return result


def strategic(payoffs: Floats) -> Floats:
    """Return payoffs in [-1, 0] of games with the same equilibria.

    What the others' actions add to a player's payoff, whatever it does, is taken away (so that its best replies are
    worth 0), and each player's payoffs are scaled. No choice of policy is affected by either.
    """
    result = np.array(lanes(payoffs))  # a copy also where a batch of one needs no transposing
    for player, own in enumerate(result):
        own -= own.max(axis=player, keepdims=True)
        size = -own.min(axis=tuple(range(payoffs.shape[1])))
        own /= np.where(size > 0, size, 1.0)
    return np.ascontiguousarray(np.moveaxis(result, -1, 0))


def constant_sum(tensors: Floats, tolerance: float) -> NDArray[np.bool_]:
    """Say which two-player games have payoffs that sum to a constant, within `tolerance` of their size, (B,)."""
    total = _flat(tensors).sum(axis=0)
    high, low = total.max(axis=0), total.min(axis=0)
    result: NDArray[np.bool_] = high - low <= tolerance * magnitude(tensors).max(axis=1)
    return result


def expected(tensor: Floats, policies: Sequence[Floats], keep: tuple[int, ...] = ()) -> Floats:
    """Average an (A1..AN, B) array over the policies (A_i, B) of all players but those to keep, whose axes remain."""
    for player in reversed(range(len(policies))):
        if player not in keep:
            shape = [1] * tensor.ndim
            shape[player], shape[-1] = policies[player].shape
            tensor = (tensor * policies[player].reshape(shape)).sum(axis=player)
    return tensor


def action_values(tensors: Floats, policies: Sequence[Floats]) -> list[Floats]:
    """Return what each action is worth to its player while the others keep to their policies, one (A_i, B) each."""
    return [expected(tensors[player], policies, (player,)) for player in range(len(policies))]


def evaluate(tensors: Floats, policies: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the values (B, N) of policies (B, A_i) and each player's gain by its best deviation, (B, N)."""
    mixed = [lanes(policy) for policy in policies]
    worth = action_values(tensors, mixed)
    values = np.stack([(q * x).sum(axis=0) for q, x in zip(worth, mixed, strict=True)], axis=1)
    best = np.stack([q.max(axis=0) for q in worth], axis=1)
    return values, np.maximum(best - values, 0.0)


def coupled(payoffs: Floats, joint: Floats, *, coarse: bool) -> tuple[Floats, Floats]:
    """Return the values (B, N) of a joint distribution and each player's gain by disobeying it, (B, N)."""
    values, gaps = [], []
    for player in range(payoffs.shape[1]):
        own = np.moveaxis(payoffs[:, player], 1 + player, 1).reshape(len(joint), joint.shape[1 + player], -1)
        weight = np.moveaxis(joint, 1 + player, 1).reshape(own.shape)
        value = (own * weight).sum(axis=(1, 2))
        worth = weight.sum(axis=1, keepdims=True) @ own.swapaxes(1, 2) if coarse else weight @ own.swapaxes(1, 2)
        values.append(value)
        gaps.append(np.maximum(worth.max(axis=2).sum(axis=1) - value, 0.0))
    return np.stack(values, axis=1), np.stack(gaps, axis=1)


def _flat(tensors: Floats) -> Floats:
    return tensors.reshape(len(tensors), math.prod(tensors.shape[1:-1]), tensors.shape[-1])
