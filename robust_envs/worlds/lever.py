"""The numbers of an environment which one channel moves, as one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import BoxPort
from robust_envs.names import close_match
from robust_envs.sets import (
    Joint,
    PerState,
    PerStep,
    Product,
    UncertaintySet,
    around,
    lists_points,
    lists_values,
)
from robust_envs.worlds.parameter import Parameter, Reading

__all__ = ["Lever"]

Array = np.ndarray[Any, np.dtype[Any]]
Key = Any
Parts = dict[str, tuple[list[Reading], UncertaintySet]]
_WHOLE = ("start", "transition")  # what they move is a state, which may be an integer


class Lever:
    """Read and write the numbers of one channel, and know which sets they are given.

    Args:
        channel: ``"dynamics"``, ``"start"`` or ``"transition"``.
        root: The unwrapped environment.
        given: What the user wrote: a dict by parameter (or by several, as a tuple), or one set over the whole state.
        ready: Parameters that have names.

    Raises:
        TypeError: For what is no set.
        ValueError: For parameters that are not there, cannot be moved, or would leave their physical range.
    """

    def __init__(self, channel: str, root: Any, given: Any, ready: Mapping[str, Parameter]) -> None:
        self.channel, self.root = channel, root
        self._plain: list[tuple[Any, str]] | None = None
        whole, self.each_step = _clock(channel, given)
        self._parts = self._read_parts(whole, ready)
        self.readings = [reading for readings, _ in self._parts.values() for reading in readings]
        kinds = {reading.whole for reading in self.readings}
        if len(kinds) > 1:
            raise ValueError(f"{channel}: one set cannot cover integer and float numbers together, got {given!r}")
        # sets that stand for values move with the nominal value, which a state has anew in every episode
        self.floating = channel != "transition" and any(lists_values(members) for _, members in self._parts.values())
        # whether such a set may hold the nominal value in one episode and not in the next
        self.shifting = self.floating and any(lists_points(members) for _, members in self._parts.values())
        self._box: dict[str, spaces.Box] = {name: self._space(readings) for name, (readings, _) in self._parts.items()}
        self.port = BoxPort(self._space(self.readings))
        self.members = self.around(self.read())
        if channel == "dynamics":
            self._check_ranges()

    def at(self, root: Any) -> Lever:
        """Move these numbers in another environment of the same kind."""
        self.root = root
        for reading in self.readings:
            reading.root = root
        return self

    @property
    def names(self) -> list[str]:
        """The parameters, by the names they were given."""
        return list(self._parts)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the numbers are called: by their parameter, and their place where it has several."""
        found: list[str] = []
        for name, (readings, _) in self._parts.items():
            size = sum(reading.size for reading in readings)
            found += [name] if size == 1 else [f"{name}[{k}]" for k in range(size)]
        return tuple(found)

    def read(self) -> Array:
        """Return the numbers as they are, shape (dim,)."""
        self._plain = None  # an environment may rebuild its world at reset
        numbers = [reading.read() for reading in self.readings]
        return numbers[0] if len(numbers) == 1 else np.concatenate(numbers)

    def write(self, numbers: Array) -> None:
        """Put numbers in place."""
        if self._plain is None:
            self._plain = [place for reading in self.readings for place in reading.plain()]
        if len(self._plain) == len(numbers):  # all are attributes that hold a float, nothing is derived
            for (owner, name), number in zip(self._plain, numbers.tolist(), strict=True):
                setattr(owner, name, number)
            return
        start = 0
        for reading in self.readings:
            reading.write(numbers[start : start + reading.size])
            start += reading.size

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_plain": None}

    def keep(self) -> list[Any]:
        """Return what `put_back` takes."""
        return [reading.keep() for reading in self.readings]

    def put_back(self, kept: list[Any]) -> None:
        """Put kept values back, bit for bit and type for type."""
        for reading, values in zip(self.readings, kept, strict=True):
            reading.put_back(values)

    def around(self, nominal: Array) -> UncertaintySet:
        """Return the bound set of deltas about a nominal value."""
        bound: dict[str | int, UncertaintySet] = {}
        start = 0
        for name, (readings, members) in self._parts.items():
            size = sum(reading.size for reading in readings)
            here = nominal[start : start + size]
            start += size
            try:
                bound[name] = (members if self.channel == "transition" else around(members, here)).bind(self._box[name])
            except ValueError as error:
                raise ValueError(f"{self.channel} {name!r}: {error}") from error
        if len(bound) == 1:
            return next(iter(bound.values()))
        return Product(bound).bind(spaces.Dict(dict(self._box)))

    def _read_parts(self, whole: Any, ready: Mapping[str, Parameter]) -> Parts:
        if isinstance(whole, UncertaintySet) and not isinstance(whole, Product):
            if self.channel == "dynamics" or not ready:
                raise ValueError(self._unnamed(whole, ready))
            whole = {next(iter(ready)): whole}
        parts = whole.parts if isinstance(whole, Product) else whole
        if not parts:
            raise ValueError(f"{self.channel} must name at least one parameter, got {parts!r}")
        return {_name(key): (self._find(key, ready), self._checked(key, members)) for key, members in parts.items()}

    def _unnamed(self, members: Any, ready: Mapping[str, Parameter]) -> str:
        known = f"ready-made for {type(self.root).__name__}: {', '.join(ready)}" if ready else "none is ready-made here"
        return f"{self.channel} must be a dict by parameter, {{name or path: set}}; {known}; got {members!r}"

    def _find(self, key: Key, ready: Mapping[str, Parameter]) -> list[Reading]:
        found = []
        for one in key if isinstance(key, tuple) else (key,):
            if not isinstance(one, str | Parameter):
                raise TypeError(f"{self.channel} must be a dict by path or Parameter, got {one!r}")
            parameter = one if isinstance(one, Parameter) else ready.get(one) or Parameter(one)
            try:
                found.append(Reading(parameter, self.root, whole=self.channel in _WHOLE))
            except ValueError as error:
                raise ValueError(f"{self.channel}: {error}{_ready_made(one, ready)}") from error
        return found

    def _checked(self, key: Key, members: Any) -> UncertaintySet:
        if not isinstance(members, UncertaintySet):
            raise TypeError(f"{self.channel} {_name(key)!r} must be an uncertainty set, got {members!r}")
        plain: UncertaintySet = members.inner if isinstance(members, PerStep) else members
        if isinstance(plain, Joint):
            raise ValueError(
                f"{self.channel} {_name(key)!r}: there is one nature for all agents already: "
                f"write one set over several parameters as {{(name, name): set}}, got {plain!r}"
            )
        if isinstance(plain, PerState):
            raise ValueError(f"{self.channel} {_name(key)!r}: per_state asks what one agent saw, got {plain!r}")
        return plain

    def _space(self, readings: list[Reading]) -> spaces.Box:
        pairs = [reading.parameter.limits(self.root, reading.size) for reading in readings]
        low, high = (np.concatenate(limits) for limits in zip(*pairs, strict=True))
        if readings[0].whole:
            info = np.iinfo(np.int64)
            low = np.where(np.isfinite(low), np.ceil(low), info.min // 2).astype(np.int64)
            high = np.where(np.isfinite(high), np.floor(high), info.max // 2).astype(np.int64)
            return spaces.Box(low, high, dtype=np.int64)
        return spaces.Box(low, high, dtype=np.float64)

    def _check_ranges(self) -> None:
        """Refuse sets that reach values which the parameter cannot have."""
        nominal, bounds, start = self.read(), self.members.bounds, 0
        for reading in self.readings:
            part = slice(start, start + reading.size)
            start = part.stop
            low, high = reading.parameter.limits(self.root, reading.size)
            values = nominal[part] + bounds.low[part], nominal[part] + bounds.high[part]
            for reached, bad in ((values[0], values[0] < low), (values[1], values[1] > high)):
                if bad.any():
                    name, rule, value = reading.parameter.path, reading.parameter.rule(), float(reached[bad][0])
                    raise ValueError(f"dynamics {name!r} must {rule}, its set reaches {name}={value:g}")


def _ready_made(wanted: Any, ready: Mapping[str, Parameter]) -> str:
    if not ready or wanted in ready:
        return ""
    return f"; ready-made: {', '.join(ready)}{close_match(wanted, ready)}"


def _name(key: Key) -> str:
    if isinstance(key, tuple):
        return ", ".join(map(_name, key))
    return key.path if isinstance(key, Parameter) else str(key)


def _clock(channel: str, given: Any) -> tuple[Any, bool]:
    """Take off what says that nature picks at every step."""
    if channel == "transition":
        return (given.inner if isinstance(given, PerStep) else given), True
    if isinstance(given, PerStep):
        given, often = given.inner, [True]
    elif isinstance(given, Product | Mapping):
        parts = given.parts if isinstance(given, Product) else given
        often = [isinstance(members, PerStep) for members in parts.values()]
    elif isinstance(given, UncertaintySet):
        often = [False]
    else:
        raise TypeError(f"{channel} must be a dict of uncertainty sets by parameter, got {given!r}")
    if any(often) and not all(often):
        raise ValueError(f"{channel}: per_step must be on all parameters or on none (nest two robust()), got {given!r}")
    if any(often) and channel == "start":
        raise ValueError(f"start moves once an episode: per_step is for dynamics, got {given!r}")
    return given, any(often)
