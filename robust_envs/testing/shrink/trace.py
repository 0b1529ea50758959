"""Shrink a list of perturbed moves by delta debugging: steps, then coordinates and agents, then sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from robust_envs.testing.counterexample import PerturbedStep
from robust_envs.testing.shrink.budget import Judge, patiently

__all__ = ["Shrunk", "shrink_steps"]


@dataclass(frozen=True)
class Shrunk:
    """What is left of a list of perturbed moves.

    Attributes:
        steps: The moves.
        one_minimal: Whether leaving out any single step, or any single number, is known to mend the episode.
        episodes: How many were played.
        from_steps: How many steps were perturbed before.
    """

    steps: tuple[PerturbedStep, ...]
    one_minimal: bool
    episodes: int
    from_steps: int

    @property
    def size(self) -> tuple[bool, int, int]:
        """What makes one better than another: 1-minimal, in fewer steps, with fewer numbers."""
        numbers = sum(1 for step in self.steps for number in step.integers if number)
        return not self.one_minimal, len({step.t for step in self.steps}), numbers


def shrink_steps(
    steps: Sequence[PerturbedStep],
    judge: Judge,
    nature: Callable[[Sequence[PerturbedStep]], Any],
    *,
    named: Collection[tuple[str, str]] = (),
    forwards: bool = False,
) -> Shrunk:
    """Leave out what is not needed for the violation.

    Args:
        steps: Perturbed moves that violate the property.
        judge: From a nature to its margin; bounds the episodes.
        nature: Makes the nature that plays a list of moves.
        named: (channel, agent) where integers name a choice or a member: they go whole and are never made smaller.
        forwards: Whether the first moves are tried first, not the last.

    Returns:
        The shortest list found; the one before where the budget ends or somebody interrupts.

    References:
        Andreas Zeller, Ralf Hildebrandt, 2002, Simplifying and Isolating Failure-Inducing Input.
    """
    state = _State(tuple(steps), judge, nature, frozenset(named), forwards)
    before = len({step.t for step in steps})
    minimal = False
    with patiently():
        _leave_out(state, _by_time, chunk=max(1, before // 2))
        _leave_out(state, _by_row, chunk=max(1, len(_by_row(state)) // 2))
        _leave_out(state, _cells, chunk=max(1, len(_cells(state)) // 8))
        _scale(state)
        while _leave_out(state, _cells, chunk=1) or _leave_out(state, _by_time, chunk=1):
            pass
        minimal = True
    return Shrunk(state.steps, minimal, judge.used, before)


class _State:
    """The shortest list that violates so far."""

    def __init__(
        self,
        steps: tuple[PerturbedStep, ...],
        judge: Judge,
        nature: Callable[[Sequence[PerturbedStep]], Any],
        named: frozenset[tuple[str, str]],
        forwards: bool,
    ) -> None:
        self.steps, self.judge, self.nature, self.named, self.forwards = steps, judge, nature, named, forwards
        self._tried: dict[tuple[PerturbedStep, ...], bool] = {}

    def accept(self, steps: Sequence[PerturbedStep]) -> bool:
        """Keep a list if it violates."""
        key = tuple(steps)
        if key not in self._tried:
            self._tried[key] = self.judge(self.nature(key)) < 0
        if self._tried[key]:
            self.steps = key
        return self._tried[key]


def _by_time(state: _State) -> list[tuple[Any, ...]]:
    return [(t,) for t in sorted({step.t for step in state.steps})]


def _by_row(state: _State) -> list[tuple[Any, ...]]:
    """List the numbers that move, whenever they do."""
    rows = {
        (None, agent, channel, k)
        for _, agent, channel, integers in state.steps
        if (channel, agent) not in state.named
        for k, number in enumerate(integers)
        if number != 0
    }
    return sorted(rows, key=lambda row: row[1:])


def _cells(state: _State) -> list[tuple[Any, ...]]:
    cells: list[tuple[Any, ...]] = []
    for t, agent, channel, integers in state.steps:
        if (channel, agent) in state.named:
            cells.append((t, agent, channel))
        else:
            cells += [(t, agent, channel, k) for k, number in enumerate(integers) if number != 0]
    return cells


def _leave_out(state: _State, units: Callable[[_State], list[tuple[Any, ...]]], *, chunk: int) -> bool:
    """Leave out stretches of units, long ones first, from the end backwards or forwards; tell whether anything went."""
    changed = False
    while chunk >= 1:
        kept = 0  # units that were tried and have to stay
        while (left := len(found := units(state)) - kept) > 0:
            size = min(chunk, left)
            start = kept if state.forwards else left - size
            if state.accept(_without(state, set(found[start : start + size]))):
                changed = True
            else:
                kept += size
        chunk = chunk // 2
    return changed


def _without(state: _State, gone: set[tuple[Any, ...]]) -> list[PerturbedStep]:
    """Make some units nominal: whole times, whole moves, numbers at all times, or at one."""
    kept = []
    for step in state.steps:
        t, agent, channel, integers = step
        if (t,) in gone or (t, agent, channel) in gone:
            continue
        numbers = tuple(
            0 if gone & {(t, agent, channel, k), (None, agent, channel, k)} else number
            for k, number in enumerate(integers)
        )
        if any(numbers) or (channel, agent) in state.named:
            kept.append(step._replace(integers=numbers))
    return kept


def _scale(state: _State) -> None:
    """Bring all numbers down by one common factor, as far as the violation lasts."""
    full, low, high = state.steps, 0, 64
    if any((step.channel, step.agent) not in state.named for step in full):
        while high - low > 1:
            middle = (low + high) // 2
            if state.accept(_scaled(full, middle / 64, state.named)):
                high = middle
            else:
                low = middle


def _scaled(steps: Sequence[PerturbedStep], factor: float, named: frozenset[tuple[str, str]]) -> list[PerturbedStep]:
    return [
        step
        if (step.channel, step.agent) in named
        else step._replace(integers=tuple(int(factor * number) for number in step.integers))
        for step in steps
    ]
