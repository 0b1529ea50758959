"""Nature seen from outside: what it observes and how it acts, as `AsAgents` shows it and `Policy` plays it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten

from robust_envs.natures import AsAgents
from robust_envs.sets import ChoiceSet, Finite, UncertaintySet

__all__ = ["Interface", "look", "make_interface", "share", "shown_size"]

Array = np.ndarray[Any, np.dtype[Any]]
_MASK = "action_mask"


@dataclass(frozen=True)
class Interface:
    """One nature as an agent.

    Attributes:
        observation_space: Box, float32; flat, or of the team's shape when padded.
        action_space: Box or Discrete, of the type and bounds of the opposed agent's.
        dim: Coordinates of the set; more in the action space is padding and ignored.
        points: What a Discrete action stands for: row k - 1 is action k, 0 is "do nothing"; a Box is cut into parts, of
            which the middle one does nothing; ``None`` for deltas in a Box.
        choices: Whether the points are choices that replace a discrete value (else deltas, in units of the set).
    """

    observation_space: spaces.Box
    action_space: spaces.Space[Any]
    dim: int
    points: Any = None
    choices: bool = False
    grid: int | None = None

    def delta(self, action: Any, allowed: UncertaintySet) -> Array:
        """Turn an action into a member of `allowed` (for choices: into the choice, NaN to leave it).

        Args:
            action: A member of `action_space`.
            allowed: The set at this move.

        Returns:
            Shape (dim,), float64.

        Raises:
            ValueError: If the action is not made of numbers, or has too few.
        """
        numbers = self._numbers(action)
        if isinstance(self.action_space, spaces.Box):
            return self._binned(numbers) if self.choices else self._scaled(numbers, allowed)
        index = int(numbers[0]) - int(self.action_space.start) - 1  # type: ignore[attr-defined]
        if self.choices:
            return np.array([np.nan if not 0 <= index < len(self.points) else self.points[index]])
        count = self.grid if self.grid is not None else 2 * self.dim
        if not 0 <= index < count:
            return np.asarray(allowed.project(np.zeros(self.dim)))
        return grid_point(allowed, index)

    def _numbers(self, action: Any) -> Array:
        size = self.dim if isinstance(self.action_space, spaces.Box) else 1
        try:
            numbers = np.asarray(action, np.float64).reshape(-1)[:size]
        except (TypeError, ValueError):
            numbers = np.zeros(0)
        if len(numbers) != size or not np.isfinite(numbers).all():  # None would become NaN, and NaN everybody's
            raise ValueError(f"must act in {self.action_space}, got {action!r}")
        return numbers

    def _binned(self, action: Array) -> Array:
        """Cut the interval into as many equal parts as there are things to do; the middle one leaves the value."""
        menu = list(self.points)
        menu.insert(len(menu) // 2, np.nan)
        part = int((self._centred(action)[0] + 1) / 2 * len(menu))
        return np.array([menu[min(part, len(menu) - 1)]])

    def _centred(self, action: Array) -> Array:
        """Map the action space to [-1, 1]."""
        box: Any = self.action_space
        low, high = float(box.low.reshape(-1)[0]), float(box.high.reshape(-1)[0])
        return np.clip((action - low) / (high - low) * 2 - 1, -1, 1)

    def _scaled(self, action: Array, allowed: UncertaintySet) -> Array:
        x = self._centred(action)
        bounds = allowed.bounds
        below, above = bounds.low, bounds.high
        holds_zero = (below <= 0) & (above >= 0)
        piecewise = np.where(x >= 0, x * above, -x * below)  # affine where the set is symmetric; 0 stays 0
        return np.asarray(allowed.project(np.where(holds_zero, piecewise, below + (x + 1) / 2 * (above - below))))

    def pad(self, seen: Array) -> Array:
        """Fill what nature sees with zeros up to its observation space."""
        shape = self.observation_space.shape
        room = int(np.prod(shape))
        if seen.size < room:
            seen = np.concatenate([seen, np.zeros(room - seen.size, np.float32)])
        return seen.reshape(shape)


def grid_point(members: UncertaintySet, index: int) -> Array:
    """Return row `index` of ``members.grid(n)``, n > index, without building the others (2 dim rows of dim numbers)."""
    if isinstance(members, Finite):
        return np.asarray(members.grid(index + 1)[index])
    bounds, centre = members.bounds, np.asarray(members.project(np.zeros(_size(members))))
    axes = np.flatnonzero(bounds.low != bounds.high)
    if len(axes) == 0:
        return centre
    ring, turn = divmod(index, 2 * len(axes))
    direction = np.zeros(len(centre))
    direction[axes[turn // 2]] = -1.0 if turn % 2 == 0 else 1.0
    return np.asarray(centre + (members.worst(direction) - centre) / (1 + ring))


def _size(members: UncertaintySet) -> int:
    assert members.dim is not None  # natures only ever meet bound sets
    return members.dim


@dataclass(frozen=True)
class look:  # noqa: N801 - used like a function, and a function would not pickle
    """Flatten a nominal observation for nature: float32, action mask removed, zeros for an agent that is absent."""

    space: spaces.Space[Any]

    def __call__(self, observation: Any) -> Array:
        """Return the numbers, shape (size,)."""
        if observation is None:
            return np.zeros(shown_size(self.space), np.float32)
        if isinstance(self.space, spaces.Box):
            return np.array(observation, np.float32).reshape(-1)
        bare = _bare(self.space)
        if isinstance(bare, spaces.Dict) and isinstance(observation, dict):
            observation = {key: observation[key] for key in bare.spaces}
        return np.asarray(flatten(bare, observation), np.float32)


@dataclass(frozen=True)
class look_at_all:  # noqa: N801
    """Put what nature sees of several agents one after the other."""

    looks: tuple[tuple[str, Callable[[Any], Array]], ...]

    def __call__(self, observations: Any) -> Array:
        """Return the numbers of all agents, absent ones as zeros."""
        seen = observations or {}
        return np.concatenate([one(seen.get(agent)) for agent, one in self.looks])


def shown_size(space: spaces.Space[Any]) -> int:
    """Count the numbers nature sees of an observation in `space`."""
    return int(flatdim(_bare(space)))


def _bare(space: spaces.Space[Any]) -> spaces.Space[Any]:
    if isinstance(space, spaces.Dict) and _MASK in space.spaces:
        return spaces.Dict({key: part for key, part in space.spaces.items() if key != _MASK})
    return space


def make_interface(
    team_action: spaces.Space[Any], members: UncertaintySet, *, size: int, choice: spaces.Space[Any] | None, nature: Any
) -> Interface:
    """Build the spaces of one nature.

    Args:
        team_action: Action space of the (first) opposed agent: gives type and bounds.
        members: The set, bound.
        size: Numbers nature sees.
        choice: The discrete space whose choices nature replaces, if any.
        nature: `AsAgents` or `Policy`; only AsAgents has a `grid`.

    Returns:
        The interface.
    """
    dim = members.dim or 1
    observation = spaces.Box(-np.inf, np.inf, (size,), np.float32)
    grid = nature.grid if isinstance(nature, AsAgents) else None
    points = None if choice is None else tuple(_choices(choice, members))
    if points is not None and not isinstance(team_action, spaces.Box):
        return Interface(observation, spaces.Discrete(1 + len(points)), dim, points, True)
    if isinstance(team_action, spaces.Box):
        low, high = float(team_action.low.min()), float(team_action.high.max())
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            low, high = -1.0, 1.0
        dtype: Any = team_action.dtype.type if team_action.dtype.kind == "f" else np.float32
        return Interface(observation, spaces.Box(low, high, (dim,), dtype), dim, points, points is not None)
    return Interface(observation, spaces.Discrete(1 + (grid or 2 * dim)), dim, grid=grid)


def _choices(space: Any, members: UncertaintySet) -> list[int]:
    if isinstance(members, Finite):
        return [int(np.reshape(member, -1)[0]) for member in members.members]
    assert isinstance(members, ChoiceSet)  # the other sets that bind to a discrete space
    return members.choices(space)


def share(interfaces: Sequence[Interface]) -> list[Interface]:
    """Pad natures so that all of one action type have the same spaces, and all the same observations."""
    size = max(interface.observation_space.shape[0] for interface in interfaces)
    observation = spaces.Box(-np.inf, np.inf, (size,), np.float32)
    dims = [i.action_space.shape[0] for i in interfaces if isinstance(i.action_space, spaces.Box)]
    counts = [int(i.action_space.n) for i in interfaces if isinstance(i.action_space, spaces.Discrete)]
    shared = []
    for interface in interfaces:
        action: Any = interface.action_space
        if isinstance(action, spaces.Box):
            low, high = float(action.low.reshape(-1)[0]), float(action.high.reshape(-1)[0])
            action = spaces.Box(low, high, (max(dims),), action.dtype.type)
        else:
            action = spaces.Discrete(max(counts))
        shared.append(replace(interface, observation_space=observation, action_space=action))
    return shared


def pad_to_team(
    interfaces: Sequence[Interface], observation: spaces.Space[Any], action: spaces.Space[Any]
) -> list[Interface]:
    """Give natures exactly the team's spaces (``uniform_spaces=True``).

    Raises:
        ValueError: If nature needs more room than the team's spaces have.
    """
    if not isinstance(observation, spaces.Box):
        raise ValueError(f"uniform_spaces=True needs Box observations in the team, got {observation!r}")
    for interface in interfaces:
        for need, have, what in (
            (interface.observation_space, observation, "observation"),
            (interface.action_space, action, "action"),
        ):
            if type(need) is not type(have) or _room(need) > _room(have):
                raise ValueError(
                    f"uniform_spaces=True cannot hold nature: its {what} space {need} does not fit the team's {have}"
                )
    return [replace(i, observation_space=observation, action_space=action) for i in interfaces]


def _room(space: Any) -> int:
    return int(space.n) if isinstance(space, spaces.Discrete) else int(np.prod(space.shape))
