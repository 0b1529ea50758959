"""Several channels at one point of the order of play, in all sub-environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robust_envs.seats import Seat
from robust_envs.shells.vector_seats import Looped, VectorSeats, vector_seats
from robust_envs.traces import Executed

__all__ = ["Chained", "seats_at"]

Array = np.ndarray[Any, np.dtype[Any]]


class Chained(VectorSeats):
    """Move one channel after the other, each in one sub-environment after the other."""

    def __init__(self, links: Sequence[Looped]) -> None:
        super().__init__(links[0].seats, links[0].space)
        self.links = list(links)
        self.looks = any(link.looks for link in links)
        self.masked = any(link.masked for link in links)

    def open(self, batch: Any) -> Any:
        return self.links[0].open(batch)

    def close(self, batch: Any, opened: Any, new: Any) -> Any:
        return self.links[0].close(batch, opened, new)

    def swap(self, opened: Any, items: Mapping[int, Any]) -> Any:
        return self.links[0].swap(opened, items)

    def item(self, new: Any, index: int) -> Any:
        return new[index]

    def perturb(
        self,
        values: Any,
        *,
        seen: Sequence[Any] | None = None,
        masks: Sequence[Any] | None = None,
        who: Array | None = None,
        again: bool = False,
    ) -> Any:
        for link in self.links:
            values = link.perturb(values, seen=seen, masks=masks, who=who, again=again)
        return values

    @property
    def last(self) -> Executed | None:
        return self.links[-1].last


def seats_at(columns: Sequence[Sequence[Seat]], space: Any, *, recording: bool) -> VectorSeats | None:
    """Put the seats of one point together.

    Args:
        columns: The seats of each sub-environment, in the order in which they move.
        space: Space of one value; ``None`` for rewards.
        recording: Whether moves are recorded.

    Returns:
        ``None`` if nothing moves there.
    """
    rows = list(zip(*columns, strict=True))
    if len(rows) < 2:
        return vector_seats(rows[0], space, recording=recording) if rows else None
    return Chained([Looped(row, space) for row in rows])
