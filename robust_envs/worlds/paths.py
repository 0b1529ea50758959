"""Attribute paths: naming the numbers inside an object, as in ``world.agents[*].initial_mass``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np

__all__ = ["Slot", "is_numeric", "known_paths", "parse", "slots"]

Step = str | int
_TOKEN = re.compile(r"(?:^|\.)([A-Za-z_]\w*)|\[(\d+|\*)\]")
_EVERY = "*"
_SHOWN = 20  # paths named in a message
_DEPTH, _MOST = 4, 2000  # how far the numbers of an unknown object are looked for
_OTHERS = ("metadata", "render", "screen", "viewer", "window", "clock", "spec", "space", "np_random", "font", "color")


@dataclass(frozen=True)
class Slot:
    """One place in an object: an attribute of `owner`, or one of its items."""

    owner: Any
    key: Step

    def get(self) -> Any:
        """Return what is there."""
        return getattr(self.owner, self.key) if isinstance(self.key, str) else self.owner[self.key]

    def put(self, value: Any) -> None:
        """Put something there.

        Raises:
            AttributeError: If the place is read-only; TypeError, where it is an item of a tuple.
        """
        if isinstance(self.key, int):
            self.owner[self.key] = value
        elif isinstance(value, np.ndarray) and _fixed(self.owner, self.key):
            getattr(self.owner, self.key)[...] = value
        else:
            setattr(self.owner, self.key, value)


def _fixed(owner: Any, key: str) -> bool:
    """Tell whether an array can be written into but not exchanged, as those of a MuJoCo model."""
    there = getattr(type(owner), key, None)
    return isinstance(there, property) and there.fset is None


@cache
def parse(path: str) -> tuple[Step, ...]:
    """Take a path apart.

    Raises:
        ValueError: If it is none.

    Example:
        >>> parse("world.agents[0].mass")
        ('world', 'agents', 0, 'mass')
    """
    steps: list[Step] = []
    end = 0
    for match in _TOKEN.finditer(path):
        if match.start() != end:
            break
        name, item = match.groups()
        steps.append(name if name is not None else item if item == _EVERY else int(item))
        end = match.end()
    if not steps or end != len(path):
        raise ValueError(f"a path must look like 'world.agents[0].mass' or 'world.agents[*].mass', got {path!r}")
    return tuple(steps)


def slots(root: Any, steps: tuple[Step, ...]) -> list[Slot]:
    """Find the places that a path names; ``[*]`` stands for every item.

    Raises:
        LookupError: If there is no such place, or AttributeError.
    """
    owners = [root]
    for step in steps[:-1]:
        if step == _EVERY:
            owners = [item for owner in owners for item in owner]
        else:
            owners = [Slot(owner, step).get() for owner in owners]
    last = steps[-1]
    found = [Slot(owner, k) for owner in owners for k in (range(len(owner)) if last == _EVERY else [last])]
    for slot in found:
        slot.get()
    if not found:
        raise LookupError("it names nothing")
    return found


def is_numeric(value: Any) -> bool:
    """Tell whether a value is a number, or an array or sequence of numbers."""
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, int | float | np.integer | np.floating):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiu" and value.size > 0
    return isinstance(value, tuple | list) and len(value) > 0 and all(is_numeric(one) for one in value)


def known_paths(root: Any, wanted: str) -> str:
    """Say which numbers there are, those with names like `wanted` first."""
    paths = list(dict.fromkeys(_walk(root)))
    near = get_close_matches(wanted, paths, n=5, cutoff=0.5)
    tail = wanted.rsplit(".", 1)[-1].rsplit("]", 1)[-1]
    near += [path for path in paths if tail and tail in path.rsplit(".", 1)[-1]]
    ordered = list(dict.fromkeys([*near, *paths]))
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return f"{', '.join(ordered[:_SHOWN])}{more}" if ordered else "none"


def _walk(root: Any) -> Iterator[str]:
    """Yield the paths of all numbers that can be reached, the nearest first."""
    pending, seen, count = [("", root)], {id(root)}, 0
    for depth in range(_DEPTH):
        found: list[tuple[str, Any]] = []
        for path, owner in pending:
            for name, value in _members(owner):
                here = f"{path}.{name}" if path else name
                count += 1
                if count > _MOST:
                    return
                if is_numeric(value):
                    yield here
                elif isinstance(value, list | tuple) and value and depth < _DEPTH - 1 and id(value) not in seen:
                    seen.add(id(value))
                    found.append((f"{here}[*]", value[0]))
                elif _is_open(value) and id(value) not in seen:
                    seen.add(id(value))
                    found.append((here, value))
        pending = found


def _members(owner: Any) -> Iterator[tuple[str, Any]]:
    own = getattr(owner, "__dict__", None)
    if own is None and not type(owner).__module__.startswith("mujoco"):
        return
    names = dir(owner) if own is None else [*own, *(n for n, v in vars(type(owner)).items() if is_numeric(v))]
    for name in names:
        if not name.startswith("_") and not any(other in name for other in _OTHERS):
            try:
                yield name, getattr(owner, name)
            except Exception:  # noqa: S112 - a property of somebody's class may raise anything
                continue


def _is_open(value: Any) -> bool:
    """Tell whether to look inside: an object of a library's own, no module, class, function or generator."""
    module = type(value).__module__
    return not (isinstance(value, type) or callable(value)) and module.split(".")[0] not in ("builtins", "numpy")
