"""Sets and properties as text: on the command line and in files, read without evaluating anything."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from robust_envs import sets
from robust_envs.names import close_match
from robust_envs.sets import UncertaintySet
from robust_envs.testing.properties import (
    Property,
    always_within,
    relative_return,
    returns_at_least,
    worst_agent_at_least,
)
from robust_envs.worlds import Option, Parameter

__all__ = ["read_literal", "read_property", "read_set", "write_set"]

_KINDS: Mapping[str, Callable[..., Any]] = {
    name: getattr(sets, name)
    for name in (
        *("Linf", "L1", "L2", "Interval", "Box", "Ellipsoid", "Budgeted", "Finite", "Switch", "Product"),
        *("Joint", "PerEpisode", "joint", "per_episode", "PerStep", "per_step", "Relative", "Shrunk"),
        *("Delay", "Dropout", "said", "heard"),
    )
}
_PARTS: Mapping[str, Callable[..., Any]] = {"Option": Option, "Parameter": Parameter, "slice": slice}
_SHORT: Mapping[str, Callable[..., Any]] = {name.lower(): kind for name, kind in _KINDS.items() if name[0].isupper()}


def read_set(text: str) -> UncertaintySet:
    """Read an uncertainty set: ``linf:0.1``, ``interval:-0.1,0.2`` or as Python writes it, ``Linf(0.1, unit=(1, 2))``.

    Only the names of sets, numbers, texts, tuples, lists and dicts are understood; nothing is evaluated.

    Args:
        text: Name and numbers; `finite` and `delay` list theirs (`finite:0,2`, `delay:0,6`; `delay:3` is up to 3),
            `switch` takes its probability.

    Raises:
        ValueError: If it is neither form, or the set refuses its numbers.

    Example:
        >>> read_set("linf:0.1"), read_set("interval:-0.1,0.2"), read_set("joint(L2(0.5))")
        (Linf(0.1), Interval(-0.1, 0.2), Joint(L2(0.5)))
        >>> read_set("lnf:0.1")
        Traceback (most recent call last):
        ValueError: a set must be one of linf, l1, l2, interval, ..., got 'lnf'; did you mean 'linf'?
    """
    name, colon, numbers = text.strip().partition(":")
    if colon and re.fullmatch(r"\w+", name):
        return _short(name.lower(), numbers)
    found = read_literal(text)
    if not isinstance(found, UncertaintySet):
        raise ValueError(f"a set must be written like linf:0.1 or Linf(0.1), got {text!r}")
    return found


def read_literal(text: str) -> Any:
    """Read sets, numbers, texts, tuples and dicts as Python writes them, evaluating nothing.

    Raises:
        ValueError: If it is something else.

    Example:
        >>> read_literal("Option(name='high', nominal=0.05, low=-inf)").low
        -inf
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"a set must be written like linf:0.1 or Linf(0.1), got {text!r}") from error
    return _build(tree, text)


def write_set(members: UncertaintySet) -> str:
    """Write a set as `read_set` reads it, in one line.

    Raises:
        ValueError: If it cannot be read back.

    Example:
        >>> from robust_envs import Linf
        >>> write_set(Linf(0.1, unit=(1, 2)))
        'Linf(0.1, unit=(1.0, 2.0))'
    """
    text = repr(members)
    if read_set(text) != members:
        raise ValueError(f"a set must be written as Python would to be kept in a file, got {text}")
    return text


def _short(name: str, numbers: str) -> UncertaintySet:
    if name not in _SHORT:
        raise ValueError(f"a set must be one of {', '.join(_SHORT)}, got {name!r}{close_match(name, _SHORT)}")
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError as error:
        raise ValueError(f"{name} must be written {name}:NUMBER or {name}:NUMBER,NUMBER, got {numbers!r}") from error
    if name == "finite":
        return sets.Finite(values)
    try:
        found = _delay(values) if name == "delay" else _SHORT[name](*values)
    except TypeError as error:
        raise ValueError(f"{name}:{numbers} is no set: write it as in Python, {name}(...): {error}") from error
    assert isinstance(found, UncertaintySet)
    return found


def _delay(values: list[float]) -> sets.Delay:
    steps: list[Any] = [int(value) if value.is_integer() else value for value in values]
    return sets.Delay(steps[0] if len(steps) == 1 else steps)


