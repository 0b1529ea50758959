"""Transition rows with what they can reach only, so that a sweep over them costs as much as there are moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import array_api_compat as aac

__all__ = ["Rows"]

Array = Any


@dataclass(frozen=True, eq=False)
class Rows:
    """Hold the rows of a transition array, one for each (state, joint action), joint actions counted as one axis.

    Args:
        probabilities: (S, A, K).
        successors: (S, A, K), the state that each probability belongs to; places that are not used have probability 0.
            None: the states themselves, K = S.
        n_states: S.
        roams: whether one more place is kept, the last one, for the cheapest state of all; dense rows have it anyway.
    """

    probabilities: Array
    successors: Array | None
    n_states: int
    roams: bool = False

    @classmethod
    def dense(cls, transitions: Array) -> Rows:
        """Keep every state as a place."""
        n_states = transitions.shape[0]
        xp = aac.array_namespace(transitions)
        return cls(xp.reshape(transitions, (n_states, -1, n_states)), None, n_states)

    @classmethod
    def compact(cls, transitions: Array, *, roams: bool = False, reach: Array | None = None) -> Rows:
        """Keep the places some row needs: those with probability, or those marked in `reach` (S, A, S)."""
        full = cls.dense(transitions).probabilities
        xp, (n_states, n_joint, _) = aac.array_namespace(full), full.shape
        reach = full > 0 if reach is None else reach
        counts = xp.sum(xp.astype(reach, xp.int64), axis=-1)
        width = int(xp.max(counts))
        if 2 * width > n_states:
            return cls(full, None, n_states)
        state, action, to = xp.nonzero(reach)
        flat = xp.reshape(counts, (-1,))
        first = xp.cumulative_sum(flat, axis=0) - flat
        place = xp.arange(to.shape[0], device=aac.device(full)) - first[state * n_joint + action]
        successors = xp.zeros((n_states, n_joint, width), dtype=xp.int64, device=aac.device(full))
        probabilities = xp.zeros((n_states, n_joint, width + roams), dtype=full.dtype, device=aac.device(full))
        successors[state, action, place] = to
        probabilities[state, action, place] = full[state, action, to]
        return cls(probabilities, successors, n_states, roams)

    @cached_property
    def xp(self) -> Any:
        """The arrays' library."""
        return aac.array_namespace(self.probabilities)

    @cached_property
    def used(self) -> Array:
        """Which places stand for a state that is no other place's as well, (S, A, K), as numbers 0 and 1."""
        xp = self.xp
        if self.successors is None:
            return xp.ones_like(self.probabilities)
        # Places that are not used are filled with state 0, which comes first where it is used itself.
        place = xp.arange(self.successors.shape[-1], device=aac.device(self.successors))
        return xp.astype((self.successors > 0) | (place == 0), self.probabilities.dtype)

    def pick(self, transitions: Array) -> Array:
        """Return another array (S, A1..An, S) at this one's places, (S, A, K)."""
        flat = self.xp.reshape(transitions, (self.n_states, -1, self.n_states))
        if self.successors is None:
            return flat
        xp, device = self.xp, aac.device(flat)
        state, action = (xp.arange(size, device=device) for size in flat.shape[:2])
        return flat[state[:, None, None], action[None, :, None], self.successors]

    def look_up(self, values: Array) -> Array:
        """Return the values (S,) of the places, broadcastable to (S, A, K)."""
        if self.successors is None:
            return values[None, None, :]
        found = values[self.successors]
        if not self.roams:
            return found
        # Where a row reaches the cheapest state anyway, the extra place counts as dear as the row's dearest.
        xp, least = self.xp, self.xp.min(values)
        elsewhere = xp.min(found, axis=-1, keepdims=True) > least
        return xp.concat([found, xp.where(elsewhere, least, xp.max(found, axis=-1, keepdims=True))], axis=-1)

    def average(self, weights: Array, kernel: Array, values: Array) -> Array:
        """Return the matrix (S, S) of moves when joint actions are played with `weights` (S, A).

        Args:
            weights: (S, A).
            kernel: (S, A, K), probabilities of the places.
            values: (S,), which say where the extra place leads.
        """
        xp, n = self.xp, self.n_states
        moved = weights[..., None] * kernel
        if self.successors is None:
            return xp.sum(moved, axis=1)
        state = xp.arange(n, device=aac.device(kernel))[:, None, None]
        inner = moved[..., :-1] if self.roams else moved
        cells = xp.reshape(state * n + self.successors, (-1,))
        matrix = xp.reshape(_add_up(xp, cells, xp.reshape(inner, (-1,)), n * n), (n, n))
        if self.roams:
            matrix[:, int(xp.argmin(values))] += xp.sum(moved[..., -1], axis=1)
        return matrix


def _add_up(xp: Any, cells: Array, amounts: Array, size: int) -> Array:
    total = xp.zeros(size, dtype=amounts.dtype, device=aac.device(amounts))
    if hasattr(total, "index_add_"):  # torch
        return total.index_add_(0, cells, amounts)
    import numpy as np

    return np.bincount(cells, weights=amounts, minlength=size).astype(amounts.dtype, copy=False)
