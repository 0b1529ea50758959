"""When nature may move: a schedule around any nature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, final

import numpy as np

from robust_envs.natures.checks import fraction, integer
from robust_envs.natures.mixing import check_part, check_plans
from robust_envs.natures.move import Array, Cue, Stretch, check_rests, check_shrinks, draw_rows
from robust_envs.sets import Switch, UncertaintySet

__all__ = ["Scheduled", "scheduled"]


def scheduled(
    nature: Any,
    *,
    start: int = 0,
    stop: int | None = None,
    every: int = 1,
    probability: float = 1.0,
    duration: int = 1,
    budget: int | None = None,
    curriculum: Sequence[tuple[int, float]] | None = None,
) -> Scheduled:
    """Say when a nature may move; at other times values are left as they are, bit for bit.

    Steps count this nature's own moves from the beginning of the episode. From step `start` on, a burst begins every
    `every` steps with some probability and lasts `duration` steps; one that begins while another lasts prolongs it.
    With the defaults nature always moves.

    Args:
        nature: Who moves; any nature but `Replay`. `AsAgents` and `Policy` too.
        start: First step, >= 0.
        stop: Step from which on nature rests, > `start`; ``None``: never.
        every: Steps between the beginnings of bursts, >= 1.
        probability: Of a burst to begin when it could, in [0, 1], drawn from a stream of nature's own.
        duration: Steps of a burst, >= 1.
        budget: Most moves that change something, in an episode, >= 0; ``None``: no limit. Moves on which nature
            chooses to change nothing are free.
        curriculum: Pairs (episode, factor): the set is scaled by the factor, in [0, 1], drawn straight between the
            episodes named. Episodes are counted from the making of the environment, whatever they are seeded with.

    Returns:
        A nature.

    Raises:
        TypeError: For arguments of another kind.
        ValueError: For arguments out of range; at ``robust()``, if the set does not hold 0 (nature could not rest),
            cannot be scaled (`curriculum`), or `nature` does not fit.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, Uniform, robust, scheduled
        >>> late = scheduled(Uniform(), start=2, every=2)
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=late, trace=True)
        >>> _ = env.reset(seed=0), env.step(0), env.step(1), env.step(0), env.step(1)
        >>> env.trace.moves["observation", "agent_0"].executed.any(axis=1).tolist()
        [False, False, True, False, True]

    References:
        Lei Yuan et al. (2023), Robust Multi-agent Coordination via Evolutionary Generation of Auxiliary Adversarial
        Attackers, section 3: at most K attacks an episode (`budget`).
    """
    return Scheduled(
        nature,
        start=start,
        stop=stop,
        every=every,
        probability=probability,
        duration=duration,
        budget=budget,
        curriculum=curriculum,
    )


@final
@dataclass(frozen=True, repr=False)
class Scheduled:
    """A nature that moves at times; made by `scheduled`, which documents the arguments.

    Example:
        >>> from robust_envs import Uniform, scheduled
        >>> scheduled(Uniform(), stop=5)
        scheduled(Uniform(), stop=5)
    """

    nature: Any
    start: int = field(default=0, kw_only=True)
    stop: int | None = field(default=None, kw_only=True)
    every: int = field(default=1, kw_only=True)
    probability: float = field(default=1.0, kw_only=True)
    duration: int = field(default=1, kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    curriculum: Sequence[tuple[int, float]] | None = field(default=None, kw_only=True)

    looks = False

    def __post_init__(self) -> None:
        check_part("nature", self.nature)
        integer("start", self.start, least=0)
        if self.stop is not None:
            integer("stop", self.stop, least=self.start + 1)
        integer("every", self.every, least=1)
        integer("duration", self.duration, least=1)
        fraction("probability", self.probability)
        if self.budget is not None:
            integer("budget", self.budget, least=0)
        if self.curriculum is not None:
            object.__setattr__(self, "curriculum", _checked_curriculum(self.curriculum))

    @property
    def parts(self) -> tuple[Any, ...]:
        """The natures this one is made of."""
        return (self.nature,)

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless nature can rest, and the set can be scaled where it must be."""
        check_rests("scheduled()", members)
        check_plans("scheduled()", self.nature, members)
        if self.curriculum is not None and not isinstance(members, Switch):
            check_shrinks("scheduled(curriculum=...)", members)

    def pick(self, stretch: Stretch) -> Cue | None:
        """Say who makes the next move, if anybody."""
        on = bool(self._on(stretch)[0])
        if not on or (self.budget is not None and stretch.memory.get("moved", 0) >= self.budget):
            return None
        counts = () if self.budget is None else (stretch.memory,)
        return Cue(self.nature, self._within(stretch), counts=counts)

    def course(self, stretch: Stretch) -> Array:
        """Return moves in a row, shape (n, dim)."""
        rows = np.where(self._on(stretch)[:, None], draw_rows(self.nature, self._within(stretch)), 0.0)
        if self.budget is not None:
            moved = np.cumsum(rows.any(axis=1)) + stretch.memory.get("moved", 0)
            rows[moved > self.budget] = 0.0
            stretch.memory["moved"] = min(int(moved[-1]), self.budget)
        return np.asarray(rows)

    def _within(self, stretch: Stretch) -> Stretch:
        """The moves as the nature inside sees them: from the set of this episode."""
        inside = stretch.of_part(0)
        if self.curriculum is None:
            return inside
        episodes, factors = zip(*self.curriculum, strict=True)
        return inside._replace(set=inside.set.scaled(float(np.interp(stretch.episode, episodes, factors))))

    def _on(self, stretch: Stretch) -> Array:
        """Tell at which of these moves nature acts, shape (n,)."""
        steps, memory = stretch.steps, stretch.memory
        begins = (steps >= self.start) & ((steps - self.start) % self.every == 0)
        if self.probability < 1:
            begins &= stretch.coins.random(stretch.n) < self.probability
        begun = np.maximum.accumulate(np.where(begins, steps, memory.get("begun", -self.duration)))
        memory["begun"] = int(begun[-1])
        return (steps - begun < self.duration) & (steps < (np.inf if self.stop is None else self.stop))

    def __repr__(self) -> str:
        shown = [repr(self.nature)]
        for option in fields(self)[1:]:
            value = getattr(self, option.name)
            if value != option.default:
                shown.append(f"{option.name}={value!r}")
        return f"scheduled({', '.join(shown)})"


def _checked_curriculum(given: Any) -> tuple[tuple[int, float], ...]:
    try:
        pairs = tuple((integer("curriculum", k, least=0), fraction("curriculum", factor)) for k, factor in given)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"curriculum must be pairs (episode >= 0, factor in [0, 1]), got curriculum={given!r}"
        ) from error
    episodes = [k for k, _ in pairs]
    if not pairs or episodes != sorted(set(episodes)):
        raise ValueError(f"curriculum must name at least one episode, in ascending order, got curriculum={given!r}")
    return pairs
