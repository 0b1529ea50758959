"""What policies are worth when nature answers worst, and what a player could get by leaving them: dynamic programming.

Both are fixed points of a contraction, found by policy iteration: solve for the values under nature's present answer,
let it answer anew, until its answer is worst for those values. The same holds for the player that looks for its best
reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import array_api_compat as aac

from algos.tabular.concave import security_mix
from algos.tabular.model import Answer, RobustModel

__all__ = ["NeverEnds", "Profile", "best_response", "evaluate", "gains"]

Array = Any
MAX_SOLVED = 2500  # states; beyond, sweeps are cheaper than solving linear systems
MAX_ROUNDS = 1000
MAX_SWEEPS = 1_000_000


class NeverEnds(ValueError):  # noqa: N818 - it says what is wrong with the game
    """Say that at discount 1 nature can keep play from ever ending, so that there is no value."""


@dataclass(frozen=True, eq=False)
class Profile:
    """Hold what the players do.

    Args:
        policies: for each player (S, A_i).
        joint: (S, A), how likely each joint action is.
        correlated: whether that is more than the product of the policies.
        advised: whether players are told their part of a joint action before they may deviate from it.
        settled: whether the policies were equilibria of an earlier sweep's stage games.
    """

    policies: tuple[Array, ...]
    joint: Array
    correlated: bool = False
    advised: bool = False
    settled: bool = False


def evaluate(model: RobustModel, player: int, weights: Array, *, tolerance: float, guess: Array | None = None) -> Array:
    """Return what play with joint action probabilities `weights` (S, A) is worth to a player, (S,).

    The values solve V(s) = min over nature of E_(a ~ weights(s)) [ r(s, a) + discount <p(s, a), V> ].
    """
    xp, discount = model.xp, model.game.discount
    values = xp.zeros_like(weights[:, 0]) if guess is None else guess
    solved = model.game.n_states <= MAX_SOLVED
    for _ in range(MAX_ROUNDS if solved else MAX_SWEEPS):
        rewards, moves = _under(model, model.answer(player, values, weights), weights, solved)
        found = _solve(xp, rewards, discount * moves) if solved else rewards
        change = float(xp.max(xp.abs(found - values)))
        values = found
        if change <= enough(model, values, tolerance):
            return values
    raise NeverEnds("values of these policies do not settle: nature can keep play from ever ending")


def _under(model: RobustModel, answer: Answer, weights: Array, solved: bool) -> tuple[Array, Array]:
    if solved:
        return answer.under(weights)
    return model.xp.sum(weights * answer.payoffs, axis=-1), 0.0


def _solve(xp: Any, rewards: Array, moves: Array) -> Array:
    system = -moves
    diagonal = xp.arange(rewards.shape[0], device=aac.device(rewards))
    system[diagonal, diagonal] += 1.0
    try:
        return xp.linalg.solve(system, rewards[:, None])[:, 0]
    except Exception as error:  # numpy and torch have errors of their own for a singular system
        raise NeverEnds("play never ends under nature's answer to these policies, and discount is 1") from error


def enough(model: RobustModel, values: Array, tolerance: float) -> float:
    """Return the change below which values are within `tolerance` of their limit, or as near as rounding allows."""
    xp, discount = model.xp, model.game.discount
    rounding = 16 * float(xp.finfo(values.dtype).eps) * (1.0 + float(xp.max(xp.abs(values))))
    return max(tolerance * (1 - discount) if discount < 1 else tolerance, rounding)


def best_response(
    model: RobustModel, player: int, profile: Profile, *, tolerance: float, guess: Array | None = None
) -> tuple[Array, Array]:
    """Return what a player can get against the others' part of a profile, (S,), and joint weights that get it, (S, A).

    Nature answers worst against the deviator: V(s) = max over x_i, min over nature of the expected payoff.
    """
    xp = model.xp
    weights = profile.joint
    values = evaluate(model, player, weights, tolerance=tolerance, guess=guess)
    for _ in range(MAX_ROUNDS):
        reply, better = improve(model, player, profile, values, weights, tolerance)
        gain = xp.max(better - values)
        if float(gain) <= enough(model, values, tolerance):
            return values, weights
        weights = reply
        values = evaluate(model, player, weights, tolerance=tolerance, guess=values)
    raise NeverEnds("a best response does not settle: nature can keep play from ever ending")


def improve(
    model: RobustModel, player: int, profile: Profile, values: Array, weights: Array, tolerance: float
) -> tuple[Array, Array]:
    """Return joint weights (S, A) with the player's best choice at every state, and what they are worth there, (S,)."""
    if model.coupled:
        return _improve_mixed(model, player, profile, values, weights, tolerance)
    xp = model.xp
    payoffs = _split(model, model.answer(player, values).payoffs, player)
    others = _split(model, profile.joint, player)
    if not profile.advised:
        others = xp.sum(others, axis=1, keepdims=True)
    # (S, advice, own action): without advice there is one row
    worth = xp.matmul(others, xp.matrix_transpose(payoffs))
    best = xp.argmax(worth, axis=-1)
    chosen = xp.astype(xp.arange(payoffs.shape[1], device=aac.device(payoffs)) == best[..., None], payoffs.dtype)
    reply = xp.matmul(xp.matrix_transpose(chosen), others)
    better = xp.sum(xp.max(worth, axis=-1), axis=-1)
    kept = (better - values <= enough(model, values, tolerance))[:, None]  # so that ties never move a policy
    return xp.where(kept, weights, _join(model, reply, player)), better


