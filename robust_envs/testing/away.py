"""Episodes of a search played elsewhere, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from robust_envs.executors import Executor
from robust_envs.natures import Nature
from robust_envs.testing.arena import Arena
from robust_envs.testing.episodes import Episode
from robust_envs.testing.properties import Property

__all__ = ["Away", "Margins", "away"]

Margins = Callable[[Sequence[Nature]], list[float]]
"""Plays natures and returns the margin of each, in their order."""


class Away:
    """Play natures in another process, where the environment is built once.

    Args:
        policy, env_fn, channels, deterministic: Of the `Arena`.
        demanded: The property.
        nominal: The episode without nature.
        seed: Of the start.
    """

    def __init__(
        self,
        policy: Any,
        env_fn: Callable[[], Any],
        channels: Mapping[str, Any],
        *,
        deterministic: bool,
        demanded: Property,
        nominal: Episode,
        seed: int,
    ) -> None:
        self._build = policy, env_fn, channels, deterministic
        self._demanded, self._nominal, self._seed = demanded, nominal, seed
        self._arena: Arena | None = None

    def __call__(self, frozen: bytes, tell: Callable[[Any], None]) -> float:
        """Play one nature."""
        import cloudpickle

        if self._arena is None:
            policy, env_fn, channels, deterministic = self._build
            self._arena = Arena(policy, env_fn, channels, deterministic=deterministic)
        nature = cloudpickle.loads(frozen)
        episode = self._arena.play(nature, self._seed, reach=getattr(nature, "reach", 1.0))
        return self._demanded.margin(episode, self._nominal)


@contextmanager
def away(executor: Executor, work: Away) -> Iterator[Margins]:
    """Open an executor for playing natures."""
    import cloudpickle

    with executor.open(work) as do:

        def margins(natures: Sequence[Nature]) -> list[float]:
            found = dict(do([cloudpickle.dumps(nature) for nature in natures]))
            return [found[number] for number in range(len(natures))]

        yield margins
