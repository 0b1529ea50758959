"""Sets of choices: members replace a value, or say when and by what, instead of being added to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check
from robust_envs.sets._geometry import Array
from robust_envs.sets.simple import SimpleSet

MODES = ("repeat", "stuck", "zero")
PLACES = ("observation", "action", "heard", "said")


@dataclass(frozen=True, repr=False)
class ChoiceSet(SimpleSet):
    """Share what sets have in common that hold no deltas: nature picks the number of a choice."""

    def choices(self, space: gym.spaces.Discrete) -> list[int]:
        """Return the choices of a Discrete space that nature has, without what happens if it does nothing."""
        return list(range(int(space.start), int(space.start + space.n)))

    @property
    def monotone(self) -> bool:
        return self.is_zero

    def grid(self, n: int) -> NDArray[np.float64]:
        raise self._no_deltas()

    def _no_deltas(self) -> TypeError:
        return TypeError(f"{self!r} holds no deltas: nature chooses, and adds nothing")

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        raise self._no_deltas()

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        raise self._no_deltas()

    def _project(self, xp: Any, x: Array) -> Array:
        raise self._no_deltas()

    def _worst(self, xp: Any, g: Array) -> Array:
        raise self._no_deltas()

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        raise self._no_deltas()

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        raise self._no_deltas()


@dataclass(frozen=True, repr=False)
class MenuSet(ChoiceSet):
    """Share how sets bind that choose from a menu of their channel's making."""

    _channel = ""  # of the one channel that has such menus

    def _bind(self, dim: int, integer: bool) -> Self:
        raise ValueError(f"{type(self).__name__} chooses and adds nothing: give it to the channel {self._channel}")

    def _misfit(self, space: gym.Space[Any]) -> str:
        return f"{type(self).__name__} stands under the channel {self._channel}, got a {type(space).__name__} space"

    def _bind_discrete(self, space: gym.spaces.Discrete) -> Self:
        return self if self.dim == 1 else replace(self, dim=1)


@dataclass(frozen=True, repr=False)
class Delay(MenuSet):
    r"""List how late a value may come: \(x_{t - d}\) instead of \(x_t\), with d one of `steps`.

    A delay reaches back no further than the first value of the episode: at step t it is at most t. Nature picks one at
    every move, so that values may overtake one another, or one for the whole episode.

    Args:
        steps: The largest delay k >= 0, which allows 0, 1, ..., k; or the delays themselves: ``[2]`` is a fixed one.
        of: What comes late: ``"observation"``, ``"action"``, or the messages in them, ``"heard"`` and ``"said"``.
        each: ``"move"`` or ``"episode"``: how often nature picks.
        at: Which coordinates of the value come late (indices, a slice, or a function from the agent's space to either);
            all by default, and for messages those of the task's table.

    Raises:
        TypeError: If `steps` are not integers.
        ValueError: If one is negative, there are none, or `of` or `each` is something else.

    Example:
        >>> from robust_envs.sets import Delay
        >>> Delay(3).steps, Delay([2], of="action").steps
        ((0, 1, 2, 3), (2,))
        >>> Delay(4).scaled(0.5)
        Delay((0, 1, 2))

    References:
        Konstantinos Katsikopoulos, Sascha Engelbrecht (2003), Markov Decision Processes with Delays and Asynchronous
        Cost Collection.
    """

    steps: int | Sequence[int]
    of: str = field(default="observation", kw_only=True)
    each: str = field(default="move", kw_only=True)
    at: Any = field(default=None, kw_only=True)

    _channel = "delay"

    def __post_init__(self) -> None:
        self._set(steps=_steps(self.steps))
        _one_of("of", self.of, PLACES)
        _one_of("each", self.each, ("move", "episode"))
        self._set(at=coordinates(self.at))
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return self.radius == 0

    @property
    def radius(self) -> int:
        """The longest delay."""
        return max(self._list)

    def with_radius(self, radius: float) -> Self:
        """Return the set of the delays up to `radius`, a whole number; of a fixed one: the delay itself."""
        steps = _steps(int(radius) if float(radius).is_integer() else radius)
        return replace(self, steps=steps if len(self._list) > 1 or self.radius == 0 else steps[-1:])

    def scaled(self, c: float) -> Self:
        """Multiply all delays by `c`, rounded down."""
        c = _check.at_least_zero("c", c)
        return replace(self, steps=sorted({int(c * step + 1e-9) for step in self._list}))

    def choices(self, space: gym.spaces.Discrete) -> list[int]:
        return list(self._list[1:] if len(self._list) > 1 else self._list)

    @property
    def _list(self) -> tuple[int, ...]:
        return self.steps  # type: ignore[return-value]


