"""One channel of all sub-environments: the seats side by side, moved one by one or as one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import BoxPort, ScalarPort
from robust_envs.seats import OutsideSetError, Seat
from robust_envs.sets import PerEpisode, PerState, Switch
from robust_envs.shells.batches import rebatch, unbatch
from robust_envs.streams import block_rows
from robust_envs.traces import Executed

__all__ = ["Batched", "Looped", "VectorSeats", "vector_seats"]

Array = np.ndarray[Any, np.dtype[Any]]
Space = spaces.Space[Any]


class VectorSeats:
    """The natures of one channel, one seat for each of the E sub-environments.

    Values go through ``open`` (a batch becomes what ``perturb`` takes) and ``close`` (and back again).

    Args:
        seats: One for each sub-environment.
        space: Space of one value; ``None`` for rewards.
    """

    def __init__(self, seats: Sequence[Seat], space: Space | None) -> None:
        self.seats, self.space = list(seats), space
        self.port = self.seats[0].port
        self.looks = False
        self.masked = self.seats[0].masked

    def open(self, batch: Any) -> Any:
        """Return what `perturb` takes, with one entry for each sub-environment."""
        raise NotImplementedError

    def close(self, batch: Any, opened: Any, new: Any) -> Any:
        """Return `batch` with what moved from `opened` to `new`; the very object if nothing did."""
        raise NotImplementedError

    def swap(self, opened: Any, items: Mapping[int, Any]) -> Any:
        """Return a copy of `opened` with other values for some sub-environments."""
        raise NotImplementedError

    def item(self, new: Any, index: int) -> Any:
        """Return the value of one sub-environment, free of the batch."""
        raise NotImplementedError

    def perturb(
        self,
        values: Any,
        *,
        seen: Sequence[Any] | None = None,
        masks: Sequence[Any] | None = None,
        who: Array | None = None,
        again: bool = False,
    ) -> Any:
        """Let the natures move.

        Args:
            values: Opened nominal values.
            seen: Nominal observations, for natures that look.
            masks: Legal choices, for discrete actions.
            who: Which sub-environments move, shape (E,), bool; ``None``: all.
            again: Whether the others get their last delta once more (else: their nominal value).

        Returns:
            Opened values.
        """
        raise NotImplementedError

    def begin(self, who: Array | None) -> None:
        """Note that episodes have begun, in all sub-environments or in some, shape (E,), bool."""

    def refresh(self) -> None:
        """Take up generators and sets which the seats were given anew."""

    @property
    def last(self) -> Executed | None:
        """The last moves, each of shape (E, dim), zeros where there was none yet; ``None`` if there was none at all."""
        raise NotImplementedError


class Looped(VectorSeats):
    """Move one sub-environment after the other: any nature, any space."""

    def __init__(self, seats: Sequence[Seat], space: Space | None) -> None:
        super().__init__(seats, space)
        self.looks = self.seats[0].looks
        self._nobody: tuple[None, ...] = (None,) * len(self.seats)

    def open(self, batch: Any) -> list[Any]:
        return unbatch(self.space, batch, len(self.seats))

    def close(self, batch: Any, opened: list[Any], new: list[Any]) -> Any:
        return rebatch(self.space, batch, opened, new)

    def swap(self, opened: list[Any], items: Mapping[int, Any]) -> list[Any]:
        return [items.get(i, value) for i, value in enumerate(opened)]

    def item(self, new: list[Any], index: int) -> Any:
        return new[index]

    def perturb(
        self,
        values: list[Any],
        *,
        seen: Sequence[Any] | None = None,
        masks: Sequence[Any] | None = None,
        who: Array | None = None,
        again: bool = False,
    ) -> list[Any]:
        new, seen, masks = list(values), seen or self._nobody, masks or self._nobody
        for i, seat in enumerate(self.seats):
            if who is not None and not who[i]:
                new[i] = seat.again(values[i]) if again else values[i]
                continue
            try:
                new[i] = seat.perturb(values[i], seen[i], masks[i])
            except OutsideSetError as error:
                raise OutsideSetError(f"sub-environment {i}: {error}") from error
        return new

    @property
    def last(self) -> Executed | None:
        moves = [seat.last for seat in self.seats]
        if all(move is None for move in moves):
            return None
        nothing = Executed(*(np.zeros(self.port.dim) for _ in Executed._fields))
        columns = zip(*(nothing if move is None else move for move in moves), strict=True)
        return Executed(*(np.stack(column).astype(np.float64) for column in columns))


class Batched(VectorSeats):
    """Move all at once, in one array: pre-drawn rows, one addition; the numbers are those of the seats, bit for bit.

    Each sub-environment has its own stream and its own place in its block of rows. While all are at the same place
    a move costs one look-up; after that, one gather.
    """

    def __init__(self, seats: Sequence[Seat], space: Space | None) -> None:
        super().__init__(seats, space)
        reward = isinstance(self.port, ScalarPort)
        box: Any = self.port.space
        self._shape: tuple[int, ...] = () if reward else box.shape
        self._dtype = np.dtype(np.float64) if reward or box.dtype.kind in "iu" else box.dtype
        self._limits = None if reward else _stack_limits(self.seats)
        self._size, self._depth = len(self.seats), block_rows(self.port.dim)
        self._lanes = np.arange(self._size)
        self._rows = np.empty((0, self._size, *self._shape), self._dtype)
        self._at = np.full(self._size, self._depth)
        self._together = self._depth  # the place of everybody, -1 once they part
        self._moves_left = 0  # moves until somebody may need new rows
        self._rngs: list[Any] = [None] * self._size
        self._sets: list[Any] = [None] * self._size
        self._last: tuple[Any, Any, Any] | None = None
        self._moved = np.zeros(self._size, bool)
        self._all_moved = False
        self.refresh()

    def refresh(self) -> None:
        stale = [
            i for i, seat in enumerate(self.seats) if seat.rng is not self._rngs[i] or seat.members is not self._sets[i]
        ]
        if not stale:
            return
        self._part()
        self._at[stale] = self._depth
        self._moves_left = 0
        self._meet()
        self._rngs = [seat.rng for seat in self.seats]
        self._sets = [seat.members for seat in self.seats]
        idle = np.array([seat.idle for seat in self.seats])
        self._idle = idle if idle.any() else None
        self._all_idle = bool(idle.all())
        self._walls = self._limits if self._limits is not None and self._can_leave() else None

    def _can_leave(self) -> bool:
        """Tell whether some coordinate that moves is bounded."""
        assert self._limits is not None
        low, high = self._limits
        margin = np.stack([np.maximum(np.abs(s.bounds.low), np.abs(s.bounds.high)) for s in self._sets])
        bounded = (np.isfinite(low) | np.isfinite(high)).reshape(self._size, -1)
        return bool((bounded & (margin > 0)).any())

    def open(self, batch: Any) -> Any:
        return batch

    def close(self, batch: Any, opened: Any, new: Any) -> Any:
        return new

    def swap(self, opened: Any, items: Mapping[int, Any]) -> Array:
        copy = np.array(opened)
        for i, value in items.items():
            copy[i] = value
        return copy

    def item(self, new: Array, index: int) -> Any:
        return np.array(new[index])

    def begin(self, who: Array | None) -> None:
        if who is None:
            self._last, self._all_moved = None, False
            self._moved[:] = False
            return
        if self._all_moved:
            self._moved[:] = True
            self._all_moved = False
        self._moved[who] = False

    def perturb(
        self,
        values: Any,
        *,
        seen: Sequence[Any] | None = None,
        masks: Sequence[Any] | None = None,
        who: Array | None = None,
        again: bool = False,
    ) -> Any:
        if who is None and self._idle is None:
            delta = self._draw()
            new = self._add(values, delta)
            self._all_moved = True
        else:
            if who is not None:
                self._moved |= who
            else:
                self._all_moved = True
            if self._all_idle:
                delta, new = None, values
            else:
                delta, new = self._some(values, who, again)
        self._last = values, delta, new
        return new

    def _some(self, values: Any, who: Array | None, again: bool) -> tuple[Array, Any]:
        """Move some; the others keep their value, or get their last delta again."""
        idle = np.zeros(self._size, bool) if self._idle is None else self._idle
        movers = ~idle if who is None else who & ~idle
        delta = self._draw_apart(movers)
        before = None if self._last is None else self._last[1]
        delta[~movers] = 0 if before is None else before[~movers]
        delta[idle] = 0
        kept = idle if again else ~movers
        new = self._add(values, delta)
        if kept.any():
            new[kept] = np.asarray(values)[kept]
        return delta, new

    def _draw(self) -> Array:
        """Return one row for everybody."""
        if self._together < 0:
            return self._draw_apart(None)
        if self._together == self._depth:
            self._refill(range(self._size))
            self._together = 0
        row: Array = self._rows[self._together]
        self._together += 1
        return row

    def _draw_apart(self, who: Array | None) -> Array:
        """Return one row for each of those in `who`, whatever their places."""
        self._part()
        if self._moves_left <= 0:
            due = self._at >= self._depth
            self._refill(np.flatnonzero(due if who is None else due & who))
            self._at[due if who is None else due & who] = 0
            self._moves_left = self._depth - int(self._at.max())
        lanes = self._rows.reshape(-1, *self._shape)
        delta: Array = lanes.take(self._at * self._size + self._lanes, axis=0, mode="clip")
        self._at += 1 if who is None else who
        self._moves_left -= 1
        if who is None and self._moves_left <= 0:
            self._meet()
        return delta

    def _part(self) -> None:
        if self._together >= 0:
            self._at[:] = self._together
            self._moves_left = self._depth - self._together
            self._together = -1

    def _meet(self) -> None:
        """Go on in step where all are at the same place."""
        if (self._at == self._at[0]).all():
            self._together = int(self._at[0])

    def _refill(self, indices: Any) -> None:
        if len(self._rows) == 0:
            self._rows = np.empty((self._depth, self._size, *self._shape), self._dtype)
        for i in indices:
            seat = self.seats[i]
            self._rows[:, i] = seat.draw(self._depth).reshape(self._depth, *self._shape)

    def _add(self, values: Any, delta: Array) -> Any:
        """Add all deltas, kept inside the space."""
        if not isinstance(values, np.ndarray) or values.dtype != self._dtype:
            return self._add_exactly(values, delta)
        new: Array = np.ascontiguousarray(values) + delta  # some, as Gymnasium's CartPole, come in Fortran order
        if self._walls is not None:
            low, high = self._walls
            inside: Array = np.minimum(np.maximum(new, low), high)
            if inside.tobytes() != new.tobytes():
                outside = ((values < low) | (values > high)).any()  # such a nominal value stretches its bounds
                return self._add_exactly(values, delta) if outside else inside
        return new

    def _add_exactly(self, values: Any, delta: Array) -> Array:
        """Do what `Port.add` does, for all sub-environments."""
        array = np.asarray(values)
        if self._limits is None:
            dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
            return np.asarray((array.astype(np.float64) + delta).astype(dtype))
        space: Any = self.port.space
        nominal = array
        if array.dtype.kind in "iub" and space.dtype.kind == "f":
            nominal = array.astype(space.dtype)
        elif array.dtype.kind in "iu":
            nominal = array.astype(np.int64)
        total = nominal + _cast(delta, nominal.dtype)
        low, high = self._limits
        if ((total < low) | (total > high)).any():
            total = np.clip(total, np.minimum(low, nominal), np.maximum(high, nominal))
        return np.asarray(total.astype(array.dtype if array.dtype.kind == space.dtype.kind else total.dtype))

    @property
    def last(self) -> Executed | None:
        moved = np.ones(self._size, bool) if self._all_moved else self._moved
        if self._last is None or not moved.any():
            return None
        value, delta, new = (None if part is None else self._numbers(part) for part in self._last)
        assert value is not None
        assert new is not None
        chosen = np.zeros_like(value) if delta is None else delta
        return Executed(*(np.where(moved[:, None], part, 0.0) for part in (value, chosen, new - value)))

    def _numbers(self, values: Any) -> Array:
        return np.array(values, np.float64).reshape(self._size, -1)


def _cast(delta: Array, dtype: Any) -> Array:
    """Round towards the nominal value on integers; otherwise use the dtype of the value."""
    return np.trunc(delta).astype(np.int64) if dtype.kind in "iu" else np.asarray(delta, dtype)


def _stack_limits(seats: Sequence[Seat]) -> tuple[Array, Array]:
    shape: Any = seats[0].port.space.shape
    low, high = zip(*(seat.port.limits(None) for seat in seats), strict=True)
    return np.stack(low).reshape(-1, *shape), np.stack(high).reshape(-1, *shape)


def vector_seats(seats: Sequence[Seat], space: Space | None, *, recording: bool) -> VectorSeats:
    """Choose how a channel moves: both ways give the same numbers, one is faster.

    Args:
        seats: One for each sub-environment.
        space: Space of one value; ``None`` for rewards.
        recording: Whether moves are recorded, which each seat does for itself.
    """
    first = seats[0]
    blocks = hasattr(first.nature, "block") and first.members.monotone
    if recording or not blocks or isinstance(first.members, PerEpisode | PerState | Switch):
        return Looped(seats, space)
    plain = isinstance(first.port, ScalarPort | BoxPort)
    return Batched(seats, space) if plain else Looped(seats, space)
