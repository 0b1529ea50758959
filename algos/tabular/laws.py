"""Nature's choices, made ready for sweeps: which rewards and which rows it answers with, over all states at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import array_api_compat as aac
import numpy as np
from numpy.typing import NDArray

from algos.tabular.rows import Rows
from robust_envs import AmbiguitySet, UncertaintySet

__all__ = ["AmbiguousLaw", "CertainLaw", "FixedShift", "JointShift", "PiecewiseLaw", "ScenarioLaw"]

Array = Any


@dataclass(frozen=True, eq=False)
class CertainLaw:
    """Leave nature no choice: the nominal rows."""

    rows: Rows

    def worst(self, places: Array, weights: Array | None) -> tuple[Array, Array]:
        """Return the worst expected value of the places' values, (S, A), and the rows that give it, (S, A, K).

        Args:
            places: (S, A, K) or broadcastable, the values of the places.
            weights: (S, A), how likely each joint action is, where nature has one choice for a whole state.
        """
        kernel = self.rows.probabilities
        if self.rows.successors is None:  # the places are the states, in every row
            return self.rows.xp.matmul(kernel, places[0, 0]), kernel
        return self.rows.xp.sum(kernel * places, axis=-1), kernel


@dataclass(frozen=True, eq=False)
class AmbiguousLaw:
    """Let nature pick from one kind of set, with a radius for each (state, joint action), or for each state."""

    rows: Rows
    ambiguity: AmbiguitySet
    coupled: bool  # one choice for all joint actions of a state

    def worst(self, places: Array, weights: Array | None) -> tuple[Array, Array]:
        nominal = self.rows.probabilities
        xp = self.rows.xp
        if not self.coupled:
            value, kernel = self.ambiguity.worst_case(xp.broadcast_to(places, nominal.shape), nominal)
            return value, kernel
        _, kernel = self.ambiguity.worst_case_srect(xp.broadcast_to(places, nominal.shape), nominal, weights)  # type: ignore[attr-defined]
        return xp.sum(kernel * places, axis=-1), kernel


@dataclass(frozen=True, eq=False)
class PiecewiseLaw:
    """Let nature pick from different sets at different places: (state, joint action) pairs, or states."""

    rows: Rows
    pieces: tuple[tuple[NDArray[np.intp], AmbiguitySet], ...]  # flat indices; what no piece names is certain
    coupled: bool

    def worst(self, places: Array, weights: Array | None) -> tuple[Array, Array]:
        xp, nominal = self.rows.xp, self.rows.probabilities
        n_states, n_joint, width = nominal.shape
        places = xp.broadcast_to(places, nominal.shape)
        shape = (n_states, n_joint, width) if self.coupled else (n_states * n_joint, width)
        z, p = xp.reshape(places, shape), xp.reshape(nominal, shape)
        kernel = xp.asarray(p, copy=True)
        for at, ambiguity in self.pieces:
            if self.coupled:
                kernel[at] = ambiguity.worst_case_srect(z[at], p[at], weights[at])[1]  # type: ignore[attr-defined,index]
            else:
                kernel[at] = ambiguity.worst_case(z[at], p[at])[1]
        kernel = xp.reshape(kernel, nominal.shape)
        return xp.sum(kernel * places, axis=-1), kernel


@dataclass(frozen=True, eq=False)
class ScenarioLaw:
    """Let nature pick among finitely many kernels: one for each (state, joint action), or for each state."""

    rows: Rows
    kernels: Array  # (K, S, A, places)
    coupled: bool

    def worst(self, places: Array, weights: Array | None) -> tuple[Array, Array]:
        xp = self.rows.xp
        values = xp.sum(self.kernels * places, axis=-1)
        n_states, n_joint = values.shape[1:]
        state = xp.arange(n_states, device=aac.device(values))
        if self.coupled:
            chosen = xp.argmin(xp.sum(values * weights, axis=-1), axis=0)
            return values[chosen, state], self.kernels[chosen, state]
        chosen, action = xp.argmin(values, axis=0), xp.arange(n_joint, device=aac.device(values))
        return values[chosen, state[:, None], action], self.kernels[chosen, state[:, None], action]


@dataclass(frozen=True, eq=False)
class FixedShift:
    """Lower every reward by what nature can take there, whatever is played.

    Args:
        amount: (S, A), or None where nature can take nothing.
    """

    amount: Array | None

    def shift(self, weights: Array | None) -> Array | None:
        """Return what nature adds to the rewards, (S, A), when joint actions are played with `weights` (S, A)."""
        return self.amount


@dataclass(frozen=True, eq=False)
class JointShift:
    """Let nature pick the rewards of all joint actions of a state together, where they hurt what is played most."""

    pieces: tuple[tuple[Any, UncertaintySet, Array], ...]  # states, a set over joint actions, a factor for each state
    shape: tuple[int, int]

    def shift(self, weights: Array | None) -> Array:
        xp = aac.array_namespace(weights)
        amount = xp.zeros(self.shape, dtype=weights.dtype, device=aac.device(weights))  # type: ignore[union-attr]
        for at, members, factor in self.pieces:
            amount[at] = factor[:, None] * members.worst(weights[at])  # type: ignore[index]
        return amount
