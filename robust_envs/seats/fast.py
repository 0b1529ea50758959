"""Seats that give the same numbers sooner, where moves are drawn in blocks and nothing has to be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from robust_envs.channels import BoxPort
from robust_envs.parts import CoordinatesPort
from robust_envs.seats.seat import Array, Seat
from robust_envs.traces import Recorded

__all__ = ["BoxSeat", "PartSeat", "RewardSeat"]

_FLOATS = (float, np.float64)
_FEW = 6  # bounded coordinates that are checked one by one: cheaper than whole-array comparisons


class RewardSeat(Seat):
    """The same, fast, where a reward is a Python float and moves are drawn in blocks."""

    def _rows_of(self, block: Array) -> Any:
        return [float(number) for number in block[:, 0]]

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        if value.__class__ not in _FLOATS or self.idle:
            return super().perturb(value, observation, mask)
        delta = next(self._rows, None)
        if delta is None:
            delta = self._refill()
        self._last = value, delta
        new = value + delta
        if self.recording:
            self._chosen.append(np.array([delta]))
            self._executed.append(np.array([new - value]))
        return new


class BlindSeat(Seat):
    """Move without knowing the value: what is drawn does not depend on it."""

    @property
    def waits(self) -> bool:
        return not self.recording

    def postpone(self, ask: Callable[[], Any]) -> None:
        if self.idle:
            super().postpone(ask)
            return
        delta = next(self._rows, None)
        self._last = ask, self._refill() if delta is None else delta

    def again(self, value: Any) -> Any:
        new = super().again(value)
        if self._last is not None and callable(self._last[0]):
            # whoever wants to know the nominal value need not ask; an environment may use its buffer again
            self._last = np.array(value) if isinstance(value, np.ndarray) else value, self._last[1]
        return new


class BoxSeat(BlindSeat):
    """The same, fast, where the value is a float array and moves are drawn in blocks.

    ``perturb`` and ``again`` are compiled into closures: half of what a step could save is attribute look-ups.
    """

    port: BoxPort

    def _settle(self) -> None:
        super()._settle()
        margin = np.maximum(np.abs(self.members.bounds.low), np.abs(self.members.bounds.high))
        low, high = (np.asarray(limit, np.float64) for limit in self.port.limits(None))
        bounded = np.flatnonzero((np.isfinite(low) | np.isfinite(high)) & (margin > 0))
        self._bounded = len(bounded) > 0
        # a hair more than the margin, for the rounding of the sum
        inner = [(int(k), float(low[k] + 1.001 * margin[k]), float(high[k] - 1.001 * margin[k])) for k in bounded]
        self._guards = tuple(inner) if len(inner) <= _FEW and self.port.space.shape == low.shape else ()
        self._compile()

    def _compile(self) -> None:
        space: Any = self.port.space
        # no value has dtype None: no fast path for an idle seat, nor for a single number, which numpy adds to a scalar;
        # a space that was pickled holds a copy of the dtype, values hold numpy's own
        dtype = None if self.idle or not space.shape else np.dtype(space.dtype.type)
        guards, slow, low, high = self._guards, super().perturb, space.low, space.high
        bounded, slowly = self._bounded, super().again
        check = bounded and not guards
        minimum, maximum = np.minimum, np.maximum

        def perturb(value: Any, observation: Any = None, mask: Any = None) -> Any:
            try:
                if value.dtype is not dtype:
                    return slow(value, observation, mask)
            except AttributeError:
                return slow(value, observation, mask)
            delta = next(self._rows, None)
            if delta is None:
                delta = self._refill()
            new = value + delta
            clip = check
            if guards:
                numbers = value.tolist()
                for k, lowest, highest in guards:
                    if not lowest <= numbers[k] <= highest:
                        clip = True
            if clip:
                inside = minimum(maximum(value, low), high)
                if inside.tobytes() != value.tobytes():  # the nominal value is itself outside
                    return self.execute(value, delta.reshape(-1))
                new = minimum(maximum(new, low), high)
            self._last = value, delta
            if self.recording:
                self._chosen.append(delta)
                # worked out when asked for: a step affords no more than a copy
                self._executed.append((new.tobytes(), value.tobytes()))
            return new

        def again(value: Any) -> Any:
            delta = None if self._last is None else self._last[1]
            if bounded or delta is None or getattr(value, "dtype", None) is not dtype or value.shape != delta.shape:
                return slowly(value)
            if callable(self._last[0]):  # type: ignore[index] # it holds a delta
                self._last = value.copy(), delta
            return value + delta

        self.perturb = perturb  # type: ignore[method-assign]
        self.again = again  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("perturb", "again")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._compile()

    def _rows_of(self, block: Array) -> Any:
        space: Any = self.port.space
        return block.astype(space.dtype).reshape(-1, *space.shape)

    def recorded(self) -> Recorded:
        self._executed = [self._exact(entry) for entry in self._executed]
        return super().recorded()

    def _exact(self, entry: Any) -> Array:
        if not isinstance(entry, tuple):
            return np.asarray(entry)
        new, value = (np.frombuffer(copied, self.port.space.dtype) for copied in entry)
        return np.asarray(new.astype(np.float64) - value)


class PartSeat(BlindSeat):
    """The same, fast, for some unbounded coordinates of a flat float array, where moves are drawn in blocks."""

    port: CoordinatesPort

    def _rows_of(self, block: Array) -> Any:
        return block.astype(self.port.space.dtype)

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        if self.idle or value.__class__ is not np.ndarray or value.dtype != self.port.space.dtype:
            return super().perturb(value, observation, mask)
        delta = next(self._rows, None)
        if delta is None:
            delta = self._refill()
        new, at = value.copy(), self.port.where
        new[at] += delta
        self._last = value, delta
        if self.recording:
            self._chosen.append(delta)
            self._executed.append(new[at].astype(np.float64) - value[at])
        return new