@dataclass(frozen=True, repr=False)
class Dropout(MenuSet):
    """Let values be lost: at each move with at most this probability, and so often in an episode.

    Args:
        probability: In [0, 1]; at each move a coin with it is tossed, and nature may act only when it comes up.
        mode: What comes instead. ``"repeat"``: the last value that came through; ``"stuck"``: the same, and from then
            on to the end of the episode; ``"zero"``: zeros, or what in the space is nearest to them.
        budget: Most values lost in an episode, >= 0; ``None``: no limit.
        of: What is lost: ``"observation"``, ``"action"``, or the messages in them, ``"heard"`` and ``"said"``.
        at: Which coordinates of the value are lost (indices, a slice, or a function from the agent's space to either);
            all by default, and for messages those of the task's table.

    Raises:
        TypeError: If `probability` is not a number or `budget` not an integer.
        ValueError: If one is out of range, or `mode` or `of` is something else.

    Example:
        >>> from robust_envs.sets import Dropout
        >>> Dropout(0.5, mode="zero").scaled(0.5)
        Dropout(0.25, mode='zero')
    """

    probability: float = 1.0
    mode: str = field(default="repeat", kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    of: str = field(default="observation", kw_only=True)
    at: Any = field(default=None, kw_only=True)

    _channel = "dropout"
    each = "move"

    def __post_init__(self) -> None:
        self._set(probability=_check.number("probability", self.probability, "be in [0, 1]", 0.0, 1.0))
        _one_of("mode", self.mode, MODES)
        _one_of("of", self.of, PLACES)
        if self.budget is not None:
            self._set(budget=_whole("budget", self.budget))
        self._set(at=coordinates(self.at))
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return self.probability == 0 or self.budget == 0

    @property
    def radius(self) -> float:
        """The probability."""
        return self.probability

    def with_radius(self, radius: float) -> Self:
        """Return the set with another probability."""
        return replace(self, probability=radius)

    def scaled(self, c: float) -> Self:
        """Multiply the probability by `c`, up to 1."""
        return replace(self, probability=min(1.0, self.probability * _check.at_least_zero("c", c)))

    def choices(self, space: gym.spaces.Discrete) -> list[int]:
        return [1]


def _steps(value: Any) -> tuple[int, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence | range | np.ndarray):
        return tuple(range(_whole("steps", value) + 1))
    steps = tuple(sorted({_whole("steps", step) for step in value}))
    if not steps:
        raise ValueError(f"steps must not be empty, got steps={value!r}")
    return steps


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer >= 0, got {name}={value!r}")
    if value < 0:
        raise ValueError(f"{name} must be an integer >= 0, got {name}={value!r}")
    return int(value)


def _one_of(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {name}={value!r}")


class Span(NamedTuple):
    """A slice that can be compared and hashed."""

    start: int | None
    stop: int | None
    step: int | None

    def __repr__(self) -> str:
        return f"slice({self.start}, {self.stop}, {self.step})"


def coordinates(at: Any) -> Any:
    """Return what names coordinates as a value that can be compared: tuples instead of lists, arrays and slices.

    Raises:
        TypeError: If it is neither indices, nor a slice, nor a function.
    """
    if isinstance(at, slice):
        return Span(at.start, at.stop, at.step)
    if at is None or callable(at) or isinstance(at, Span):
        return at
    indices = at if isinstance(at, Sequence | range | np.ndarray) and not isinstance(at, str) else (at,)
    if not len(indices) or any(isinstance(i, bool) or not isinstance(i, int | np.integer) for i in indices):
        raise TypeError(f"at must be indices, a slice or a function of the agent's space, got at={at!r}")
    return tuple(int(i) for i in indices)
