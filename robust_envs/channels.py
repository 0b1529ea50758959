"""Where uncertainty enters: which numbers of a value a channel moves, and which space clips them.

A *port* reads the numbers of one value (a reward, an observation, an action) as a flat vector and writes them back in
the value's own structure, type and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.names import close_match
from robust_envs.sets import Joint, PerEpisode, PerState, Product, UncertaintySet, towards_nominal

__all__ = [
    "CHANNELS",
    "ORDER",
    "WORLD",
    "BoxPort",
    "DiscretePort",
    "JointPort",
    "PartsPort",
    "Port",
    "ScalarPort",
    "make_port",
    "merge",
    "scaled",
]

WORLD = ("dynamics", "start", "transition")
"""Channels on the world itself: one nature for all agents, which `robust_envs.stage` lets move."""
CHANNELS = ("reward", "observation", "action", "message", "delay", "dropout", "partners", *WORLD)

# At each point of the order of play, who moves after whom: what is sent arrives late or never, and is then perturbed.
ORDER = {
    "reward": ("reward",),
    "observation": ("observation", "message", "delay", "dropout"),
    "action": ("partners", "message", "delay", "dropout", "action"),
}

Array = np.ndarray[Any, np.dtype[Any]]
Fit = Callable[[Array, Array, Array], Array] | None


class Port:
    """Flat view of the numbers which a channel may move.

    Attributes:
        space: Box of the flat numbers: its bounds clip what nature does, its dtype rounds it.
        dim: Number of coordinates.
    """

    space: spaces.Space[Any]
    dim: int

    def flat(self, value: Any) -> Array:
        """Return the numbers of `value`, shape (dim,)."""
        raise NotImplementedError

    def put(self, value: Any, numbers: Array) -> Any:
        """Return a copy of `value` that holds `numbers`; everything else in it is shared, not copied."""
        raise NotImplementedError

    def limits(self, value: Any) -> tuple[Array, Array]:
        """Return the lowest and highest numbers allowed, each of shape (dim,)."""
        raise NotImplementedError

    def add(self, value: Any, delta: Array, fit: Fit) -> Any:
        """Move `value` by `delta`, kept inside the space.

        Where the nominal number is itself outside its space the bounds stretch to it, so that clipping never moves a
        number further than nature did.

        Args:
            value: Nominal value.
            delta: What nature chose, shape (dim,).
            fit: ``fit(delta, low, high)`` returns a member of the set inside the box of deltas [low, high]; ``None``
                for monotone sets, where clipping the sum does. Where no member fits, the sum is clipped all the same:
                what comes out is the point of the space nearest to what nature chose.

        Returns:
            The perturbed value, of the type and dtype of `value`.
        """
        nominal = self.flat(value)
        integer = nominal.dtype.kind in "iu"
        if integer:
            nominal = nominal.astype(np.int64)
        delta = _cast(delta, integer, nominal.dtype)
        total = nominal + delta
        low, high = self.limits(value)
        if bool(((total < low) | (total > high)).any()):
            low, high = np.minimum(low, nominal), np.maximum(high, nominal)
            if fit is not None:
                room = low - nominal, high - nominal
                with suppress(ValueError):  # no member fits just here: the space has the last word
                    total = nominal + _cast(fit(np.asarray(delta, np.float64), *room), integer, nominal.dtype)
            total = np.clip(total, low, high)
        return self.put(value, total)


def _cast(delta: Array, integer: bool, dtype: Any) -> Array:
    """Round towards the nominal value on integers; otherwise use the dtype of the value."""
    return np.trunc(delta).astype(np.int64) if integer else np.asarray(delta, dtype)


class ScalarPort(Port):
    """A single unbounded number: a reward."""

    def __init__(self) -> None:
        self.space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.dim = 1

    def flat(self, value: Any) -> Array:
        return np.asarray(value, np.float64).reshape(1)

    def put(self, value: Any, numbers: Array) -> Any:
        number = float(numbers[0])
        if isinstance(value, np.ndarray):
            kind = value.dtype if value.dtype.kind == "f" else np.dtype(np.float64)
            return np.full(value.shape, number, kind)
        return type(value)(number) if isinstance(value, np.floating) else number

    def limits(self, value: Any) -> tuple[Array, Array]:
        return self.space.low, self.space.high  # type: ignore[attr-defined]


class BoxPort(Port):
    """All numbers of a Box."""

    def __init__(self, space: spaces.Box) -> None:
        self.space = space
        self.dim = int(np.prod(space.shape))
        self._limits = space.low.reshape(-1), space.high.reshape(-1)
        self._dtype: Any = space.dtype

    def flat(self, value: Any) -> Array:
        numbers = np.asarray(value).reshape(-1)
        if numbers.dtype.kind in "iub" and self._dtype.kind == "f":
            return numbers.astype(self._dtype)  # an integer in a float space: a delta of 0.3 must not be rounded away
        return numbers

    def put(self, value: Any, numbers: Array) -> Any:
        dtype = getattr(value, "dtype", self._dtype)
        if dtype.kind in "iub" and self._dtype.kind == "f":
            dtype = self._dtype
        return numbers.astype(dtype).reshape(self.space.shape)

    def limits(self, value: Any) -> tuple[Array, Array]:
        return self._limits


class PartsPort(Port):
    """Some parts of a Dict or Tuple, one after the other; the other parts are left alone."""

    def __init__(self, parts: Mapping[Any, Port]) -> None:
        self._parts = dict(parts)
        self.space = merge([port.space for port in parts.values()])
        self.dim = sum(port.dim for port in parts.values())
        self._limits: tuple[Array, Array] = (self.space.low, self.space.high)

    def flat(self, value: Any) -> Array:
        return np.concatenate([port.flat(value[key]) for key, port in self._parts.items()])

    def put(self, value: Any, numbers: Array) -> Any:
        new, start = dict(value) if isinstance(value, Mapping) else list(value), 0
        for key, port in self._parts.items():
            new[key] = port.put(value[key], numbers[start : start + port.dim])
            start += port.dim
        return new if isinstance(value, Mapping) else tuple(new)

    def limits(self, value: Any) -> tuple[Array, Array]:
        return self._limits


class JointPort(Port):
    """The same channel of several agents as one vector; values are dictionaries by agent, absent agents do not move."""

    def __init__(self, ports: Mapping[str, Port]) -> None:
        self.ports = dict(ports)
        self.space = merge([port.space for port in ports.values()])
        self.dim = sum(port.dim for port in ports.values())

    def flat(self, value: Any) -> Array:
        return np.concatenate([self._one(value, agent, port) for agent, port in self.ports.items()])

    def _one(self, value: Any, agent: str, port: Port) -> Array:
        return port.flat(value[agent]) if agent in value else np.zeros(port.dim, port.space.dtype)

    def put(self, value: Any, numbers: Array) -> Any:
        new, start = dict(value), 0
        for agent, port in self.ports.items():
            if agent in value:
                new[agent] = port.put(value[agent], numbers[start : start + port.dim])
            start += port.dim
        return new

    def limits(self, value: Any) -> tuple[Array, Array]:
        # an absent agent's share of the delta is dropped by `put`, so nothing has to fit there
        free = np.full(1, -np.inf), np.full(1, np.inf)
        pairs = [
            port.limits(value[agent]) if agent in value else tuple(np.repeat(limit, port.dim) for limit in free)
            for agent, port in self.ports.items()
        ]
        low, high = zip(*pairs, strict=True)
        return np.concatenate(low), np.concatenate(high)


class DiscretePort(Port):
    """One of `n` choices: nature replaces it instead of adding to it."""

    def __init__(self, space: spaces.Discrete) -> None:
        self.space = space
        self.dim = 1

    def flat(self, value: Any) -> Array:
        return np.asarray(value, np.int64).reshape(1)

    def put(self, value: Any, numbers: Array) -> Any:
        return self.place(value, int(numbers[0]))

    def number(self, value: Any) -> int:
        """Return the choice in a value."""
        return int(value.item()) if isinstance(value, np.ndarray | np.generic) else int(value)

    def place(self, value: Any, choice: int) -> Any:
        """Return a copy of `value` that holds a choice."""
        if isinstance(value, np.ndarray):
            return np.full(value.shape, choice, value.dtype)
        return type(value)(choice)


def scaled(channel: str, given: Any, c: float) -> Any:
    """Multiply what a channel is given by a factor: all deltas, or values drawn towards the nominal one.

    Args:
        channel: Its name.
        given: As `robust` takes it: a set, a dict of sets, for coalitions a list.
        c: Finite, >= 0.

    Raises:
        TypeError: For what is no set.
        ValueError: For sets that have no size.

    Example:
        >>> from robust_envs import Linf
        >>> scaled("observation", {"agent_0": Linf(0.2)}, 0.5)
        {'agent_0': Linf(0.1)}
    """
    if channel in WORLD:
        return towards_nominal(given, c)
    if isinstance(given, Mapping):
        return {agent: scaled(channel, members, c) for agent, members in given.items()}
    if isinstance(given, list | tuple):  # of coalitions
        return [scaled(channel, members, c) for members in given]
    if not isinstance(given, UncertaintySet):
        raise TypeError(f"{channel} must be an uncertainty set or a dict by agent of such, got {given!r}")
    return given.scaled(c)


def merge(boxes: list[Any]) -> spaces.Box:
    """Put Boxes one after the other in one flat Box.

    Raises:
        ValueError: If some hold integers and others floats: rounding would differ within one set.
    """
    kinds = {box.dtype.kind in "iu" for box in boxes}
    if len(kinds) > 1:
        raise ValueError(f"one set cannot cover integer and float parts together, got {boxes}")
    dtype = np.result_type(*[box.dtype for box in boxes])
    low = np.concatenate([box.low.reshape(-1) for box in boxes]).astype(dtype)
    high = np.concatenate([box.high.reshape(-1) for box in boxes]).astype(dtype)
    return spaces.Box(low, high, dtype=dtype.type)


@dataclass(frozen=True)
class _Where:
    channel: str
    agent: str

    def __str__(self) -> str:
        return f"{self.channel} of {self.agent}"


def make_port(channel: str, agent: str, space: spaces.Space[Any] | None, members: UncertaintySet) -> Port:
    """Choose the numbers of a channel which `members` moves.

    A Dict with an ``action_mask`` stands for its ``observation`` part, whatever the set; other Dict and Tuple spaces
    need a `Product` that names its parts.

    Args:
        channel: ``"reward"``, ``"observation"`` or ``"action"``.
        agent: Agent id, for messages.
        space: Space of the value; ``None`` for a reward.
        members: The uncertainty set, not bound yet.

    Returns:
        The port.

    Raises:
        ValueError: If the set cannot act on the space.
    """
    where = _Where(channel, agent)
    if channel == "reward":
        return ScalarPort()
    inner = _innermost(members)
    if isinstance(inner, Product):
        return _parts(space, inner, where)
    if isinstance(space, spaces.Dict) and {"observation", "action_mask"} <= set(space.spaces):
        return PartsPort({"observation": _box(space["observation"], where, "observation")})
    if isinstance(space, spaces.Discrete):
        return DiscretePort(space)
    if isinstance(space, spaces.Box):
        return BoxPort(space)
    if isinstance(space, spaces.Dict | spaces.Tuple):
        raise ValueError(f"{where}: a {type(space).__name__} space needs Product({{part: set}}), got {members!r}")
    raise ValueError(f"{where}: a set acts on Box, Discrete, Dict and Tuple spaces, got {space!r}")


def _innermost(members: UncertaintySet) -> UncertaintySet:
    while isinstance(members, Joint | PerEpisode | PerState):
        members = members.inner
    return members


def _parts(space: Any, product: Product, where: _Where) -> PartsPort:
    ports: dict[Any, Port] = {}
    for key, members in product.parts.items():
        part = _part(space, key, where)
        ports[key] = _parts(part, members, where) if isinstance(members, Product) else _box(part, where, key)
    return PartsPort(ports)


def _part(space: Any, key: Any, where: _Where) -> Any:
    if isinstance(space, spaces.Dict):
        known: list[Any] = list(space.spaces)
    elif isinstance(space, spaces.Tuple):
        known = list(range(len(space.spaces)))
    else:
        raise ValueError(f"{where}: Product acts on Dict and Tuple spaces, got {space!r}")
    if key not in known:
        raise ValueError(f"{where}: Product names part {key!r}, the space has {known}{close_match(key, known)}")
    if key == "action_mask":
        raise ValueError(f"{where}: Product cannot name part 'action_mask', which says what is legal and is left alone")
    return space[key]


def _box(space: Any, where: _Where, key: Any) -> BoxPort:
    if not isinstance(space, spaces.Box):
        raise ValueError(f"{where}: part {key!r} must be a Box to be perturbed, got {space!r}")
    return BoxPort(space)
