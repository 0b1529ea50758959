"""One environment as the channels see it that act on the world, not on what an agent says or hears."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from robust_envs.sets import AmbiguitySet
from robust_envs.worlds.kernel import Kernel
from robust_envs.worlds.lever import Lever
from robust_envs.worlds.option import OptionsLever, asks_options
from robust_envs.worlds.parameter import Parameter, Reading
from robust_envs.worlds.probe import begin, difference, second, undisturbed
from robust_envs.worlds.tables import observe_again, ready_parameters, ready_states

__all__ = ["World"]

_ALIVE: set[tuple[str, str]] = set()  # parameters that have been seen to matter, by class of environment


class World:
    """Find what the channels move in an environment, and ask it for its observations anew.

    Args:
        env: The environment, wrapped or not.
        single: The id of its only agent, where values do not come by agent.
    """

    def __init__(self, env: Any, single: str | None = None) -> None:
        self.root, self._env, self._single = env.unwrapped, env, single
        self._speaker = next((one for one in _inwards(env) if callable(getattr(one, "observe", None))), None)
        self._asked = None if self._speaker is not None else observe_again(self.root)

    def lever(self, channel: str, given: Any) -> Lever | Kernel:
        """Return what a channel moves.

        Raises:
            TypeError: For what is no set.
            ValueError: If it cannot be moved, with the reason.
        """
        if channel == "transition" and isinstance(given, AmbiguitySet):
            return Kernel(self.root, given)
        if channel == "start" and asks_options(given):
            return OptionsLever(given)
        if channel == "dynamics":
            lever = Lever(channel, self.root, given, ready_parameters(self.root))
            with undisturbed():
                self._warn_of_ignored(lever, _paths(ready_parameters(self.root)))
            return lever
        if not self.speaks:
            raise ValueError(
                f"{channel} moves the state, and {type(self.root).__name__} cannot be asked for its observation "
                "afterwards: give it a method _get_obs()"
            )
        with undisturbed():
            return self._state(channel, given)

    def _state(self, channel: str, given: Any) -> Lever:
        """Find the state in a second environment, which can be reset: before its first reset many a one has none."""
        other = second(self._env)
        if other is None:
            return Lever(channel, self.root, given, ready_states(self.root))
        told = begin(other)
        world = World(other, self._single)
        told = self._by_agent(told)
        self.check_speech(channel, told, world.observe)
        lever: Lever = Lever(channel, other.unwrapped, given, ready_states(self.root))
        before = world.observe(told)
        for reading in lever.readings:
            _nudge(reading, other.unwrapped, 1.33)
        after = world.observe(told)
        if any(isinstance(said, np.ndarray) and after[agent] is said for agent, said in before.items()):
            raise ValueError(
                f"{channel} moves the state, and observe() of {type(self._speaker).__name__} goes on saying what was "
                "said before: wrap the environment inside, and convert afterwards"
            )
        lever = lever.at(self.root)
        self._warn_of_ignored(lever, _paths(ready_states(self.root)))
        return lever

    def check_speech(self, channel: str, told: Mapping[str, Any], observe: Any = None) -> None:
        """Raise unless the environment, asked again, says what it has just said.

        Args:
            channel: For the message.
            told: Observations by agent.
            observe: Asks again; this environment by default.
        """
        again = (observe or self.observe)(told)
        for agent, said in told.items():
            if not np.array_equal(np.asarray(said), np.asarray(again[agent])):
                raise ValueError(
                    f"{channel} moves the state and asks {type(self.root).__name__} for its observation again: "
                    f"a wrapper has changed what it says, so put robust() inside that wrapper; {agent} was told "
                    f"{said!r}, and asked again {again[agent]!r}"
                )

    def _warn_of_ignored(self, lever: Lever, ready: Container[str]) -> None:
        """Warn of parameters which the simulation never reads: a second environment plays on as if nothing were."""
        kind = f"{type(self.root).__module__}.{type(self.root).__qualname__}"
        for reading in lever.readings:
            place = kind, reading.parameter.path
            if place in _ALIVE or reading.parameter.path in ready:
                continue  # those that are ready-made are known to matter, some only where bodies touch
            plain, moved = second(self._env), second(self._env)
            if plain is None or moved is None:
                return
            try:
                root = moved.unwrapped
                alive = any(difference(plain, moved, partial(_nudge, reading, root, f)) for f in (1.33, 0.67))
            except Exception:  # noqa: S112 - what cannot be played at random is not judged
                continue
            if alive:
                _ALIVE.add(place)
                continue
            name = type(self.root).__name__
            warnings.warn(
                f"{lever.channel} {reading.parameter.path!r} has no effect in random episodes of {name}: "
                "its simulation may never read it",
                stacklevel=2,
            )

    @property
    def speaks(self) -> bool:
        """Whether the environment can be asked for its observations without a step."""
        return self._speaker is not None or self._asked is not None

    def observe(self, agents: Iterable[str]) -> dict[str, Any]:
        """Ask for the observations of some agents as the world is now."""
        if self._speaker is not None:
            return {agent: self._speaker.observe(agent) for agent in agents}
        assert self._asked is not None  # refused otherwise
        said = self._by_agent(self._asked())
        return {agent: said[agent] for agent in agents}

    def _by_agent(self, said: Any) -> Any:
        named = self._single is None or (isinstance(said, Mapping) and self._single in said)
        return said if named else {self._single: said}


def _paths(table: Mapping[str, Parameter]) -> set[str]:
    return {parameter.path for parameter in table.values()}


def _nudge(reading: Reading, root: Any, factor: float) -> None:
    """Move a parameter by a third in another environment, or by one where it is 0."""
    other = copy(reading)
    other.root = root
    numbers = other.read()
    low, high = other.parameter.limits(root, other.size)
    if other.whole:
        other.write(np.where(numbers < high, numbers + 1, numbers - 1))
        return
    moved = np.where(numbers == 0, np.sign(factor - 1), factor * numbers)
    other.write(np.clip(moved, low, high))


def _inwards(env: Any) -> Iterable[Any]:
    """Yield an environment and what it wraps."""
    seen: list[Any] = []
    while env is not None and not any(env is one for one in seen):
        seen.append(env)
        yield env
        held = getattr(env, "__dict__", {})
        env = next((held[name] for name in ("env", "aec_env", "par_env") if name in held), None)
