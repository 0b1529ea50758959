"""Several natures on one value: what the first makes of it, the next one moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from robust_envs.seats.seat import Seat

__all__ = ["Chain"]


class Chain:
    """Let the seats at one point of the order of play move one after the other, as one seat would."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.seats = list(seats)
        self.masked = any(seat.masked for seat in self.seats)
        self.looks = any(seat.looks for seat in self.seats)

    @property
    def idle(self) -> bool:
        """Whether none of them can change anything."""
        return all(seat.idle for seat in self.seats)

    @property
    def recording(self) -> bool:
        """Whether moves are recorded."""
        return any(seat.recording for seat in self.seats)

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        """Let all natures move; see `Seat.perturb`."""
        for seat in self.seats:
            value = seat.perturb(value, observation, mask)
        return value

    def again(self, value: Any) -> Any:
        """Apply the last moves to another value of the same turn."""
        for seat in self.seats:
            value = seat.again(value)
        return value
