"""Coordinates of one name: landmark_0.x, landmark_0.y, landmark_1.x are told, and moved, as landmark_*."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from robust_envs.sets import Interval, Linf
from robust_envs.testing.problem import Place

__all__ = ["Family", "families"]


class Family(NamedTuple):
    """Coordinates that differ in a number or an axis.

    Attributes:
        name: With a star where they differ.
        rows: Their numbers.
    """

    name: str
    rows: tuple[int, ...]


def families(place: Place) -> tuple[Family, ...]:
    """Return the families of two and more coordinates of a place that nature sees, and moves each by itself, evenly.

    Two coordinates are of one family where their names agree up to numbers, and up to what follows a dot. Of a family
    some coordinate must vary: what is always zero has no sign to go by.

    Args:
        place: Where nature moves.
    """
    if place.choice or place.once or place.names != place.features[: place.rows] or not _even(place.members):
        return ()
    found: dict[str, list[int]] = {}
    for row, name in enumerate(place.names):
        found.setdefault(re.sub(r"\d+", "*", name.partition(".")[0]), []).append(row)
    some = {kind: rows for kind, rows in found.items() if len(rows) > 1 and place.varies[rows].any()}
    return tuple(Family(_star(kind), tuple(rows)) for kind, rows in some.items())


def _star(kind: str) -> str:
    return kind if "*" in kind else f"{kind}.*"


def _even(members: Any) -> bool:
    """Tell whether each coordinate may go as far either way, wherever the others are."""
    return isinstance(members, Linf | Interval) and bool((members.bounds.high == -members.bounds.low).all())
