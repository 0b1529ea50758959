"""Count the episodes of a shrinker, and stop it where they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from robust_envs.natures import Nature

__all__ = ["Judge", "SpentError", "patiently"]


class SpentError(Exception):
    """No episode is left."""


class Judge:
    """Play a nature, return its margin and count; what was worst is kept.

    Args:
        play: From a nature to its margin: one episode.
        budget: Episodes at most.
    """

    def __init__(self, play: Callable[[Nature], float], budget: int) -> None:
        self.play, self.budget, self.used = play, budget, 0
        self.worst: tuple[float, Nature | None] = float("inf"), None

    def __call__(self, nature: Nature) -> float:
        margin = self.elsewhere(self.play, nature)
        if margin < self.worst[0]:
            self.worst = margin, nature
        return margin

    def elsewhere(self, play: Callable[[Nature], float], nature: Nature) -> float:
        """Count an episode that is played otherwise, as from another start."""
        self.charge()
        return play(nature)

    def charge(self) -> None:
        """Count an episode, or raise where none is left."""
        if self.used >= self.budget:
            raise SpentError
        self.used += 1


@contextmanager
def patiently() -> Iterator[None]:
    """Let a shrinker end early, when its budget is spent or somebody interrupts it: the best so far is kept."""
    try:
        yield
    except (SpentError, KeyboardInterrupt):
        return
