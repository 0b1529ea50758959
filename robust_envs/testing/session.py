"""What a run of pytest changes about the robustness tests in it, and what it wants to be told."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

__all__ = ["Effort", "effort", "told"]


class Effort(NamedTuple):
    """How hard to search.

    Attributes:
        max_episodes: Of the search.
        seed: Of the search.
        search: Whether to search at all, or only to try saved counterexamples.
    """

    max_episodes: int
    seed: int
    search: bool = True


def effort(max_episodes: int, seed: int) -> Effort:
    """Say how hard a test is to search, given what it says itself.

    The marker `robust` speaks louder than the test, ``--robust-budget`` and ``--robust-seed`` louder than both;
    ``--robust-profile`` multiplies the budget. Outside of pytest the test decides.

    Example:
        >>> effort(300, 0)
        Effort(max_episodes=300, seed=0, search=True)
    """
    run = _run()
    if run is None:
        return Effort(max_episodes, seed)
    wanted = _first(run.budget, run.marker.get("max_episodes"), max_episodes)
    starts = _first(run.seed, run.marker.get("seed"), seed)
    if run.factor in (0.0, 1.0):
        return Effort(wanted, starts, search=run.factor > 0)
    return Effort(max(1, round(wanted * run.factor)) if wanted > 0 else wanted, starts)


def _first(*given: Any) -> Any:
    return next(one for one in given if one is not None)


def told(*, episodes: int, saved: int, broken: bool, seconds: float) -> None:
    """Tell the run what one search did.

    Args:
        episodes: Played by the search, without shrinking.
        saved: Counterexamples of the folder that were tried.
        broken: Whether the property was violated.
        seconds: It took.
    """
    run = _run()
    if run is not None:
        run.records.append({"episodes": episodes, "saved": saved, "broken": broken, "seconds": round(seconds, 3)})


def _run() -> Any:
    """Return the run of pytest that goes on now; its plugin is never imported from here."""
    plugin = sys.modules.get("robust_envs.pytest_plugin")
    return plugin.runs[-1] if plugin is not None and plugin.runs else None