def _improve_mixed(
    model: RobustModel, player: int, profile: Profile, values: Array, weights: Array, tolerance: float
) -> tuple[Array, Array]:
    """Find the best mixture: nature sees it, so no single action need do."""
    xp, precision = model.xp, enough(model, values, tolerance)
    others = xp.sum(_split(model, profile.joint, player), axis=1)

    def respond(mix: Array) -> Array:
        """Return what each action is worth under nature's answer to a mixture (S, A_i), (S, A_i)."""
        weights = _join(model, mix[:, :, None] * others[:, None, :], player)
        payoffs = _split(model, model.answer(player, values, weights).payoffs, player)
        return xp.sum(payoffs * others[:, None, :], axis=-1)

    present = xp.sum(_split(model, weights, player), axis=-1)
    mix, better = security_mix(respond, present, tolerance=precision / 4)
    reply = _join(model, mix[:, :, None] * others[:, None, :], player)
    return xp.where((better - values <= precision)[:, None], weights, reply), better


def gains(model: RobustModel, profile: Profile, *, tolerance: float) -> tuple[Array, Array]:
    """Return what the profile is worth, (N, S), and how much more each player could get, (N, S)."""
    xp = model.xp
    worth, more = [], []
    for player in range(model.game.n_players):
        values = evaluate(model, player, profile.joint, tolerance=tolerance)
        best, _ = best_response(model, player, profile, tolerance=tolerance, guess=values)
        worth.append(values)
        more.append(xp.maximum(best - values, xp.zeros_like(values)))
    return xp.stack(worth), xp.stack(more)


def _split(model: RobustModel, array: Array, player: int) -> Array:
    """Return an array (S, A) as (S, A_i, actions of the others)."""
    moved = model.xp.moveaxis(model.tensor(array), 1 + player, 1)
    return model.xp.reshape(moved, (moved.shape[0], moved.shape[1], -1))


def _join(model: RobustModel, array: Array, player: int) -> Array:
    """Undo `_split`."""
    n_states, own = array.shape[:2]
    others = [n for i, n in enumerate(model.game.n_actions) if i != player]
    moved = model.xp.reshape(array, (n_states, own, *others))
    return model.xp.reshape(model.xp.moveaxis(moved, 1, 1 + player), (n_states, -1))
