"""The assertion for tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from robust_envs.testing.counterexample import Counterexample
from robust_envs.testing.falsify import falsify
from robust_envs.testing.properties import as_property
from robust_envs.testing.result import Result
from robust_envs.testing.session import effort, told
from robust_envs.testing.store import FOLDER, load_counterexamples, save_counterexample

__all__ = ["NotRobustError", "assert_robust"]


class NotRobustError(AssertionError):
    """A policy broke.

    Attributes:
        result: What was found.
        robust_report: The same in words, with the file to replay it.
    """

    def __init__(self, result: Result, path: Path | None, *, sources: str = "", notes: str = "") -> None:
        self.result, self.path = result, path
        again = notes if path is None else f"\n  replay: robust-envs replay {path}{sources}"
        self.robust_report = result.report() + again
        super().__init__(self.robust_report)


def assert_robust(
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    property: Any,  # noqa: A002 - the same name means the same thing everywhere
    max_episodes: int = 300,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = FOLDER,
    **arguments: Any,
) -> Result:
    """Raise unless `falsify` finds nothing within its budget.

    Saved counterexamples of the folder that are about this property and these channels are tried first; what is found
    is saved there, so that the suite grows by itself. In a run of pytest its options and the marker ``robust`` may
    change budget and seed.

    Args:
        policy, env_fn, property, max_episodes, seed: See `falsify`.
        folder: Of counterexamples; None neither reads nor writes any.
        arguments: Everything else is handed to `falsify`.

    Returns:
        The `Result`: what was searched.

    Raises:
        NotRobustError: An `AssertionError` that tells property, smallest perturbation, file, and how to replay it.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf
        >>> from robust_envs.testing import assert_robust, returns_at_least
        >>> def lean(observation):
        ...     return int(observation[2] + observation[3] > 0)
        >>> result = assert_robust(lean, lambda: gymnasium.make("CartPole-v1", max_episode_steps=50),
        ...     observation=Linf(0.001), property=returns_at_least(50.0), max_episodes=5, folder=None)
        >>> result.searched
        5
    """
    __tracebackhide__ = True  # pytest shows the test, not us
    wanted = effort(max_episodes, seed)
    started = time.perf_counter()
    kept = [] if folder is None else list(load_counterexamples(folder))
    fitting = dict(_fitting(kept, property, arguments))
    search = arguments.pop("search", "auto") if wanted.search else _Nothing()
    result = falsify(
        policy,
        env_fn,
        property=property,
        max_episodes=wanted.max_episodes,
        seed=wanted.seed,
        search=search,
        saved=fitting.values(),
        **arguments,
    )
    seconds = time.perf_counter() - started
    told(episodes=result.searched, saved=result.episodes.get("saved", 0), broken=result.found, seconds=seconds)
    if not result.found:
        return result
    path, kept_out = None, ""
    if result.first is not None and result.first.strategy == "saved":
        path = next(path for path, found in fitting.items() if found.seed == result.env_seed)
    elif folder is not None and result.counterexample is not None:
        try:
            path = save_counterexample(result.counterexample, folder)
        except ValueError as error:  # what was found must be told all the same
            kept_out = f"\n  not kept in a file: {error}"
    sources = f" --policy {_name(policy, 'MODULE:ATTRIBUTE')} --env {_name(env_fn, 'MODULE:FUNCTION')}"
    raise NotRobustError(result, path, sources=sources, notes=kept_out)


def _name(thing: Any, unknown: str) -> str:
    """Say where a policy or function can be imported from; what has no name of its own must be found by the reader."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "<")
    return unknown if module is None or "<" in name or module == "__main__" else f"{module}:{name}"


def _fitting(
    kept: list[tuple[Path, Counterexample]], demanded: Any, arguments: dict[str, Any]
) -> Iterator[tuple[Path, Counterexample]]:
    """Yield what was found against the same property, in the same environment's channels."""
    expression = as_property(demanded).expression
    for path, found in kept:
        channels = {channel for channel in found.channels if arguments.get(channel) is not None}
        if found.property.get("expression") == expression and channels == set(found.channels):
            yield path, found


class _Nothing:
    """A search that has nothing to try: saved counterexamples only."""

    def ask(self) -> Any:
        raise StopIteration

    def tell(self, nature: Any, margin: float) -> None:
        """Never called."""
