"""The default: several searches in turns, in a fixed order."""

from __future__ import annotations

from typing import Any

from robust_envs.natures import Nature
from robust_envs.testing.problem import Problem
from robust_envs.testing.search.cem import CrossEntropy
from robust_envs.testing.search.pgd import Gradient
from robust_envs.testing.search.signs import Signs
from robust_envs.testing.search.steer import Steer
from robust_envs.testing.search.vertices import Segments

__all__ = ["Auto"]


class Auto:
    """Interleave random sign feedback, steering, cross-entropy feedback, constants and segments, and PGD.

    Shares: signs 30%, steer 20%, cross-entropy 35% (in turns along the action and over full rules), segments 15%, and
    three episodes of PGD where the policy has a gradient. Steer begins, with the one nature of it that is not drawn;
    then whoever is furthest behind its share is asked next, so that the order is fixed. What the set or the policy does
    not allow leaves its share to the others.

    Args:
        problem: The places.
    """

    def __init__(self, problem: Problem) -> None:
        self._searches: dict[str, tuple[float, Any]] = {"signs": (0.3, Signs(problem))}
        for name, share, search in (
            ("steer", 0.2, Steer.offered(problem)),
            ("cem", 0.2, CrossEntropy(problem)),
            ("cem full", 0.15, CrossEntropy(problem, directed=False)),
            ("segments", 0.15, Segments(problem)),
            ("pgd", 0.05, Gradient.offered(problem)),
        ):
            if search is not None:
                self._searches[name] = share, search
        self._used = dict.fromkeys(self._searches, 0)
        if "steer" in self._used:
            self._used["steer"] = -1  # what it begins with comes on top of its share
        self._owner: dict[int, tuple[str, Nature]] = {}

    @property
    def ready(self) -> bool:
        """Whether whose turn it is can be asked before what is out is told."""
        return bool(self._searches[self._next()][1].ready)

    def _next(self) -> str:
        return min(self._searches, key=lambda one: (self._used[one] + 0.5) / self._searches[one][0])

    def ask(self) -> Nature:
        """Return the next nature."""
        while True:
            name = self._next()
            try:
                nature: Nature = self._searches[name][1].ask()
            except StopIteration:
                del self._searches[name]
                continue
            self._used[name] += 1
            self._owner[id(nature)] = name, nature
            return nature

    def tell(self, nature: Nature, margin: float) -> None:
        """Pass the margin on to whoever proposed the nature."""
        name, _ = self._owner.pop(id(nature))
        if name in self._searches:
            self._searches[name][1].tell(nature, margin)

    def source(self, nature: Nature) -> str:
        """Say who proposed a nature that is still out."""
        return self._owner[id(nature)][0]
