"""Sets of listed members, and switching of discrete actions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import Array, as_array, like, slack
from robust_envs.sets.choices import ChoiceSet
from robust_envs.sets.menus import are_policies
from robust_envs.sets.simple import SimpleSet


@dataclass(frozen=True, repr=False)
class Finite(SimpleSet):
    """List what may happen: {m_1, ..., m_K}.

    On a Box the members are deltas. On a Discrete space they are the actions that may replace the chosen one
    (`actions`); such a set cannot be scaled, except by 0, which switches it off (`is_zero`). Under ``partners`` they
    are policies, which can only be listed.

    Args:
        members: (K, dim), finite, not empty; for one coordinate K numbers do.
        scale: finite, >= 0, multiplies the members; `bind` to a Box folds it in.
        discrete: whether the members are actions of a Discrete space; `bind` sets it.
        names: names of the coordinates.
        dim: number of coordinates; `bind` checks it.

    Raises:
        ValueError: if there are no members, one is not finite, or lengths differ.
        TypeError: if a member is not a number or a sequence of numbers.

    Example:
        >>> from gymnasium.spaces import Discrete
        >>> from robust_envs.sets import Finite
        >>> gusts = Finite([[0.0, 0.0], [0.5, -0.5]])
        >>> gusts.project([0.4, -0.2])
        array([ 0.5, -0.5])
        >>> Finite([0, 2]).bind(Discrete(3)).actions
        (0, 2)
    """

    members: Sequence[float] | Sequence[Sequence[float]] | NDArray[Any]
    scale: float = field(default=1.0, kw_only=True)
    discrete: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        members = tuple(self.members) if self.policies else _check.table("members", self.members)
        self._set(members=members, scale=_check.at_least_zero("scale", self.scale))
        super().__post_init__()

    @property
    def policies(self) -> bool:
        """Whether the members are policies, for the channel ``partners``, instead of numbers."""
        return are_policies(self.members)

    @property
    def is_zero(self) -> bool:
        return self.scale == 0 or not (self.discrete or self.policies or np.any(np.asarray(self.members)))

    @property
    def monotone(self) -> bool:
        return self.is_zero

    @property
    def actions(self) -> tuple[int, ...]:
        """The members as integers, when bound to a Discrete space.

        Raises:
            ValueError: if the set is not bound to a Discrete space.
        """
        if not self.discrete:
            raise ValueError(f"actions are for a Finite bound to a Discrete space, got {self!r}")
        return tuple(int(member) for member in self._deltas[:, 0])

    def scaled(self, c: float) -> Self:
        c = _check.at_least_zero("c", c)
        if self.discrete and c not in (0.0, 1.0):
            raise ValueError(f"c must be 0 or 1 for a Finite of actions, which have no size, got c={c!r}")
        return replace(self, scale=self.scale * c)._folded(self.dim)

    def grid(self, n: int) -> NDArray[np.float64]:
        """Return n members in the order they were listed, over and over; (n, dim)."""
        self._need_dim("grid")
        return self._deltas[np.arange(_check.count("n", n)) % len(self._deltas)]

    def _folded(self, dim: int | None) -> Self:
        if dim is None or self.discrete or self.policies or self.scale == 1:
            return self
        with np.errstate(over="ignore"):  # infinity is refused by the new set
            return replace(self, members=self.scale * np.asarray(self.members), scale=1.0)

    def bind(self, space: gym.Space[Any] | int) -> Self:
        if self.policies:
            raise ValueError(f"members are policies, which stand under partners={{agent: Finite([...])}}, got {self!r}")
        return super().bind(space)

    def _bind(self, dim: int, integer: bool) -> Self:
        if self.discrete:
            raise ValueError(f"space must be Discrete for a Finite of actions, got {dim} coordinates for {self!r}")
        bound = super()._bind(dim, integer)._folded(dim)
        if integer and np.any(bound._deltas % 1):
            raise ValueError(f"members must be integers on an integer space, got members={bound.members!r}")
        return bound

    def _bind_discrete(self, space: gym.spaces.Discrete) -> Self:
        if self.scale not in (0.0, 1.0):
            raise ValueError(f"scale must be 0 or 1 on Discrete: actions have no size, got scale={self.scale!r}")
        for row in np.asarray(self.members):
            if len(row) != 1 or row[0] % 1 or not space.contains(int(row[0])):
                raise ValueError(f"members must be actions of {space}, got member {row.tolist()}")
        return replace(self, dim=1, discrete=True)

    def _check_dim(self, dim: int) -> None:
        super()._check_dim(dim)
        _check.length("members", tuple(np.asarray(self.members)[0]), dim)

    @cached_property
    def _deltas(self) -> NDArray[np.float64]:
        members = np.asarray(self.members, dtype=np.float64)
        return members if self.discrete else self.scale * members

    def _bounds(self, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._deltas.min(axis=0), self._deltas.max(axis=0)

    def _contains(self, xp: Any, x: Array, tolerance: Array) -> Array:
        members = like(xp, self._deltas, x)
        give = xp.broadcast_to(tolerance, x.shape)[..., None, :] + slack(xp, x) * xp.abs(members)
        near = xp.all(xp.abs(x[..., None, :] - members) <= give, axis=-1)
        return xp.any(near, axis=-1)

    def _project(self, xp: Any, x: Array) -> Array:
        members = like(xp, self._deltas, x)
        return members[xp.argmin(self._distance(xp, x, members), axis=-1)]

    def _worst(self, xp: Any, g: Array) -> Array:
        members = like(xp, self._deltas, g)
        return members[xp.argmin(xp.matmul(g, members.T), axis=-1)]

    def _sample(self, rng: Any, shape: tuple[int, ...], dim: int) -> Array:
        chosen = _draw.index(rng, len(self._deltas), shape)
        if isinstance(rng, np.random.Generator):
            return self._deltas[chosen]
        xp, u = as_array("sample", _draw.uniform(rng, (0,)))
        return like(xp, self._deltas, u)[chosen]

    def _fit(self, xp: Any, x: Array, low: Array, high: Array) -> Array:
        members = like(xp, self._deltas, x)
        low, high = xp.broadcast_to(low, x.shape), xp.broadcast_to(high, x.shape)
        fits = xp.all((members >= low[..., None, :]) & (members <= high[..., None, :]), axis=-1)
        if not xp.all(xp.any(fits, axis=-1)):
            raise ValueError(f"no member of {self!r} lies between low and high")
        distance = self._distance(xp, x, members)
        return members[xp.argmin(xp.where(fits, distance, xp.full_like(distance, xp.inf)), axis=-1)]

    def _distance(self, xp: Any, x: Array, members: Array) -> Array:
        return xp.sum((x[..., None, :] - members) ** 2, axis=-1)


@dataclass(frozen=True, repr=False)
class Switch(ChoiceSet):
    """Replace a discrete action, with probability at most `probability`, by any legal one.

    This set holds no deltas: it marks a Discrete action channel and carries the probability.

    Args:
        probability: in [0, 1].
        names: name of the action.
        dim: 1 once bound.

    Raises:
        ValueError: if `probability` is outside [0, 1]; on `bind`, if the space is not Discrete.
        TypeError: if `probability` is not a number.

    Example:
        >>> from gymnasium.spaces import Discrete
        >>> from robust_envs.sets import Switch
        >>> Switch(0.25).scaled(2.0).bind(Discrete(5)).probability
        0.5
    """

    probability: float

    def __post_init__(self) -> None:
        self._set(probability=_check.number("probability", self.probability, "be in [0, 1]", 0.0, 1.0))
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return self.probability == 0

    def scaled(self, c: float) -> Self:
        """Multiply the probability by `c`, up to 1."""
        return replace(self, probability=min(1.0, self.probability * _check.at_least_zero("c", c)))

    def _bind(self, dim: int, integer: bool) -> Self:
        raise ValueError(f"Switch acts on Discrete spaces only, got a space of {dim} numbers: use Linf, L1 or L2")

    def _misfit(self, space: gym.Space[Any]) -> str:
        return f"Switch cannot act on a {type(space).__name__} space: it acts on Discrete spaces only"

    def _bind_discrete(self, space: gym.spaces.Discrete) -> Self:
        return self if self.dim == 1 else replace(self, dim=1)

    def _no_deltas(self) -> TypeError:
        return TypeError(f"{self!r} holds no deltas: it says how often an action is replaced")
