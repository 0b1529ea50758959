"""CMA-ES on tanh feedback, where the package `cma` is installed."""

from __future__ import annotations

from typing import Any

import numpy as np

from robust_envs.natures import Nature
from robust_envs.testing.problem import Problem
from robust_envs.testing.rules import RuleNature
from robust_envs.testing.search.decode import Decoder, modes
from robust_envs.testing.search.windows import random_windows

__all__ = ["CMA"]


class CMA:
    """Let CMA-ES look for W of rules δ = r tanh(W s).

    Args:
        problem: The places.

    Raises:
        ImportError: If the package ``cma`` is not installed.

    References:
        Nikolaus Hansen, 2016, The CMA Evolution Strategy: A Tutorial.
    """

    def __init__(self, problem: Problem) -> None:
        try:
            import cma
        except ImportError as error:
            raise ImportError("search='cma' needs the package cma: pip install 'robust-envs[cma]'") from error
        self.problem = problem
        known = any(place.sensitivity is not None for place in problem.places)
        self.decoder = Decoder(problem, mode="shared" if "shared" in modes(problem) else "own", directed=known)
        options = {"seed": int(problem.rng.integers(1, 2**31)), "verbose": -9}
        self._engine: Any = cma.CMAEvolutionStrategy(np.zeros(self.decoder.size), 2.0, options)
        self._waiting: list[Any] = []
        self._told: list[tuple[Any, float]] = []
        self._asked: dict[int, tuple[RuleNature, Any]] = {}

    @property
    def ready(self) -> bool:
        """Whether another rule of this population can be asked for before those that are out are told."""
        return bool(self._waiting)

    def ask(self) -> RuleNature:
        """Return the next rule."""
        if not self._waiting:
            self._waiting = list(self._engine.ask())
        vector = self._waiting.pop(0)
        windows = random_windows(self.problem, self.problem.rng)
        nature = self.decoder.nature(vector, squash="tanh", windows=windows)
        self._asked[id(nature)] = nature, vector
        return nature

    def tell(self, nature: Nature, margin: float) -> None:
        """Take in a margin; after a population, move."""
        self._told.append((self._asked.pop(id(nature))[1], margin))
        if len(self._told) == self._engine.popsize:
            self._engine.tell(*map(list, zip(*self._told, strict=True)))
            self._told = []
