"""A named number, or several, of an environment: where it is, and what it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from robust_envs.worlds.paths import Slot, is_numeric, known_paths, parse, slots

__all__ = ["Parameter", "Reading"]

Array = np.ndarray[Any, np.dtype[Any]]
Limit = float | Callable[[Any], Any]
# What numbers of such names can physically be, where nothing else is said and the nominal value is such a number.
_POSITIVE = ("mass", "inertia", "length", "timestep", "tau")
_NOT_NEGATIVE = ("damping", "friction", "stiffness", "density", "viscosity")


@dataclass(frozen=True)
class Parameter:
    """Name numbers of an environment, for the channels ``dynamics``, ``start`` and ``transition``.

    A bare path does as a key: ``dynamics={"masspole": Linf(0.05)}`` is short for ``{Parameter("masspole"): ...}``.

    Args:
        path: Where the numbers are, from ``env.unwrapped``: ``"gravity"``, ``"world.damping"``,
            ``"model.opt.gravity[2]"``, ``"world.agents[*].initial_mass"`` (those of all agents, one after the other).
            With `get` and `set` any name.
        get: Returns the numbers, given ``env.unwrapped``: a number or a sequence of numbers.
        set: Puts them in place, given ``env.unwrapped`` and what `get` would return.
        low: The least they may be; a function of ``env.unwrapped`` where that depends on it.
        high: The most they may be, likewise.
        positive: Whether they must be > 0.
        after: Called with ``env.unwrapped`` when they have changed, so that what is derived from them follows.

    Raises:
        TypeError: If `path` is not text.
        ValueError: If `path` is none, or only one of `get` and `set` is given.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Parameter, Relative, Uniform, robust
        >>> pole = Parameter("length", positive=True)
        >>> env = robust(gymnasium.make("CartPole-v1"), dynamics={pole: Relative(0.2)}, nature=Uniform())
        >>> _ = env.reset(seed=0)
        >>> 0.4 <= env.unwrapped.length <= 0.6
        True
    """

    path: str
    get: Callable[[Any], Any] | None = None
    set: Callable[[Any, Any], None] | None = None
    low: Limit = -np.inf
    high: Limit = np.inf
    positive: bool = False
    after: Callable[[Any], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str):
            raise TypeError(f"path must be text, got path={self.path!r}")
        if (self.get is None) != (self.set is None):
            raise ValueError(f"get and set must be given together, got get={self.get!r}, set={self.set!r}")
        if self.get is None:
            parse(self.path)

    def find(self, root: Any) -> list[Slot]:
        """Return the places of the numbers in `root`; none where `get` and `set` know them.

        Raises:
            ValueError: If there is no such place, with those that there are.
        """
        if self.get is not None:
            return []
        try:
            return slots(root, parse(self.path))
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"there is no {self.path!r} in {_kind(root)}, there are {self.known(root)}") from error

    def known(self, root: Any) -> str:
        """Say which numbers there are."""
        return known_paths(root, self.path)

    def limits(self, root: Any, size: int) -> tuple[Array, Array]:
        """Return the least and the most that the numbers may be, each of shape (size,)."""
        low = self.low(root) if callable(self.low) else self.low
        high = self.high(root) if callable(self.high) else self.high
        least = np.full(size, np.nextafter(0.0, 1.0) if self.positive else -np.inf)
        return np.maximum(np.broadcast_to(np.asarray(low, np.float64), (size,)), least), np.broadcast_to(
            np.asarray(high, np.float64), (size,)
        ).copy()

    def rule(self) -> str:
        """Say what the numbers may be."""
        if self.positive:
            return "be > 0"
        low = "" if callable(self.low) or self.low == -np.inf else f"be >= {self.low:g}"
        high = "" if callable(self.high) or self.high == np.inf else f"be <= {self.high:g}"
        return " and ".join(part for part in (low, high) if part) or "be within its limits"

    def guarded(self, numbers: Array) -> Parameter:
        """Return the same parameter with what its name says about its range, where nothing was given."""
        if self.positive or self.get is not None or self.low != -np.inf:
            return self
        name = self.path.lower().rsplit(".", 1)[-1]
        if any(word in name for word in _POSITIVE) and bool((numbers > 0).all()):
            return _with(self, positive=True)
        if any(word in name for word in _NOT_NEGATIVE) and bool((numbers >= 0).all()):
            return _with(self, low=0.0)
        return self


def _with(parameter: Parameter, **changes: Any) -> Parameter:
    return Parameter(**{**vars(parameter), **changes})


def _kind(root: Any) -> str:
    return type(root).__name__


class Reading:
    """The numbers of one parameter in one environment: read, written and put back exactly as they were."""

    def __init__(self, parameter: Parameter, root: Any, *, whole: bool = False) -> None:
        self.parameter, self.root = parameter, root
        self._slots: list[Slot] | None = None
        values = [self._checked(value) for value in self._values()]
        self.sizes = [int(np.asarray(value).size) for value in values]
        self.size = sum(self.sizes)
        # a state that is an integer stays one; a physical constant that happens to be written as one does not
        self.whole = whole and all(np.asarray(value).dtype.kind in "iu" for value in values)
        self.parameter = parameter.guarded(self.read())
        self._check_writable()

    def read(self) -> Array:
        """Return the numbers, shape (size,), a copy; the places are looked up afresh."""
        self._slots = None
        kind: Any = np.int64 if self.whole else np.float64
        numbers = [np.array(value, kind).reshape(-1) for value in self._values()]
        return numbers[0] if len(numbers) == 1 else np.concatenate(numbers)

    def plain(self) -> list[tuple[Any, str]]:
        """Return (object, attribute) for every number, if all are Python floats from which nothing is derived."""
        if self.parameter.set is not None or self.parameter.after is not None:
            return []
        places = [(slot.owner, slot.key) for slot in self._found() if type(slot.get()) is float]
        return [(owner, key) for owner, key in places if isinstance(key, str)] if len(places) == self.size else []

    def keep(self) -> list[Any]:
        """Return what `put_back` takes: the values themselves, arrays as copies."""
        return [value.copy() if isinstance(value, np.ndarray) else value for value in self._values()]

    def put_back(self, kept: list[Any]) -> None:
        """Put kept values back, type for type."""
        self._slots = None  # the environment may have been rebuilt since
        self._put(kept)
        self._follow()

    def write(self, numbers: Array) -> None:
        """Put other numbers in place, each of the kind that is there."""
        values, start = self._values(), 0
        new = []
        for value, size in zip(values, self.sizes, strict=True):
            new.append(_like(value, numbers[start : start + size]))
            start += size
        self._put(new)
        self._follow()

    def _put(self, values: list[Any]) -> None:
        if self.parameter.set is not None:
            self.parameter.set(self.root, values[0])
        else:
            for slot, value in zip(self._found(), values, strict=True):
                slot.put(value)

    def _follow(self) -> None:
        if self.parameter.after is not None:
            self.parameter.after(self.root)

    def _values(self) -> list[Any]:
        if self.parameter.get is not None:
            return [self.parameter.get(self.root)]
        return [slot.get() for slot in self._found()]

    def _found(self) -> list[Slot]:
        if self._slots is None:
            self._slots = self.parameter.find(self.root)
        return self._slots

    def _checked(self, value: Any) -> Any:
        if not is_numeric(value):
            path, root = self.parameter.path, self.root
            raise ValueError(
                f"{path!r} must be a number or an array of numbers in {_kind(root)}, got {value!r}; "
                f"there are {self.parameter.known(root)}"
            )
        return value

    def _check_writable(self) -> None:
        try:
            self._put(self.keep())
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.parameter.path!r} must be writable in {_kind(self.root)}, got a read-only one ({error}); "
                f"there are {self.parameter.known(self.root)}"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_slots": None}  # places inside an environment that copies rebuild


def _like(value: Any, numbers: Array) -> Any:
    if isinstance(value, np.ndarray):
        return numbers.astype(value.dtype if value.dtype.kind == "f" else numbers.dtype).reshape(value.shape)
    if isinstance(value, tuple | list):
        return type(value)(numbers.tolist())
    number = numbers[0].item()
    return type(value)(number) if isinstance(value, np.floating) else number
