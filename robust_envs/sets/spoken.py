"""Sets on messages: on what an agent says, or on what it hears."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from robust_envs.sets import _check
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.choices import coordinates
from robust_envs.sets.wrapping import Wrapping


@dataclass(frozen=True, repr=False)
class Spoken(Wrapping):
    """Say which numbers of an action or an observation are a message; `said` and `heard` are the functions to call.

    Args:
        inner: The set of what may happen to the message.
        side: ``"said"`` or ``"heard"``.
        at: The coordinates of the message.
        base: Of a Discrete action: the message is ``action // base``.
        words: What `Switch` may put in place of a message.
    """

    inner: UncertaintySet
    side: str = field(default="said", kw_only=True)
    at: Any = field(default=None, kw_only=True)
    base: int | None = field(default=None, kw_only=True)
    words: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.inner, UncertaintySet):
            raise TypeError(f"{self.side} must hold an uncertainty set, got inner={self.inner!r}")
        if isinstance(self.inner, Spoken):
            raise ValueError(f"{self.side} cannot hold a set on messages, got inner={self.inner!r}")
        object.__setattr__(self, "at", coordinates(self.at))
        if self.base is not None:
            object.__setattr__(self, "base", _check.count("base", self.base))
        if self.words is not None:
            object.__setattr__(self, "words", _check.table("words", self.words))

    def __repr__(self) -> str:
        options = [("at", self.at), ("base", self.base), ("words", self.words)]
        shown = [repr(self.inner), *(f"{name}={value!r}" for name, value in options if value is not None)]
        return f"{self.side}({', '.join(shown)})"


def said(inner: UncertaintySet, *, at: Any = None, base: int | None = None, words: Any = None) -> Spoken:
    """Perturb what an agent says: the message in its action, which all who listen then hear.

    Args:
        inner: What may happen to the message. On numbers a set of deltas (noise), `Switch` (another word) or `Dropout`
            (erasure); on Discrete actions `Switch` or `Finite`.
        at: Coordinates of the message in a Box action: indices, a slice, or a function from the action space to either.
        base: Of a Discrete action: the message is ``action // base``, the rest of the action stays (1: all of it is).
        words: What `Switch` may put in place of a message of numbers, (K, dim); by default one 1 among zeros.

    Returns:
        The set, for ``message=`` of `robust`. For the tasks of mpe2 `at` and `base` are known, and may be left out.

    Raises:
        TypeError: If `inner` is not a set, or `at` names no coordinates.

    Example:
        >>> from robust_envs.sets import Switch
        >>> from robust_envs.sets.spoken import said
        >>> said(Switch(0.2), base=5)
        said(Switch(0.2), base=5)
    """
    return Spoken(inner, side="said", at=at, base=base, words=words)


def heard(inner: UncertaintySet, *, at: Any = None, words: Any = None) -> Spoken:
    """Perturb what an agent hears: the messages in its observation, for this listener only.

    Args:
        inner: What may happen to the message: a set of deltas (noise), `Switch` (another word) or `Dropout` (erasure).
        at: Coordinates of the message in the observation: indices, a slice, or a function from the observation space to
            either.
        words: What `Switch` may put in place of a message, (K, dim); by default one 1 among zeros.

    Returns:
        The set, for ``message=`` of `robust`. For the tasks of mpe2 `at` is known, and may be left out.

    Raises:
        TypeError: If `inner` is not a set, or `at` names no coordinates.

    Example:
        >>> from robust_envs.sets import Linf
        >>> from robust_envs.sets.spoken import heard
        >>> heard(Linf(0.3), at=slice(8, 11))
        heard(Linf(0.3), at=slice(8, 11, None))
    """
    return Spoken(inner, side="heard", at=at, words=words)