def _build(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        kind = _KINDS.get(node.func.id) or _PARTS.get(node.func.id)
        if kind is None:
            hint = close_match(node.func.id, _KINDS)
            raise ValueError(f"a set must be one of {', '.join(_KINDS)}, got {node.func.id!r}{hint}")
        named = {word.arg: _build(word.value, text) for word in node.keywords if word.arg is not None}
        if len(named) == len(node.keywords):
            return _call(kind, [_build(entry, text) for entry in node.args], named, text)
    if isinstance(node, ast.Name) and node.id == "inf":
        return math.inf
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Name):
        return -_build(node.operand, text)
    if isinstance(node, ast.Dict) and None not in node.keys:
        pairs = zip(node.keys, node.values, strict=True)
        return {_build(key, text): _build(value, text) for key, value in pairs if key is not None}
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_build(entry, text) for entry in node.elts)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise ValueError(f"a set holds names of sets, numbers and lists of them, got {text!r}") from error


def _call(kind: Callable[..., Any], values: list[Any], named: dict[str, Any], text: str) -> Any:
    try:
        return kind(*values, **named)
    except TypeError as error:
        raise ValueError(f"{text} is no set: {error}") from error


_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_AGENT = r"([\w.-]+)"
_COORDINATE = r"obs(?:ervation)?\[(\d+)\]"
_TERMS: Mapping[str, Callable[..., Property]] = {
    rf"return\s*>=\s*{_NUMBER}": lambda bound: returns_at_least(float(bound)),
    rf"return\s*>=\s*{_NUMBER}\s*%": lambda share: relative_return(_share(share)),
    rf"return loses at most {_NUMBER}% of nominal": lambda lost: relative_return(1 - _share(lost)),
    rf"return\[{_AGENT}\]\s*>=\s*{_NUMBER}": lambda agent, bound: returns_at_least(float(bound), agent=agent),
    rf"return of every agent\s*>=\s*{_NUMBER}": lambda bound: worst_agent_at_least(float(bound)),
    rf"return of {_AGENT}\s*>=\s*{_NUMBER}": lambda agent, bound: returns_at_least(float(bound), agent=agent),
    rf"worst_agent\s*>=\s*{_NUMBER}": lambda bound: worst_agent_at_least(float(bound)),
    rf"{_NUMBER}\s*<=\s*{_COORDINATE}\s*<=\s*{_NUMBER}": lambda low, k, high: _wall(float(low), k, float(high)),
    rf"{_COORDINATE}\s*<=\s*{_NUMBER}": lambda k, high: _wall(-math.inf, k, float(high)),
    rf"{_COORDINATE}\s*>=\s*{_NUMBER}": lambda k, low: _wall(float(low), k, math.inf),
}
_FORMS = "return>=-60, return>=80%, return[agent_0]>=1, worst_agent>=0, -0.2<=obs[2]<=0.2, joined by and, or"


def read_property(text: str) -> Property:
    """Read a property: ``return>=-60``, ``return>=80%`` (of nominal), ``worst_agent>=0``, ``-0.2<=obs[2]<=0.2``.

    ``return[agent_0]>=1`` is about one agent; ``and`` and ``or`` join, ``and`` binding tighter; parentheses group. The
    expressions that properties of the package print are understood, too.

    Args:
        text: What must hold.

    Raises:
        ValueError: If it is not understood, naming the part.

    Example:
        >>> read_property("return>=-60 and -0.2<=obs[2]<=0.2").name
        '(returns_at_least and always_within)'
        >>> read_property("return => 3")
        Traceback (most recent call last):
        ValueError: a property must be written like return>=-60, ..., got 'return => 3'
    """
    words = [word.strip() for word in re.split(r"(\(|\)|\band\b|\bor\b)", text)]
    parts = [word for word in words if word]
    found = _either(parts, text)
    if parts:
        raise ValueError(f"a property must end after {text!r} is understood, got {' '.join(parts)!r} left over")
    return found


def _either(parts: list[str], text: str) -> Property:
    found = _both(parts, text)
    while parts and parts[0] == "or":
        parts.pop(0)
        found = found | _both(parts, text)
    return found


def _both(parts: list[str], text: str) -> Property:
    found = _one(parts, text)
    while parts and parts[0] == "and":
        parts.pop(0)
        found = found & _one(parts, text)
    return found


def _one(parts: list[str], text: str) -> Property:
    word = parts.pop(0) if parts else ""
    if word == "(":
        found = _either(parts, text)
        if not parts or parts.pop(0) != ")":
            raise ValueError(f"a property must close its parentheses, got {text!r}")
        return found
    for pattern, make in _TERMS.items():
        match = re.fullmatch(pattern, word)
        if match is not None:
            return make(*match.groups())
    raise ValueError(f"a property must be written like {_FORMS}, got {word or text!r}")


def _share(percent: str) -> float:
    return float(percent) / 100


def _wall(low: float, coordinate: str, high: float) -> Property:
    named = [f"{low:g}<=" if low > -math.inf else "", f"obs[{coordinate}]", f"<={high:g}" if high < math.inf else ""]
    name = f"obs[{coordinate}]>={low:g}" if high == math.inf else "".join(named)
    return always_within(low, high, of=int(coordinate), name=name)
