"""Names in messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["close_match"]


def close_match(name: Any, known: Iterable[Any]) -> str:
    """Say which known name was probably meant.

    Example:
        >>> close_match("rewards", ["reward", "action"])
        "; did you mean 'reward'?"
    """
    matches = get_close_matches(str(name), [str(other) for other in known], n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
