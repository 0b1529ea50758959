"""Stage equilibria of several players where nature sees the mixed policies and answers for a whole state at once."""

from __future__ import annotations

from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.dynamics import Profile
from algos.tabular.model import RobustModel, to_numpy
from algos.tabular.newton import polish
from algos.tabular.stage import NoEquilibrium, StageSolution, solve

__all__ = ["coupled_equilibrium"]

Array = Any
MAX_ROUNDS = 25
PRECISION = 1e-12  # of the payoffs: a nature that could take less than this is content


def coupled_equilibrium(
    model: RobustModel, values: Array, profile: Profile, *, selection: str
) -> tuple[Array, Profile]:
    """Return an equilibrium of every stage game, (N, S) and the policies.

    Every player's nature joins the game as a player of its own, whose actions are the answers it has given so far. An
    equilibrium of that finite game in which no nature has a better answer is one of the stage game, because what a
    player can hope for is at most what it gets against its nature's present mixture. Otherwise the better answers are
    new actions. Where answers move smoothly with the policies, Newton's method gets there first. While there is one
    answer each, `selection` chooses; then it is the equilibrium nearby, or the first found.

    Args:
        model: the game with its uncertainty.
        values: (N, S), what going on is worth.
        profile: whose answers come first.
        selection: which equilibrium; one that was selected in an earlier sweep stays while it is one.
    """
    game = model.game
    n, alive = game.n_players, np.flatnonzero(to_numpy(model.alive)[:, 0])
    answers = [_answers(model, values, profile.policies)]
    policies = [to_numpy(policy).copy() for policy in profile.policies]
    gap = np.full(game.n_states, -np.inf)
    gap[alive] = np.inf

    def keep(tried: Any, left: Any) -> None:
        better = left < gap
        gap[better] = left[better]
        for policy, new in zip(policies, tried, strict=True):
            policy[better] = new[better]

    def respond_to(mixtures: Any) -> tuple[Any, Any]:
        alike = tuple(_like(x, values) for x in mixtures)
        return _answers(model, values, alike), to_numpy(model.weights(alike))

    def respond(mixtures: Any) -> Any:
        given, _ = respond_to(mixtures)
        tensors = given.reshape(n, game.n_states, *game.n_actions)
        return tuple(_worth_of_actions(tensors[i], mixtures, i) for i in range(n))

    if profile.settled:
        keep(*polish(respond, tuple(policies)))
    for _ in range(MAX_ROUNDS):
        at = np.flatnonzero(gap > PRECISION * (1.0 + np.abs(answers[-1]).max()))
        if not len(at):
            break
        found = _extended(np.stack([each[:, at] for each in answers], axis=-1), game.n_actions, selection)
        tried = tuple(_with_rows(policy, at, new) for policy, new in zip(policies, found.policies[:n], strict=True))
        answer, weights = respond_to(tried)
        left = np.full(game.n_states, np.inf)
        left[at] = (found.values[:, :n].T - (answer * weights).sum(axis=-1)[:, at] + found.gap[:, :n].T).max(axis=0)
        keep(tried, left)
        keep(*polish(respond, tried))
        answers.append(answer)
    kept = tuple(_like(policy, values) for policy in policies)
    weights = model.weights(kept)
    worth = (_answers(model, values, kept) * to_numpy(weights)).sum(axis=-1)
    return _like(worth, values), Profile(kept, weights, settled=True)


def _answers(model: RobustModel, values: Array, policies: tuple[Array, ...]) -> Any:
    """Return all natures' answers to policies, (N, S, A)."""
    weights = model.weights(policies)
    return np.stack([to_numpy(model.answer(i, values[i], weights).payoffs) for i in range(model.game.n_players)])


def _worth_of_actions(tensor: Any, mixtures: Any, player: int) -> Any:
    """Average payoffs (S, A1..An) over the mixtures of the others, (S, A_i)."""
    for other in reversed(range(len(mixtures))):
        if other != player:
            shape = [len(tensor), *[1] * (tensor.ndim - 1)]
            shape[1 + other] = -1
            tensor = (tensor * mixtures[other].reshape(shape)).sum(axis=1 + other, keepdims=True)
    return tensor.reshape(len(tensor), -1)


def _extended(answers: Any, n_actions: tuple[int, ...], selection: str) -> StageSolution:
    """Solve the games of players and natures for answers (N, S, A, K), (S games)."""
    n, n_games, _, count = answers.shape
    tensor = np.moveaxis(answers.reshape(n, n_games, *n_actions, count), 0, 1)
    if count == 1:
        return _try(tensor[..., 0], selection)
    payoffs = np.empty((n_games, 2 * n, *n_actions, *[count] * n))
    for i in range(n):
        own = [count if j == i else 1 for j in range(n)]
        payoffs[:, i] = tensor[:, i].reshape(n_games, *n_actions, *own)
        payoffs[:, n + i] = -payoffs[:, i]
    return _try(payoffs, "first")


def _try(payoffs: Any, selection: str) -> StageSolution:
    try:
        return solve(payoffs, selection=selection, kind="nash", tolerance=PRECISION)
    except NoEquilibrium as error:
        return error.found  # its gap is kept and certified


def _with_rows(policy: Any, at: Any, rows: Any) -> Any:
    changed = policy.copy()
    changed[at] = rows
    return changed


def _like(array: Any, values: Array) -> Array:
    return aac.array_namespace(values).asarray(array, dtype=values.dtype, device=aac.device(values))
