"""The cross-entropy method on tanh feedback."""

from __future__ import annotations

from typing import Any

import numpy as np

from robust_envs.channels import WORLD
from robust_envs.natures import Nature
from robust_envs.sets import Finite
from robust_envs.testing.lattice import innermost
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import RuleNature
from robust_envs.testing.search.decode import Decoder, modes
from robust_envs.testing.search.windows import random_windows

__all__ = ["CrossEntropy"]

_PATIENCE, _ROUND = 8, 10  # populations before the sets grow, and from there to when they grow again
_LARGEST, _SHRINK = 2.0, 0.8  # sets twice as large, then smaller by a fifth at a time

Array = np.ndarray[Any, np.dtype[Any]]


class CrossEntropy:
    r"""Draw W of rules \(\delta = r \tanh(W s)\) from a Gaussian that moves to where margins are small.

    Where eight populations have found nothing it goes on in sets twice as large and comes back to those given as fast
    as it breaks the policy there (continuation in the radius; sooner it costs more than it gains). What breaks in a
    larger set counts as an episode, not as found.

    Args:
        problem: The places.
        directed: Whether W steers the policy's action.
        mode: Who shares a rule; the most that may by default.
        population: Rules between two moves of the Gaussian.
        elite: How many of them it moves to.
        memory: Share of the old Gaussian that stays.
        gain: Standard deviation it starts with.

    References:
        Reuven Rubinstein, 1999, The Cross-Entropy Method for Combinatorial and Continuous Optimization.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        directed: bool = True,
        mode: str | None = None,
        population: int = 12,
        elite: int = 4,
        memory: float = 0.3,
        gain: float = 2.0,
    ) -> None:
        self.problem, self.rng = problem, problem.rng
        known = directed and any(place.sensitivity is not None for place in problem.places)
        offered = modes(problem)
        self.decoder = Decoder(problem, mode=mode or ("shared" if "shared" in offered else "own"), directed=known)
        self.mean, self.std = np.zeros(self.decoder.size), np.full(self.decoder.size, gain)
        self.population, self.elite, self.memory = population, elite, memory
        self.reach, self._populations = 1.0, 0
        self._grows = not any(_fixed(place) for place in problem.places)
        self._told: list[tuple[float, Array]] = []
        self._asked: dict[int, tuple[Any, Array]] = {}

    @property
    def ready(self) -> bool:
        """Whether another rule of this population can be asked for before those that are out are told."""
        return len(self._told) + len(self._asked) < self.population

    def ask(self) -> RuleNature:
        """Return the next rule."""
        vector = self.mean + self.std * self.rng.standard_normal(len(self.mean))
        windows = random_windows(self.problem, self.rng)
        nature = self.decoder.nature(vector, squash="tanh", windows=windows, reach=self.reach)
        self._asked[id(nature)] = nature, vector
        return nature

    def tell(self, nature: Nature, margin: float) -> None:
        """Take in a margin; after a population, move."""
        _, vector = self._asked.pop(id(nature))
        self._told.append((margin, vector))
        if len(self._told) < self.population:
            return
        best = sorted(self._told, key=lambda pair: pair[0])[: self.elite]
        rows = np.array([row for _, row in best])
        self.mean = self.memory * self.mean + (1 - self.memory) * rows.mean(axis=0)
        self.std = self.memory * self.std + (1 - self.memory) * rows.std(axis=0) + 0.1
        self._told = []
        self._populations += 1
        self.reach = self._next_reach(best[0][0])

    def _next_reach(self, margin: float) -> float:
        """Grow where nothing was found in the sets as given, come back where the policy broke."""
        if not self._grows or self._populations < _PATIENCE:
            return 1.0
        if (self._populations - _PATIENCE) % _ROUND == 0:
            return _LARGEST
        return max(1.0, _SHRINK * self.reach) if margin < 0 else self.reach


def _fixed(place: Place) -> bool:
    """Tell whether nothing lies beyond the set: it lists its members, or holds what the world can be."""
    return isinstance(innermost(place.members), Finite) or place.channel in WORLD
