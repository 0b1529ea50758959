"""Sets of choices that a channel makes of what the user lists: words, and policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import gymnasium as gym

from robust_envs.sets import _check
from robust_envs.sets.choices import MenuSet


@dataclass(frozen=True, repr=False)
class Words(MenuSet):
    """Put, with at most some probability, another of the known words in place of a message.

    Args:
        probability: In [0, 1].
        words: What a message may be replaced by, (K, dim).
    """

    probability: float
    words: tuple[tuple[float, ...], ...]

    _channel = "message"
    each = "move"

    def __post_init__(self) -> None:
        self._set(probability=_check.number("probability", self.probability, "be in [0, 1]", 0.0, 1.0))
        self._set(words=_check.table("words", self.words))
        super().__post_init__()

    @property
    def is_zero(self) -> bool:
        return self.probability == 0

    @property
    def radius(self) -> float:
        """The probability."""
        return self.probability

    def with_radius(self, radius: float) -> Self:
        """Return the set with another probability."""
        return replace(self, probability=radius)

    def scaled(self, c: float) -> Self:
        return replace(self, probability=min(1.0, self.probability * _check.at_least_zero("c", c)))

    def choices(self, space: gym.spaces.Discrete) -> list[int]:
        return list(range(1, 1 + len(self.words)))


@dataclass(frozen=True, repr=False)
class Policies(MenuSet):
    """Let one of several policies act for an agent.

    Args:
        members: The policies, at least one.
        each: ``"episode"`` or ``"move"``: how often nature picks.
        on: Whether nature may pick at all.
    """

    members: tuple[Any, ...]
    each: str = field(default="episode", kw_only=True)
    on: bool = field(default=True, kw_only=True)

    _channel = "partners"

    @property
    def is_zero(self) -> bool:
        return not self.on

    def scaled(self, c: float) -> Self:
        """Policies have no size: 0 switches them off, anything else leaves them."""
        return replace(self, on=self.on and _check.at_least_zero("c", c) > 0)

    def choices(self, space: gym.spaces.Discrete) -> list[int]:
        return list(range(1, 1 + len(self.members)))


def are_policies(members: Any) -> bool:
    """Tell whether a sequence lists policies rather than numbers."""
    listed = isinstance(members, Sequence) and not isinstance(members, str) and len(members) > 0
    return listed and all(callable(member) or hasattr(member, "predict") for member in members)
