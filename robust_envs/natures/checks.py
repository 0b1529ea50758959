"""Checks of arguments: each error names the parameter, the rule and the value."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

__all__ = ["fraction", "integer", "number"]


def integer(name: str, value: Any, *, least: int) -> int:
    """Return `value` if it is an integer >= `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer >= {least}, got {name}={value!r}")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {name}={value}")
    return int(value)


def number(name: str, value: Any, rule: str, *, above: float = -math.inf) -> float:
    """Return `value` if it is a finite number above a bound; `rule` is how the error puts that."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {name}={value!r}")
    if not (math.isfinite(value) and float(value) > above):
        raise ValueError(f"{name} must {rule}, got {name}={value}")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return `value` if it is a number in [0, 1]."""
    number(name, value, "be in [0, 1]")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {name}={value}")
    return float(value)
