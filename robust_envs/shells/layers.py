"""What the shells of all APIs share: the view of a robust layer from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import gymnasium
from gymnasium.vector import VectorEnv
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.perturber import Perturber
from robust_envs.sets import UncertaintySet
from robust_envs.traces import Executed, Trace

__all__ = ["Declared", "Layer", "find_wrapper"]

_INWARD = ("env", "aec_env", "par_env", "venv")
_KINDS = (gymnasium.Env, VectorEnv, AECEnv, ParallelEnv)


class Declared(NamedTuple):
    """What one nature may do.

    Attributes:
        channel, agent: Its place; a tuple of ids for a nature that covers several agents.
        members: The bound set.
        space: Of what it moves: a Box of deltas, or the Discrete choices it has.
        names: Of the numbers, where they are parameters of the world.
        once: Whether it moves once an episode.
        moving: Whether its set is another at every move.
    """

    channel: str
    agent: str | tuple[str, ...]
    members: UncertaintySet
    space: Any
    names: tuple[str, ...] | None
    once: bool
    moving: bool


class Layer:
    """A robust layer: reads moves, trace and radius from its perturber."""

    _perturber: Perturber
    _info: str | None

    def _settle(self, perturber: Perturber, info: str | None) -> None:
        if info not in (None, "numeric"):
            raise ValueError(f"info must be None or 'numeric', got info={info!r}")
        self._perturber, self._info = perturber, info
        self._channels = sorted({seat.channel for seat in perturber.seats})

    @staticmethod
    def layers_below(env: Any) -> int:
        """Count the robust layers from `env` inwards."""
        return sum(isinstance(one, Layer) for one in inwards(env))

    @property
    def last_move(self) -> dict[tuple[str, str], Executed]:
        """The latest move of each nature of this layer in this episode, by (channel, agent)."""
        return self._perturber.last_move

    @property
    def trace(self) -> Trace:
        """What nature did in the current episode so far; needs ``robust(..., trace=True)``."""
        return self._perturber.trace

    @property
    def radius(self) -> dict[str, Any]:
        """Radius of the sets by channel (of the first agent covered). Set a number, or a dict by channel.

        What is set takes effect at once. A trace replays only episodes whose radius was set before the reset.
        """
        return {s.channel: getattr(s.members, "radius", None) for s in reversed(self._perturber.seats)}

    @radius.setter
    def radius(self, value: float | Mapping[str, float]) -> None:
        self._perturber.set_radius(value)

    def skip_episodes(self, number: int) -> None:
        """Count so many episodes as played: natures that count them, such as a curriculum, go on behind them."""
        self._perturber.skip_episodes(number)

    @property
    def robust_layers(self) -> int:
        """Number of robust layers from this one inwards; processes ask for it, they cannot look inside each other."""
        return self._perturber.depth + 1

    @property
    def declared(self) -> tuple[Declared, ...]:
        """What each nature of this layer may do."""
        return tuple(
            Declared(seat.channel, seat.agent, seat.members, seat.port.space, seat.names, seat.once, seat.moving)
            for seat in self._perturber.seats
        )

    def restore(self) -> None:
        """Give the environment back its own parameters."""
        self._perturber.restore()

    def close(self) -> None:
        """Give the environment back its own parameters, and close it."""
        self.restore()
        super().close()  # type: ignore[misc] # the wrapper that every layer is

    def _told(self, info: Mapping[str, Any], agent: str) -> dict[str, Any]:
        """Add the executed deltas to an info, when asked for."""
        if self._info is None:
            return info  # type: ignore[return-value]  # the very object the environment gave
        told = {self._key(channel): self._perturber.numbers(channel, agent) for channel in self._channels}
        return {**info, **told}

    def _key(self, channel: str) -> str:
        """Name of a channel's delta in infos: layers keep theirs apart."""
        depth = self._perturber.depth
        return f"robust{depth or ''}_{channel}_delta"


def name_of(env: Any) -> str | None:
    """Return what an environment calls itself, if anything; some have no metadata at all."""
    return (getattr(env, "metadata", None) or {}).get("name")


def inner(env: Any) -> Any:
    """Return what a wrapper or a converter holds, ``None`` at the bottom."""
    held = getattr(env, "__dict__", {})
    return next((held[name] for name in _INWARD if isinstance(held.get(name), _KINDS)), None)


def inwards(env: Any) -> Iterator[Any]:
    """Yield an environment and all it wraps, from the outside in; once each, where one holds itself."""
    seen: list[Any] = []
    while env is not None and not any(env is one for one in seen):
        seen.append(env)
        yield env
        env = inner(env)


def find_wrapper(env: Any, kind: type) -> Any:
    """Find a wrapper of some class from the outside in, through wrappers and conversions.

    Args:
        env: Any environment.
        kind: The class looked for, e.g. `robust_envs.shells.RobustParallelEnv`.

    Returns:
        The outermost wrapper of that class.

    Raises:
        LookupError: If there is none.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, Uniform, robust
        >>> from robust_envs.shells import RobustEnv
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())
        >>> find_wrapper(gymnasium.wrappers.TimeLimit(env, 10), RobustEnv) is env
        True
    """
    for here in inwards(env):
        if isinstance(here, kind):
            return here
    raise LookupError(f"no {kind.__name__} in {env}")
