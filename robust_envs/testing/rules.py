"""Closed-loop rules of nature: what to do as a function of what the agent truly sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robust_envs.natures import Move
from robust_envs.natures.move import is_choice
from robust_envs.sets import Finite, Interval, Linf, UncertaintySet

__all__ = ["Feedback", "Key", "RuleNature", "Window", "nothing"]

Array = np.ndarray[Any, np.dtype[Any]]
Key = tuple[str, Any]
"""(channel, agent), where agent is a tuple of ids for a nature that covers several."""

ALWAYS = 2**31


def nothing(move: Move) -> Any:
    """Leave the move nominal, or as near to it as the set allows."""
    if is_choice(move):
        return move.nominal
    members = move.set
    zeros = np.zeros(len(move.nominal))
    return zeros if members.monotone else members.project(zeros)


@dataclass(frozen=True)
class Window:
    r"""Say when a rule acts, and how much of a budget over the episode it may use at each of these steps.

    Args:
        start: First step.
        length: Number of steps.
        share: Factor on what the set allows: 1 for sets that stand afresh at each step; for a budget
            \(1 / n\) (L1) or \(1 / \sqrt{n}\) (L2), so that it lasts for the n steps of the window.
    """

    start: int = 0
    length: int = ALWAYS
    share: float = 1.0

    def __contains__(self, step: int) -> bool:
        return self.start <= step < self.start + self.length


class Feedback:
    r"""Answer each move with a member of the set in direction \(W (s, 1)\), where s is what nature sees.

    On a box of deltas, coordinate by coordinate: ``sign`` goes to the border (\(\delta_i = r_i\,\mathrm{sign}(g_i)\)),
    ``tanh`` part of the way (\(\delta_i = r_i \tanh(g_i)\)). On other sets ``sign`` takes the extreme member in that
    direction and ``tanh`` projects. On discrete choices: the legal choice with the largest score; ties leave it.

    Args:
        weights: W, shape (dim, n + 1); for choices a row for each.
        members: The bound set.
        squash: ``"sign"`` or ``"tanh"``.
        look: Gives s, shape (n,), in place of ``move.seen``.
        window: When it acts.
        first: Number of the first choice.
        reach: Factor on every answer, for play in larger sets.
        fixed: Whether the set is the same from every start; parameters and states may have other nominal values.
    """

    def __init__(
        self,
        weights: Array,
        members: UncertaintySet,
        *,
        squash: str = "sign",
        look: Callable[[], Array] | None = None,
        window: Window | None = None,
        first: int = 0,
        reach: float = 1.0,
        fixed: bool = True,
    ) -> None:
        self.weights, self.squash, self.look, self.reach = weights, squash, look, reach
        self.window = window or Window()
        self.first, self.fixed = first, fixed
        self._matrix, self._bias = np.ascontiguousarray(weights[:, :-1]), np.ascontiguousarray(weights[:, -1])
        self._choice = isinstance(members, Finite) and members.discrete
        self._settle(members)

    def _settle(self, members: UncertaintySet) -> None:
        """Derive what follows from the set."""
        self.members = members
        self._box = isinstance(members, Linf | Interval) and members.monotone
        if not self._choice:
            self._low, self._high = self.reach * members.bounds.low, self.reach * members.bounds.high
            self._half = (self._high - self._low) / 2
            self._even = bool((self._high == -self._low).all())

    def __call__(self, move: Move) -> Any:
        if not self.window.start <= move.step < self.window.start + self.window.length:
            return nothing(move)
        seen = move.seen if self.look is None else self.look()
        drive = self._matrix @ seen + self._bias
        if self._choice:
            return self._chosen(drive, move)
        if not self.fixed and move.set is not self.members:
            self._settle(move.set)
        if self._box and self.window.share == 1.0:
            return self._in_box(drive)
        return self._anywhere(drive, move.set)

    def _in_box(self, drive: Array) -> Array:
        squashed = np.sign(drive) if self.squash == "sign" else np.tanh(drive)
        if self._even:
            return np.asarray(self._high * squashed)
        return np.asarray(np.where(squashed > 0, self._high, -self._low) * squashed)

    def _anywhere(self, drive: Array, allowed: UncertaintySet) -> Array:
        if not drive.any():
            return np.asarray(allowed.project(np.zeros(len(drive))))
        if self.squash == "sign":
            target = self.reach * self.members.worst(-drive)
            target = np.where(drive == 0, 0.0, target) if self._box else target
        else:
            target = (self._low + self._high) / 2 + self._half * np.tanh(drive)
        return np.asarray(allowed.project(self.window.share * target))

    def _chosen(self, drive: Array, move: Move) -> Array:
        nominal = int(move.nominal[0])
        best, choice = 0.0, nominal
        for option in np.asarray(move.set.members, np.int64).reshape(-1):  # type: ignore[attr-defined]
            score = drive[option - self.first] - drive[nominal - self.first]
            if score > best:
                best, choice = score, int(option)
        return np.array([choice])


class RuleNature:
    """Play a rule at each place; leave all other moves nominal.

    Args:
        parts: Rule by (channel, agent).
        reach: Factor on the sets it is to be played in; beyond 1 it finds nothing, but shows a search where to look.
    """

    def __init__(self, parts: Mapping[Key, Callable[[Move], Any]], *, reach: float = 1.0) -> None:
        self.parts, self.reach = dict(parts), reach

    def __call__(self, move: Move) -> Any:
        part = self.parts.get((move.channel, move.agent))
        return nothing(move) if part is None else part(move)
