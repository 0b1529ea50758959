"""What a search is: something that is asked for natures and told their margins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from robust_envs.names import close_match
from robust_envs.natures import Nature
from robust_envs.testing.problem import Problem
from robust_envs.testing.search.best_response import BestResponse
from robust_envs.testing.search.cem import CrossEntropy
from robust_envs.testing.search.cma import CMA
from robust_envs.testing.search.mixed import Auto
from robust_envs.testing.search.pgd import Gradient
from robust_envs.testing.search.signs import Signs
from robust_envs.testing.search.steer import Steer
from robust_envs.testing.search.vertices import NoiseSearch, Segments

__all__ = ["SEARCHES", "Search", "make_search"]


@runtime_checkable
class Search(Protocol):
    """Be asked for a nature (any callable of `Move`), then told the margin it led to, in turns.

    A search that does not need to know how the last natures did may have an attribute `ready`, true while it can be
    asked for more before those that are out are told: `falsify(..., executor=...)` plays them side by side.
    """

    def ask(self) -> Nature:
        """Return a nature to try; raise `StopIteration` when there is nothing left to try."""

    def tell(self, nature: Nature, margin: float) -> None:
        """Take in the margin of the episode in which `nature` played."""


SEARCHES: dict[str, Callable[[Problem], Search]] = {
    "auto": Auto,
    "signs": Signs,
    "steer": Steer,
    "cem": CrossEntropy,
    "segments": Segments,
    "noise": NoiseSearch,
    "pgd": Gradient,
    "cma": CMA,
    "best_response": BestResponse,
}
"""Searches by name; each is made from a `Problem`."""


def make_search(search: Any, problem: Problem) -> tuple[str, Search]:
    """Return the name and the search that was asked for.

    Args:
        search: A name, an object with ``ask`` and ``tell``, or a function from `Problem` to one.
        problem: What it starts from.

    Raises:
        ValueError: For an unknown name.
        TypeError: For something that cannot search.

    Example:
        >>> make_search("sings", None)
        Traceback (most recent call last):
        ValueError: search must be one of auto, signs, ..., got search='sings'; did you mean 'signs'?
    """
    if isinstance(search, str):
        if search not in SEARCHES:
            hint = close_match(search, tuple(SEARCHES))
            raise ValueError(f"search must be one of {', '.join(SEARCHES)}, got search={search!r}{hint}")
        return search, SEARCHES[search](problem)
    name = getattr(search, "__name__", type(search).__name__)
    made = search if isinstance(search, Search) and not isinstance(search, type) else None
    if made is None and callable(search):
        made = search(problem)
    if not isinstance(made, Search):
        raise TypeError(f"search must be a name, have ask() and tell(), or make such from a Problem, got {search!r}")
    return name, made
