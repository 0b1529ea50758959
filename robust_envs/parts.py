"""Parts of values that are carried: kept, lost, replaced, put into a later value of the same kind."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import DiscretePort, Port
from robust_envs.sets.choices import Span

__all__ = ["CoordinatesPort", "DigitPort", "MenuPort", "Numbers", "Part", "Whole", "indices_of", "message_port"]

Array = np.ndarray[Any, np.dtype[Any]]
Space = spaces.Space[Any]
_MASK = "action_mask"


class CoordinatesPort(Port):
    """Some numbers of a Box, by index; with `key`, of that part of a Dict."""

    def __init__(self, space: spaces.Box, at: Array, key: str | None = None) -> None:
        low, high = space.low.reshape(-1)[at], space.high.reshape(-1)[at]
        dtype: Any = space.dtype
        self.space = spaces.Box(low, high, dtype=dtype.type)
        self.dim, self._at, self._key, self._dtype = len(at), at, key, np.dtype(dtype)
        row = len(at) == 1 + at[-1] - at[0]
        self.where: Any = slice(int(at[0]), int(at[-1]) + 1) if row else at
        # whether numbers can be added where they are, and nothing has to be clipped
        unbounded = bool(np.isinf(low).all() and np.isinf(high).all())
        self.plain = unbounded and key is None and len(space.shape) == 1 and self._dtype.kind == "f"

    def flat(self, value: Any) -> Array:
        return np.asarray(np.asarray(self._inner(value)).reshape(-1)[self._at])

    def put(self, value: Any, numbers: Array) -> Any:
        inner = np.array(self._inner(value))
        if inner.dtype.kind in "iub" and self._dtype.kind == "f":
            inner = inner.astype(self._dtype)
        inner.reshape(-1)[self._at] = numbers
        return inner if self._key is None else {**value, self._key: inner}

    def limits(self, value: Any) -> tuple[Array, Array]:
        return self.space.low, self.space.high  # type: ignore[attr-defined]

    def _inner(self, value: Any) -> Any:
        return value if self._key is None else value[self._key]


class DigitPort(DiscretePort):
    """The message in a Discrete action that says two things at once: ``action // base``."""

    def __init__(self, space: spaces.Discrete, base: int) -> None:
        if int(space.n) % base:
            raise ValueError(f"base must divide the number of actions, {space.n}, got base={base}")
        self.space, self.dim = spaces.Discrete(int(space.n) // base), 1
        self._base, self._start = base, int(space.start)

    def flat(self, value: Any) -> Array:
        return np.array([self.number(value)])

    def number(self, value: Any) -> int:
        return (super().number(value) - self._start) // self._base

    def place(self, value: Any, choice: int) -> Any:
        return super().place(value, self._start + self._rest(value) + self._base * choice)

    def _rest(self, value: Any) -> int:
        return (super().number(value) - self._start) % self._base

    def legal(self, value: Any, mask: Any) -> Array:
        """Return which words may be said together with the rest of this action, shape (words,)."""
        return np.asarray(mask, bool).reshape(-1)[self._rest(value) :: self._base]


class MenuPort(DiscretePort):
    """The number of a choice on a menu, 0 for the value as it is.

    Args:
        size: How many other choices there are.
        part: What of a value changes.
    """

    def __init__(self, size: int, part: Part) -> None:
        self.space, self.dim, self.part = spaces.Discrete(1 + size), 1, part

    def flat(self, value: Any) -> Array:
        return np.zeros(1, np.int64)


class Part:
    """What is carried of a value."""

    discrete = False

    def get(self, value: Any) -> Any:
        """Return a copy of the part."""
        raise NotImplementedError

    def put(self, value: Any, part: Any) -> Any:
        """Return `value` with another part in it."""
        raise NotImplementedError

    def zero(self, value: Any) -> Any:
        """Return the part when nothing is there: zeros, or what in the space is nearest."""
        raise NotImplementedError

    def legal(self, part: Any, mask: Any) -> bool:
        """Tell whether an action mask allows this part."""
        return True


class Whole(Part):
    """The whole value, in any space, but for an action mask in it, which says what is legal at the moment."""

    def __init__(self, space: Space) -> None:
        self.discrete = isinstance(space, spaces.Discrete)  # numbers, which nobody can write into
        self._masked = isinstance(space, spaces.Dict) and _MASK in space.spaces
        self._space = space
        self._start = int(space.start) if isinstance(space, spaces.Discrete) else 0

    def get(self, value: Any) -> Any:
        if value.__class__ is np.ndarray:
            return value.copy()
        return value if self.discrete else deepcopy(value)

    def put(self, value: Any, part: Any) -> Any:
        if self._masked:
            return {**part, _MASK: value[_MASK]}
        return self.get(part)

    def zero(self, value: Any) -> Any:
        return zero(self._space, value)

    def legal(self, part: Any, mask: Any) -> bool:
        return not self.discrete or bool(np.asarray(mask).reshape(-1)[int(np.asarray(part)) - self._start])


class Numbers(Part):
    """The numbers which a port reads."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.discrete = isinstance(port, DiscretePort)

    def get(self, value: Any) -> Any:
        return self.port.flat(value).copy()

    def put(self, value: Any, part: Any) -> Any:
        return self.port.put(value, part)

    def zero(self, value: Any) -> Any:
        if self.discrete:
            return np.zeros(1, np.int64)
        low, high = self.port.limits(value)
        return np.clip(np.zeros(self.port.dim), low, high)


def zero(space: Space, value: Any) -> Any:
    """Return what stands for "nothing" in a space, of the types of `value`: zeros, or what is nearest to them.

    Raises:
        ValueError: If there is nothing like it in the space.

    Example:
        >>> zero(spaces.Discrete(3, start=2), 4), zero(spaces.Box(1.0, 2.0, (2,)), np.ones(2))
        (2, array([1., 1.]))
    """
    if isinstance(space, spaces.Dict):
        parts = {key: value[key] if key == _MASK else zero(part, value[key]) for key, part in space.spaces.items()}
        return {**value, **parts}
    if isinstance(space, spaces.Tuple):
        return tuple(zero(part, value[k]) for k, part in enumerate(space.spaces))
    if isinstance(space, spaces.Discrete):
        return type(value)(space.start) if not isinstance(value, np.ndarray) else np.full_like(value, space.start)
    if isinstance(space, spaces.Box):
        return np.clip(np.zeros_like(value), space.low, space.high).astype(np.asarray(value).dtype)
    if isinstance(space, spaces.MultiBinary | spaces.MultiDiscrete):
        return np.zeros_like(value) + getattr(space, "start", 0)
    raise ValueError(f"a {type(space).__name__} space has no zero: take mode='repeat' or 'stuck', got {space!r}")


def check_zero(space: Space) -> None:
    """Raise unless there is something like zero in a space."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
            check_zero(part)
    elif not isinstance(space, spaces.Discrete | spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete):
        zero(space, None)


def indices_of(at: Any, space: Space, where: str) -> Array:
    """Return which coordinates of a Box are meant.

    Args:
        at: Indices, a slice, or a function from the space to either.
        space: A Box.
        where: For messages.

    Returns:
        Shape (n,), int, in ascending order.

    Raises:
        ValueError: If there are no such coordinates.

    Example:
        >>> indices_of((-1, 0), spaces.Box(0, 1, (4,)), "observation of a")
        array([0, 3])
    """
    if callable(at):
        at = at(space)
    if isinstance(at, Span):
        at = slice(*at)
    size = int(np.prod(space.shape or ()))
    try:
        indices = np.unique(np.atleast_1d(np.arange(size)[at if isinstance(at, slice) else list(np.atleast_1d(at))]))
    except (IndexError, TypeError) as error:
        raise ValueError(f"{where}: at must name coordinates of {size}, got at={at!r}") from error
    if len(indices) == 0:
        raise ValueError(f"{where}: at must name at least one of {size} coordinates, got at={at!r}")
    return indices


def message_port(space: Space, at: Any, base: int | None, where: str) -> Port:
    """Return the port of a message, or of some coordinates.

    Args:
        space: Of the agent's actions or observations.
        at: Coordinates of a Box (or of the ``observation`` part of a Dict with an action mask).
        base: Of a Discrete space: the message is ``value // base``.
        where: For messages.

    Raises:
        ValueError: If they do not say where the message is.
    """
    key = "observation" if isinstance(space, spaces.Dict) and _MASK in space.spaces else None
    inner = space["observation"] if isinstance(space, spaces.Dict) and key else space
    if isinstance(inner, spaces.Box) and at is not None:
        return CoordinatesPort(inner, indices_of(at, inner, where), key)
    if isinstance(inner, spaces.Discrete) and base is not None:
        try:
            return DigitPort(inner, base)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    need = "base= (the message is action // base)" if isinstance(inner, spaces.Discrete) else "at= (its coordinates)"
    if not isinstance(inner, spaces.Box | spaces.Discrete):
        raise ValueError(f"{where}: messages are parts of Box and Discrete spaces, got {space!r}")
    raise ValueError(f"{where}: where the message is must be said by {need}, for {space!r} is in no table")
