"""Natures with a shape in time: a blow, a jump, a wave, a ramp, a walk.

They do not look; each follows a curve which it begins anew in every episode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from robust_envs.natures.checks import integer, number
from robust_envs.natures.move import Array, Stretch, ball, check_shrinks, size
from robust_envs.sets import Interval, Linf, UncertaintySet

__all__ = ["Drift", "Impulse", "Periodic", "RandomWalk", "Step"]


@dataclass(frozen=True, kw_only=True)
class Signal(ABC):
    """Push along one axis: strength 1 is the member furthest along it, -1 the one furthest back, 0 leaves alone.

    Args:
        axis: Where to push, shape (dim,), not all 0; the length does not matter. By default an axis is drawn in every
            episode, from nature's own stream.
    """

    axis: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.axis is None:
            return
        axis = np.asarray(self.axis, np.float64)
        if axis.ndim != 1 or not np.isfinite(axis).all() or not axis.any():
            raise ValueError(f"axis must be finite numbers, not all 0, one for each coordinate, got axis={self.axis!r}")
        object.__setattr__(self, "axis", tuple(axis.tolist()))

    @abstractmethod
    def strength(self, steps: Array) -> Array:
        """Return how hard to push at these steps of an episode, each in [-1, 1], shape of `steps`."""

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless the set holds all fractions of its members and fits the axis."""
        check_shrinks(f"{type(self).__name__}()", members)
        if self.axis is not None and len(self.axis) != members.dim:
            raise ValueError(f"axis must have {members.dim} numbers on {channel}, got axis={self.axis!r}")

    def course(self, stretch: Stretch) -> Array:
        """Return moves in a row, shape (n, dim)."""
        if "axis" not in stretch.memory:
            drawn = stretch.rng.standard_normal(size(stretch.set)) if self.axis is None else self.axis
            stretch.memory["axis"] = np.asarray(drawn, np.float64)
        axis, strength = stretch.memory["axis"], self.strength(stretch.steps)[:, None]
        forth, back = stretch.set.worst(np.stack([-axis, axis]))
        return np.asarray(np.where(strength > 0, strength * forth, -strength * back))


@final
@dataclass(frozen=True, kw_only=True)
class Impulse(Signal):
    """Hit once, with all the set allows.

    Args:
        at: Step of the episode at which the blow falls, >= 0.
        duration: How many steps it lasts, >= 1.
        axis: Where to push, shape (dim,); by default drawn in every episode.

    Raises:
        TypeError: For arguments of another kind.
        ValueError: For arguments out of range; at ``robust()``, if a fraction of a member need not be a member.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Impulse, Linf, robust
        >>> env = robust(gymnasium.make("Pendulum-v1"), action=Linf(2.0), nature=Impulse(at=1, axis=[1.0]), trace=True)
        >>> _ = env.reset(seed=0), env.step([0.0]), env.step([0.0]), env.step([0.0])
        >>> env.trace.moves["action", "agent_0"].executed.ravel().tolist()
        [0.0, 2.0, 0.0]
    """

    at: int = 0
    duration: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("at", self.at, least=0)
        integer("duration", self.duration, least=1)

    def strength(self, steps: Array) -> Array:
        return np.asarray((steps >= self.at) & (steps < self.at + self.duration), np.float64)


@final
@dataclass(frozen=True, kw_only=True)
class Step(Signal):
    """Nothing until a step of the episode, then all the set allows: a bias that appears and stays.

    Args:
        at: First step that is perturbed, >= 0.
        axis: Where to push, shape (dim,); by default drawn in every episode.

    Raises:
        TypeError: For arguments of another kind.
        ValueError: For arguments out of range; at ``robust()``, if a fraction of a member need not be a member.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Step
        >>> Step(at=2).strength(np.arange(4)).tolist()
        [0.0, 0.0, 1.0, 1.0]
    """

    at: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("at", self.at, least=0)

    def strength(self, steps: Array) -> Array:
        return np.asarray(steps >= self.at, np.float64)


@final
@dataclass(frozen=True, kw_only=True)
class Periodic(Signal):
    """Push to and fro: ``sin(2 pi (t / period + phase))``, or its sign.

    Args:
        period: Steps of one round, > 0.
        phase: Where a round begins, in rounds.
        square: Whether all the set allows is taken one way, then the other, instead of a sine.
        axis: Where to push, shape (dim,); by default drawn in every episode.

    Raises:
        TypeError: For arguments of another kind.
        ValueError: For arguments out of range; at ``robust()``, if a fraction of a member need not be a member.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Periodic
        >>> Periodic(period=4, phase=0.125, square=True).strength(np.arange(5)).tolist()
        [1.0, 1.0, -1.0, -1.0, 1.0]
    """

    period: float = 20.0
    phase: float = 0.0
    square: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        number("period", self.period, "be finite and > 0", above=0.0)
        number("phase", self.phase, "be finite")

    def strength(self, steps: Array) -> Array:
        wave = np.sin(2 * np.pi * (steps / self.period + self.phase))
        return np.asarray(np.sign(wave) if self.square else wave)


@final
@dataclass(frozen=True, kw_only=True)
class Drift(Signal):
    """Go astray: from nothing to all the set allows, evenly over some steps, and stay there.

    Args:
        over: Steps until all is reached, >= 1; the first move is ``1 / over`` of it.
        axis: Where to push, shape (dim,); by default drawn in every episode.

    Raises:
        TypeError: For arguments of another kind.
        ValueError: For arguments out of range; at ``robust()``, if a fraction of a member need not be a member.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Drift
        >>> Drift(over=4).strength(np.arange(5)).tolist()
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    over: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("over", self.over, least=1)

    def strength(self, steps: Array) -> Array:
        return np.minimum((steps + 1) / self.over, 1.0)


@final
@dataclass(frozen=True, kw_only=True)
class RandomWalk:
    """Wander: every move is the last one plus a little noise, brought back to the set where it leaves it.

    ``delta[t + 1] = project(delta[t] + step * bounds * z)`` with z standard normal in each coordinate, from 0.

    Args:
        step: Standard deviation of one step, in multiples of the set's bounds, > 0.

    Raises:
        TypeError: If `step` is not a number.
        ValueError: If it is not finite and > 0; at ``robust()``, if a fraction of a member need not be a member.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, RandomWalk, robust
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=RandomWalk(), trace=True)
        >>> _ = env.reset(seed=0), env.step(0), env.step(1)
        >>> bool(abs(env.trace.moves["observation", "agent_0"].chosen).max() <= 0.1)
        True
    """

    step: float = 0.1

    def __post_init__(self) -> None:
        number("step", self.step, "be finite and > 0", above=0.0)

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless the set holds all fractions of its members."""
        check_shrinks("RandomWalk()", members)

    def course(self, stretch: Stretch) -> Array:
        """Return moves in a row, shape (n, dim)."""
        members, bounds = stretch.set, stretch.set.bounds
        low, high = bounds.low, bounds.high
        widths = np.maximum(np.abs(low), np.abs(high))
        rows = self.step * widths * stretch.rng.standard_normal((stretch.n, len(widths)))
        here: Any = members.project(stretch.memory.get("here", np.zeros(len(widths))))
        box = isinstance(ball(members), Linf | Interval)
        for k in range(stretch.n):
            here = here + rows[k]
            here = np.minimum(np.maximum(here, low), high) if box else members.project(here)  # the same, sooner
            rows[k] = here
        stretch.memory["here"] = here
        return np.asarray(rows)
