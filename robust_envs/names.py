"""Names in messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["Coalition", "close_match", "key_of"]


def close_match(name: Any, known: Iterable[Any]) -> str:
    """Say which known name was probably meant.

    Example:
        >>> close_match("rewards", ["reward", "action"])
        "; did you mean 'reward'?"
    """
    matches = get_close_matches(str(name), [str(other) for other in known], n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


class Coalition(tuple[str, ...]):
    """Some of the agents, which one nature covers; a plain tuple stands for all of them."""

    __slots__ = ()


def key_of(agent: Any) -> str:
    """Return what the agent, or the agents, that a nature opposes are called in traces.

    Args:
        agent: Agent id (which may be a number), or a tuple of ids.

    Example:
        >>> key_of("a_0"), key_of(("a_0", "a_1")), key_of(Coalition(("a_0", "a_1")))
        ('a_0', '*', 'a_0+a_1')
    """
    if isinstance(agent, Coalition):
        return "+".join(map(str, agent))
    return "*" if isinstance(agent, tuple) else str(agent)
