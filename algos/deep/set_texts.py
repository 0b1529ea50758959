"""Uncertainty sets as text, as they print themselves: for checkpoints and the command line. Nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import robust_envs
from robust_envs import AmbiguitySet, UncertaintySet, joint, per_episode

_FUNCTIONS = {"joint": joint, "Joint": joint, "per_episode": per_episode, "PerEpisode": per_episode}

Set = UncertaintySet | AmbiguitySet


def set_to_text(members: Set) -> str:
    """Write a set as text that `set_from_text` reads back.

    Args:
        members: a set of plain numbers.

    Returns:
        What the set prints.

    Raises:
        ValueError: the set cannot be written, because it holds a function for instance.

    Example:
        >>> from robust_envs import Linf
        >>> set_to_text(Linf(0.5))
        'Linf(0.5)'
    """
    text = repr(members)
    try:
        same = set_from_text(text) == members
    except (ValueError, TypeError):
        same = False
    if not same:
        raise ValueError(f"set must be one that a checkpoint can hold, got {text}")
    return text


def set_from_text(text: str) -> Set:
    """Read a set that is written as in Python, its arguments plain numbers or sets.

    Args:
        text: for instance "Contamination(0.1)" or "joint(L2(0.5))".

    Returns:
        The set.

    Raises:
        ValueError: the text names no set of `robust_envs`, or its arguments are not plain.

    Example:
        >>> set_from_text("Contamination(0.1)")
        Contamination(0.1)
    """
    try:
        return _read(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"set must be written as in Python, as 'Linf(0.5)', got {text!r}: {error}") from error


def _read(node: ast.expr) -> Set:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise ValueError("it is no set")
    maker = _maker(node.func.id)
    if any(keyword.arg is None for keyword in node.keywords):
        raise ValueError("** is not read")
    named = {str(keyword.arg): _argument(keyword.value) for keyword in node.keywords}
    return maker(*[_argument(argument) for argument in node.args], **named)


def _maker(name: str) -> Callable[..., Set]:
    made = _FUNCTIONS.get(name, getattr(robust_envs, name, None))
    if made in _FUNCTIONS.values() or (isinstance(made, type) and issubclass(made, UncertaintySet | AmbiguitySet)):
        return made  # type: ignore[return-value]  # mypy does not follow the question
    raise ValueError(f"{name} is no set of robust_envs")


def _argument(node: ast.expr) -> Any:
    return _read(node) if isinstance(node, ast.Call) else ast.literal_eval(node)
