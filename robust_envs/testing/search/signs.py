"""Random sign feedback: tiny laws that need no luck in time, only in sign."""

from __future__ import annotations

from typing import Any

import numpy as np

from robust_envs.natures import Nature
from robust_envs.testing.problem import Problem
from robust_envs.testing.rules import RuleNature
from robust_envs.testing.search.decode import Decoder, modes
from robust_envs.testing.search.windows import random_windows

__all__ = ["Signs"]

Array = np.ndarray[Any, np.dtype[Any]]
_LARGE = 20  # features beyond which a full rule, quadratic in them, is left out


class Signs:
    r"""Draw rules \(\delta = r\,\mathrm{sign}(W s)\) with random W of several structures.

    Half of them steer the policy's action (W = Jᵀ V: J how the action answers each coordinate, V random), the others
    are full, sparse (one feature for each coordinate) or diagonal matrices.

    Args:
        problem: The places.
        directed: Whether to steer at all.
    """

    def __init__(self, problem: Problem, *, directed: bool = True) -> None:
        self.problem, self.rng = problem, problem.rng
        self._decoders = {mode: Decoder(problem, mode=mode) for mode in modes(problem)}
        steerable = directed and any(place.sensitivity is not None for place in problem.places)
        self._steering = {m: Decoder(problem, mode=m, directed=True) for m in modes(problem)} if steerable else {}
        self._large = max(len(place.features) for place in problem.places) > _LARGE
        self._asked = 0

    ready = True  # whether to be asked again before what is out is told

    def ask(self) -> RuleNature:
        """Return the next rule."""
        self._asked += 1
        steer = bool(self._steering) and self._asked % 2 == 1
        decoders = self._steering if steer else self._decoders
        mode = list(decoders)[self.rng.integers(len(decoders))]
        decoder = decoders[mode]
        vector = self.rng.standard_normal(decoder.size)
        if not steer:
            vector *= self._mask(decoder, vector)
        elif self.rng.random() < 0.5:  # one feature tells the direction
            vector *= self._sparse(decoder)
        return decoder.nature(vector, windows=random_windows(self.problem, self.rng))

    def tell(self, nature: Nature, margin: float) -> None:
        """Learn nothing: every rule is drawn afresh."""

    def _mask(self, decoder: Decoder, vector: Array) -> Array:
        """Choose a structure: 1 where a weight stays."""
        kind = self.rng.integers(1 if self._large else 0, 3)
        if kind == 0:
            return np.ones(len(vector))
        return self._sparse(decoder) if kind == 1 else self._diagonal(decoder)

    def _sparse(self, decoder: Decoder) -> Array:
        parts = []
        for rows, columns in decoder.shapes:
            mask = np.zeros((rows, columns))
            mask[:, self.rng.integers(columns)] = 1.0
            parts.append(mask.reshape(-1))
        return np.concatenate(parts)

    def _diagonal(self, decoder: Decoder) -> Array:
        parts = []
        for rows, columns in decoder.shapes:
            mask = np.zeros((rows, columns))
            picked = np.arange(rows) if rows < columns else self.rng.integers(columns, size=rows)
            mask[np.arange(rows), picked] = 1.0
            parts.append(mask.reshape(-1))
        return np.concatenate(parts)
