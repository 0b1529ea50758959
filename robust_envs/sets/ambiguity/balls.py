"""Distributions near the nominal one in a norm, and parts of the simplex cut out by a box."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets._geometry import NUMPY, Array, nonzero
from robust_envs.sets.ambiguity._simplex import (
    count,
    fill,
    first,
    highest,
    level,
    lowest,
    onto_simplex,
    pour,
    total,
)
from robust_envs.sets.ambiguity.base import AmbiguitySet, DistributionBall, dirichlet, levels
from robust_envs.sets.ambiguity.srect import JointBall


class TotalVariation(DistributionBall):
    """Move at most `radius` of the mass: {p : 1/2 sum_i |p_i - nominal_i| <= radius}.

    The same set as `L1Ambiguity(2 * radius)`, and as `Wasserstein` with every distance 1.

    Args:
        radius: the mass that may move, finite, >= 0 (1 reaches every distribution); a number, or an array that
            broadcasts against the leading axes.
        support_only: whether mass stays where the nominal has some.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import TotalVariation
        >>> TotalVariation(0.2).worst_case([0.0, 1.0], [0.5, 0.5])
        (..., array([0.7, 0.3]))

    References:
        C. Ho, M. Petrik, W. Wiesemann, 2018, Fast Bellman updates for robust MDPs.
    """

    _ordinal = True

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        return transfer(xp, y, p0, level)

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.sum(xp.abs(p - p0), axis=-1) / 2

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        return _onto_l1(xp, z, p0, 2 * level, self.support_only)


class L1Ambiguity(JointBall):
    """Bound the sum of all changes: {p : sum_i |p_i - nominal_i| <= radius}.

    Named apart from `L1`, the set of deltas, because it is another set: its members are distributions.

    Args:
        radius: finite, >= 0 (2 reaches every distribution); a number or an array over the leading axes.
        support_only: whether mass stays where the nominal has some.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import L1Ambiguity
        >>> L1Ambiguity(0.4).worst_case([0.0, 1.0], [0.5, 0.5])
        (..., array([0.7, 0.3]))

    References:
        C. Ho, M. Petrik, W. Wiesemann, 2018, Fast Bellman updates for robust MDPs.
    """

    _ordinal = True

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        return transfer(xp, y, p0, level / 2)

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.sum(xp.abs(p - p0), axis=-1)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        return _onto_l1(xp, z, p0, level, self.support_only)

    def _worst_jointly(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        # One budget over all actions: everything that can move, dearest first, goes to its own action's cheapest place.
        gains = y - lowest(xp, y)
        flat = (-1, gains.shape[-1])
        room = xp.reshape(p0 * (gains > 0), flat)
        moved = xp.reshape(fill(xp, xp.reshape(-gains, flat), room, level[0] / 2), gains.shape)
        return p0 - moved + first(xp, gains == 0) * total(xp, moved)


class LinfAmbiguity(JointBall):
    """Bound every single change: {p : max_i |p_i - nominal_i| <= radius}.

    Args:
        radius: finite, >= 0 (1 reaches every distribution); a number or an array over the leading axes.
        support_only: whether mass stays where the nominal has some.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import LinfAmbiguity
        >>> LinfAmbiguity(0.1).worst_case([0.0, 1.0, 2.0], [0.25, 0.5, 0.25])
        (..., array([0.35, 0.5 , 0.15]))

    References:
        R. Givan, S. Leach, T. Dean, 2000, Bounded-parameter Markov decision processes.
    """

    _ordinal = True

    def _limits(self, xp: Any, p0: Array, level: Array) -> tuple[Array, Array]:
        low = xp.maximum(p0 - level, xp.zeros_like(p0))
        high = xp.minimum(p0 + level, xp.ones_like(p0))
        return low, xp.where(p0 > 0, high, xp.zeros_like(p0)) if self.support_only else high

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        low, high = self._limits(xp, p0, level)
        return low + fill(xp, y, high - low, total(xp, p0 - low))

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.max(xp.abs(p - p0), axis=-1)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        return _onto_box(xp, z, *self._limits(xp, p0, level))

    def _worst_jointly(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        return self._worst(xp, y, p0, level)  # a bound on every entry couples nothing


class Contamination(DistributionBall):
    """Let an unknown distribution take over with a known probability: {(1 - radius) nominal + radius q : any q}.

    Args:
        radius: probability of contamination, in [0, 1]; a number or an array over the leading axes.
        support_only: whether q stays where the nominal has mass.

    Raises:
        ValueError: if `radius` is outside [0, 1].
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import Contamination
        >>> Contamination(0.1).worst_case([0.0, 1.0], [0.5, 0.5])
        (..., array([0.55, 0.45]))

    References:
        P. Huber, 1964, Robust estimation of a location parameter; Y. Wang, S. Zou, 2021, Online robust
        reinforcement learning with model uncertainty.
    """

    _ordinal = True

    def _rule(self) -> tuple[str, float, float]:
        return "be in [0, 1]", 0.0, 1.0

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        return (1 - level) * p0 + evenly(xp, y == lowest(xp, y), level, p0)

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.max(xp.where(p0 > 0, 1 - p / nonzero(xp, p0), xp.zeros_like(p)), axis=-1)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        z = (z - (1 - level) * p0) / nonzero(xp, level)
        return (1 - level) * p0 + level * _on_support(xp, z, p0 > 0 if self.support_only else p0 >= 0)

    def _sample(self, xp: Any, rng: Any, p0: Array, level: Array) -> Array:
        on = p0 > 0 if self.support_only else p0 >= 0
        return (1 - level) * p0 + level * dirichlet(xp, rng, p0, on)


@dataclass(frozen=True, repr=False)
class CVaR(AmbiguitySet):
    """Take the mean of the worst part: {p : p <= nominal / alpha}, whose worst case is the lower-tail CVaR.

    Args:
        alpha: size of the tail, in (0, 1]: 1 is the plain mean; a number or an array over the leading axes.

    Raises:
        ValueError: if `alpha` is outside (0, 1].
        TypeError: if `alpha` is not made of numbers.

    Example:
        >>> from robust_envs.sets import CVaR
        >>> value, p = CVaR(0.5).worst_case([0.0, 1.0, 2.0], [0.25, 0.25, 0.5])
        >>> float(value), p
        (0.5, array([0.5, 0.5, 0. ]))

    References:
        R. Rockafellar, S. Uryasev, 2000, Optimization of conditional value-at-risk.
    """

    alpha: Any
    support_only: bool = field(default=True, init=False, repr=False, kw_only=True)
    _continuous = True
    _ordinal = True

    def __post_init__(self) -> None:
        smallest = np.finfo(np.float64).tiny
        object.__setattr__(self, "alpha", levels("alpha", self.alpha, "be in (0, 1]", smallest, 1.0))

    @cached_property
    def _level(self) -> float | NDArray[np.float64]:
        return 1 / self.alpha - 1 if isinstance(self.alpha, float) else 1 / np.asarray(self.alpha) - 1

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        return fill(xp, y, p0 * (1 + level), total(xp, p0))

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.max(xp.where(p0 > 0, p / nonzero(xp, p0), xp.zeros_like(p)), axis=-1) - 1

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        return _onto_box(xp, z, xp.zeros_like(p0), p0 * (1 + level))


def transfer(xp: Any, y: Array, p0: Array, mass: Array) -> Array:
    """Move `mass` from the dearest places to the cheapest, which share it evenly."""
    least, whole = lowest(xp, y), total(xp, p0)
    mass = xp.minimum(mass, whole)
    return pour(xp, y, least, p0, whole - mass) + evenly(xp, y == least, mass, p0)


def evenly(xp: Any, places: Array, mass: Array, p0: Array) -> Array:
    """Spread mass evenly over the marked places."""
    if xp is NUMPY and np.count_nonzero(places) == mass.size:
        return places * mass  # one place each
    return places * (mass / count(xp, places, p0))


def _onto_box(xp: Any, z: Array, low: Array, high: Array) -> Array:
    """Project on the part of the simplex between two corners: clip z + shift, with the shift that makes the sum 1."""

    def member(shift: Array) -> Array:
        return xp.minimum(xp.maximum(z + shift, low), high)

    return level(xp, member, lowest(xp, low - z), highest(xp, high - z))


def _onto_l1(xp: Any, z: Array, p0: Array, radius: Array, support_only: bool) -> Array:
    """Project on the L1 ball in the simplex.

    Where the ball is in the way, places gain half the radius together, each (gap + a)_+, and lose the other half, each
    (-gap - b)_+ but no more than they have: two separate searches, for a and for b.
    """
    kept = p0 > 0 if support_only else p0 >= 0
    free = _on_support(xp, z, kept)
    gap, half, none = z - p0, nonzero(xp, radius / 2), xp.zeros_like(z)
    gained = half * _on_support(xp, gap / half, kept)

    def lost(shift: Array) -> Array:
        return xp.minimum(xp.maximum(shift - gap, none), p0) / half

    far = total(xp, xp.abs(free - p0)) > radius
    near = p0 + gained - half * level(xp, lost, lowest(xp, gap), highest(xp, gap + p0))
    near = xp.where(radius > 0, xp.maximum(near, none), p0)
    return xp.where(far, near, free)


def _on_support(xp: Any, z: Array, kept: Array) -> Array:
    """Project on the simplex over the places that are kept."""
    far = highest(xp, xp.where(kept, z, xp.full_like(z, -xp.inf))) - 2
    return xp.where(kept, onto_simplex(xp, xp.where(kept, z, far)), xp.zeros_like(z))
