"""What channels are given, as text: in files, in reports and on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from robust_envs.sets import UncertaintySet
from robust_envs.testing.notation import read_literal, read_set, write_set

__all__ = ["playable", "read_channel", "read_words", "tell_channel", "write_channel"]

_NAMED = re.compile(r"((?:Option|Parameter)\(.*?\)|[\w.\[\]*-]+)\s*=\s*(.+)")


def write_channel(channel: str, given: Any) -> Any:
    """Return what a channel is given as JSON: texts, by agent or parameter where it is a dict.

    Policies of partners cannot be written; they are named.

    Raises:
        ValueError: If something could not be read back.

    Example:
        >>> from robust_envs import Linf, Relative
        >>> write_channel("observation", Linf(0.1)), write_channel("dynamics", {("damping", "dt"): Relative(0.2)})
        ('Linf(0.1)', {"('damping', 'dt')": 'Relative(0.2)'})
    """
    if channel == "partners":
        return {agent: _names(members) for agent, members in given.items()}
    if isinstance(given, Mapping):
        return {_write_key(key): write_set(members) for key, members in given.items()}
    if isinstance(given, list | tuple):  # of coalitions
        return [write_set(members) for members in given]
    return write_set(given)


def read_channel(channel: str, content: Any) -> Any:
    """Return what `write_channel` wrote; of partners the names.

    Raises:
        ValueError: If it is something else.
    """
    if isinstance(content, dict):
        return {_read_key(key): (_text(one) if channel == "partners" else _set(one)) for key, one in content.items()}
    if isinstance(content, list):
        return [_set(one) for one in content]
    return _set(content)


def tell_channel(channel: str, given: Any) -> str:
    """Say what a channel is given, for people; policies by their names.

    Example:
        >>> from robust_envs import Finite
        >>> def liar(observation):
        ...     return 0
        >>> tell_channel("partners", {"speaker_0": Finite([liar])})
        "{'speaker_0': Finite((liar,))}"
    """
    if channel != "partners":
        return repr(given)
    return "{" + ", ".join(f"{agent!r}: {_names(members)}" for agent, members in given.items()) + "}"


def read_words(texts: Sequence[str]) -> Any:
    """Read what the command line gives a channel: one set, or NAME=SET for each agent or parameter.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> read_words(["linf:0.1"]), read_words(["masspole=relative:0.3", "length=interval:0.4,0.7"])
        (Linf(0.1), {'masspole': Relative(0.3), 'length': Interval(0.4, 0.7)})
    """
    named = [_NAMED.fullmatch(text.strip()) for text in texts]
    if len(texts) == 1 and named[0] is None:
        return read_set(texts[0])
    found: dict[Any, UncertaintySet] = {}
    for text, pair in zip(texts, named, strict=True):
        name = None if pair is None else _read_key(pair[1])
        if pair is None or name in found:
            raise ValueError(f"sets must be one SET or a NAME=SET for each name, got {' '.join(texts)!r} at {text!r}")
        found[name] = read_set(pair[2])
    return found


def playable(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sets of a file for play: files only name the policies of partners, which are those of today.

    Raises:
        ValueError: If there are none.
    """
    if "partners" in then and now.get("partners") is None:
        raise ValueError(
            f"partners must be given: channels={{'partners': ...}}; the file only names them, got {then['partners']}"
        )
    return {**then, **({"partners": now["partners"]} if "partners" in then else {})}


def _names(members: Any) -> str:
    """Write a set of policies with the names of functions and classes in their place."""
    text = repr(members)
    inner = members
    while hasattr(inner, "inner"):
        inner = inner.inner
    for policy in getattr(inner, "members", ()):
        text = text.replace(repr(policy), getattr(policy, "__name__", type(policy).__name__))
    return text


def _write_key(key: Any) -> str:
    text = key if isinstance(key, str) else repr(key)
    try:
        same = _read_key(text) == key
    except ValueError:
        same = False
    if not same:
        raise ValueError(f"a parameter must be named by text, or by numbers and texts alone, to be kept, got {key!r}")
    return text


def _read_key(text: str) -> Any:
    return read_literal(text) if text.startswith(("(", "Option(", "Parameter(")) else text


def _set(text: Any) -> UncertaintySet:
    return read_set(_text(text))


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(f"a set must be a text, got {given!r}")
    return given
