"""One sweep: the stage game that the players meet at every state, and its solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.concave import security_mix
from algos.tabular.coupled import coupled_equilibrium
from algos.tabular.dynamics import Profile
from algos.tabular.model import RobustModel, to_numpy
from algos.tabular.stage import NoEquilibrium, StageSolution, solve

__all__ = ["Sweep", "first_profile"]

Array = Any


@dataclass(frozen=True, eq=False)
class Sweep:
    """Solve all stage games at given values.

    Args:
        model: the game with its uncertainty.
        selection: which equilibrium of a stage game.
        kind: what a solution of a stage game is, see `algos.tabular.stage.solve`.
    """

    model: RobustModel
    selection: str
    kind: str

    def __call__(self, values: Array, profile: Profile) -> tuple[Array, Profile]:
        """Return what the stage games are worth, (N, S), and the policies that are played in them.

        Args:
            values: (N, S), what going on is worth.
            profile: where to start from, for solvers that search.
        """
        model = self.model
        if model.game.n_players == 1:
            return self._alone_mixed(values, profile) if model.coupled else self._alone(values)
        if model.coupled:
            return coupled_equilibrium(model, values, profile, selection=self.selection)
        return self._together(values)

    def _alone(self, values: Array) -> tuple[Array, Profile]:
        xp, payoffs = self.model.xp, self.model.answer(0, values[0]).payoffs
        chosen = xp.argmax(payoffs, axis=-1)
        actions = xp.arange(payoffs.shape[1], device=aac.device(payoffs))
        policy = xp.astype(actions == chosen[:, None], payoffs.dtype)
        return xp.max(payoffs, axis=-1)[None], Profile((policy,), policy)

    def _alone_mixed(self, values: Array, profile: Profile) -> tuple[Array, Profile]:
        model = self.model
        precision = 32 * float(model.xp.finfo(values.dtype).eps) * (1.0 + float(model.xp.max(model.xp.abs(values))))

        def respond(mix: Array) -> Array:
            return model.answer(0, values[0], mix).payoffs

        mix, worth = security_mix(respond, profile.policies[0], tolerance=precision)
        return worth[None], Profile((mix,), mix)

    def _together(self, values: Array) -> tuple[Array, Profile]:
        model, game = self.model, self.model.game
        payoffs = np.stack([to_numpy(model.answer(i, values[i]).payoffs) for i in range(game.n_players)], axis=1)
        alive = np.flatnonzero(to_numpy(model.alive)[:, 0])
        games = payoffs[alive].reshape(len(alive), game.n_players, *game.n_actions)
        found = self._solve(games)
        worth = np.zeros((game.n_players, game.n_states))
        worth[:, alive] = found.values.T
        policies = tuple(self._like(_everywhere(policy, alive, game.n_states), values) for policy in found.policies)
        if found.joint is None:
            return self._like(worth, values), Profile(policies, model.weights(policies))
        joint = self._like(_everywhere(found.joint.reshape(len(alive), -1), alive, game.n_states), values)
        return self._like(worth, values), Profile(policies, joint, True, self.kind == "correlated")

    def _solve(self, games: Array) -> StageSolution:
        try:
            return solve(games, selection=self.selection, kind=self.kind)
        except NoEquilibrium as error:
            return error.found  # what becomes of it is certified at the end

    def _like(self, array: Array, values: Array) -> Array:
        return self.model.xp.asarray(array, dtype=values.dtype, device=aac.device(values))


def first_profile(model: RobustModel) -> Profile:
    """Return the profile in which everybody plays every action alike."""
    xp, like, game = model.xp, model.game.transitions, model.game
    policies = tuple(
        xp.full((game.n_states, n), 1.0 / n, dtype=like.dtype, device=aac.device(like)) for n in game.n_actions
    )
    return Profile(policies, model.weights(policies))


def _everywhere(policy: Array, alive: Array, n_states: int) -> Array:
    """Return a policy for all states: in a terminal one, where nothing counts, the first action."""
    full = np.zeros((n_states, policy.shape[1]))
    full[:, 0] = 1.0
    full[alive] = policy
    return full
