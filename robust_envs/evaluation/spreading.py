"""How episodes are shared out among workers, and counted as they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

__all__ = ["Told", "shares"]

_SHARES = 8  # for each worker: the last to end keeps the others waiting an eighth of the time at most


def shares(places: Sequence[tuple[str, float]], episodes: int, workers: int) -> list[tuple[str, float, int, int]]:
    """Cut the episodes of every nature and level into runs of (nature, level, first, stop).

    Example:
        >>> shares([("", 0.0)], 5, 1)
        [('', 0.0, 0, 1), ('', 0.0, 1, 2), ('', 0.0, 2, 3), ('', 0.0, 3, 4), ('', 0.0, 4, 5)]
        >>> shares([("", 0.0), ("uniform", 1.0)], 100, 1)[:2]
        [('', 0.0, 0, 25), ('', 0.0, 25, 50)]
    """
    length = max(1, ceil(episodes * len(places) / (workers * _SHARES)))
    return [(*place, first, min(first + length, episodes)) for place in places for first in range(0, episodes, length)]


class Told:
    """Count episodes that ended, and tell.

    Args:
        progress: Called with (episodes done, episodes in all).
        total: Episodes in all.
    """

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def one_more(self) -> None:
        """Count one."""
        self.more(1)

    def more(self, number: int) -> None:
        """Count several."""
        self._done += number
        if self._progress is not None:
            self._progress(self._done, self._total)
