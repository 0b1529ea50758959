"""Checks of arguments: each error names the parameter, the rule and the value."""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, ...]


def number(name: str, value: Any, rule: str = "be finite", low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a float inside [low, high]; `rule` is how the error puts that condition."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {name}={value!r}")
    value = value.item() if isinstance(value, np.generic) else value  # errors should show nan, not np.float64(nan)
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if not (math.isfinite(converted) and low <= converted <= high):
        raise ValueError(f"{name} must {rule}, got {name}={value!r}")
    return converted + 0.0  # -0.0 becomes 0.0, so that equal sets print alike


def at_least_zero(name: str, value: Any) -> float:
    """Return a finite float >= 0."""
    return number(name, value, "be finite and >= 0", 0.0)


def count(name: str, value: Any) -> int:
    """Return a positive int."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a positive int, got {name}={value!r}")
    if value < 1:
        raise ValueError(f"{name} must be a positive int, got {name}={value!r}")
    return int(value)


def vector(name: str, value: Any, rule: str = "be finite", low: float = -math.inf) -> float | Vector:
    """Return one float for a number, a tuple of floats for a sequence or 1-D array of numbers."""
    if not is_sequence(value):
        return number(name, value, rule, low)
    entries = tuple(number(name, entry, rule, low) for entry in value)
    if not entries:
        raise ValueError(f"{name} must not be empty, got {name}={value!r}")
    return entries


def table(name: str, value: Any) -> tuple[Vector, ...]:
    """Return a non-empty tuple of rows of equal length; a bare number counts as a row of one."""
    if not is_sequence(value):
        raise TypeError(f"{name} must be a sequence, got {name}={value!r}")
    rows = tuple(row if isinstance(row, tuple) else (row,) for row in (vector(name, entry) for entry in value))
    if not rows:
        raise ValueError(f"{name} must not be empty, got {name}={value!r}")
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"{name} must have rows of equal length, got {name}={value!r}")
    return rows


def labels(value: Any) -> tuple[str, ...] | None:
    """Return names as a tuple of distinct strings."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"names must be a sequence of strings, got names={value!r}")
    names = tuple(value)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"names must be distinct and not empty, got names={value!r}")
    return names


def length(name: str, value: object, dim: int) -> None:
    """Refuse a tuple whose length is not the number of coordinates; numbers and None stand for any length."""
    if isinstance(value, tuple) and len(value) != dim:
        raise ValueError(f"{name} must have one entry for each of {dim} coordinates, got {name}={value!r}")


def spread(value: Any, dim: int) -> NDArray[np.float64]:
    """Return `value` as a read-only array of `dim` floats."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (dim,))


def is_sequence(value: object) -> bool:
    """Say whether `value` can be read entry by entry (0-d arrays and strings cannot)."""
    if isinstance(value, str | bytes | dict) or getattr(value, "ndim", 1) == 0:
        return False
    return isinstance(value, Iterable)
