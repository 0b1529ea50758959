"""Numbers as arguments: what every module asks of them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

__all__ = ["whole"]


def whole(name: str, value: Any, *, least: int) -> int:
    """Return a whole number, or raise naming the parameter, the rule and the value.

    Example:
        >>> whole("episodes", 0, least=1)
        Traceback (most recent call last):
        ValueError: episodes must be >= 1, got episodes=0
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {name}={value!r}")
    if value < least:
        raise ValueError(f"{name} must be >= {least}, got {name}={value}")
    return int(value)
