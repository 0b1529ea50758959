"""How a number changes while training goes on: functions of progress, from 0 at the start to 1 at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Schedule: TypeAlias = Callable[[float], float]


@dataclass(frozen=True)
class Linear:
    """Go from `start` to `end` in a straight line, and stay there.

    Args:
        start: value at progress 0, finite and >= 0.
        end: value from progress `until` on, finite and >= 0.
        until: where the end is reached, in (0, 1].

    Raises:
        ValueError: a value is outside its range.

    Example:
        >>> [Linear(0.0, 2.0, until=0.5)(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 1.0, 2.0, 2.0]
    """

    start: float
    end: float
    until: float = 1.0

    def __post_init__(self) -> None:
        _check(start=self.start, end=self.end)
        _check_until(self.until)

    def __call__(self, progress: float) -> float:
        """Return the value at this progress."""
        return self.start + (self.end - self.start) * min(progress / self.until, 1.0)


@dataclass(frozen=True)
class Cosine:
    """Go from `start` to `end` along half a cosine: slowly at both ends.

    Args:
        start: value at progress 0, finite and >= 0.
        end: value from progress `until` on, finite and >= 0.
        until: where the end is reached, in (0, 1].

    Raises:
        ValueError: a value is outside its range.

    Example:
        >>> [round(Cosine(0.0, 2.0)(progress), 2) for progress in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.29, 1.0, 2.0]
    """

    start: float
    end: float
    until: float = 1.0

    def __post_init__(self) -> None:
        _check(start=self.start, end=self.end)
        _check_until(self.until)

    def __call__(self, progress: float) -> float:
        """Return the value at this progress."""
        way = (1.0 - math.cos(math.pi * min(progress / self.until, 1.0))) / 2.0
        return self.start + (self.end - self.start) * way


@dataclass(frozen=True)
class Stairs:
    """Take each of the values for an equal share of training.

    Args:
        values: at least one, finite and >= 0.

    Raises:
        ValueError: there is no value, or one is outside its range.

    Example:
        >>> [Stairs((0.0, 0.5, 2.0))(progress) for progress in (0.0, 0.4, 0.9, 1.0)]
        [0.0, 0.5, 2.0, 2.0]
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise ValueError("values must be at least one number, got values=()")
        for value in self.values:
            _check(values=value)

    def __call__(self, progress: float) -> float:
        """Return the value at this progress."""
        return self.values[min(int(progress * len(self.values)), len(self.values) - 1)]


def read_schedule(text: str) -> Schedule:
    """Read a schedule from words: a name and its numbers, separated by colons.

    Args:
        text: linear:START:END, linear:START:END:UNTIL, cosine the same, or stairs:VALUE:VALUE:...

    Returns:
        The schedule.

    Raises:
        ValueError: text is none of these.

    Example:
        >>> read_schedule("linear:0:2:0.5")
        Linear(start=0.0, end=2.0, until=0.5)
    """
    name, *words = text.split(":")
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ValueError(f"schedule must hold numbers after its name, got schedule={text!r}") from error
    if name == "stairs":
        return Stairs(tuple(numbers))
    kinds: dict[str, type[Linear] | type[Cosine]] = {"linear": Linear, "cosine": Cosine}
    if name in kinds and len(numbers) in (2, 3):
        return kinds[name](*numbers)
    known = "linear:START:END[:UNTIL], cosine:START:END[:UNTIL] or stairs:VALUE:VALUE:..."
    raise ValueError(f"schedule must be {known}, got schedule={text!r}")


def _check(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{name} must be finite and >= 0, got {name}={value!r}")


def _check_until(until: float) -> None:
    if not 0.0 < until <= 1.0:
        raise ValueError(f"until must be in (0, 1], got until={until!r}")
