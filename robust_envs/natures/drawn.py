"""Natures that draw: nothing, uniform, Gaussian, and the worst case where its direction is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robust_envs.natures.move import Array, ball, must_plan, plan_message, size
from robust_envs.sets import L2, Interval, Linf, UncertaintySet

__all__ = ["Noise", "Nominal", "Uniform", "WorstCase"]


@dataclass(frozen=True)
class Nominal:
    """Leave everything as it is: delta 0, or the member nearest to 0 where the set does not hold 0.

    Example:
        >>> from robust_envs import Linf, Nominal
        >>> Nominal().block(Linf(0.5).bind(2), None, 1)
        array([[0., 0.]])
    """

    def block(self, members: UncertaintySet, rng: np.random.Generator | None, n: int) -> Array:
        """Return n equal rows, shape (n, dim)."""
        return np.tile(members.project(np.zeros(size(members))), (n, 1))


@dataclass(frozen=True)
class Uniform:
    """Draw uniformly from the set, afresh at every move.

    On a discrete space: uniformly from the choices (with `Finite`, "leave it" is one of them). On a Box of integers:
    uniformly from the integers of `Linf` and `Interval`; draws from other sets are rounded towards the nominal value.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Linf, Uniform
        >>> Uniform().block(Linf(0.5).bind(2), np.random.default_rng(0), 3).shape
        (3, 2)
    """

    spreads = True  # over whole numbers, where only these can be moved

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise where an episode must be planned and its length is not known."""
        if must_plan(members):
            raise ValueError(plan_message("Uniform", members))

    def block(self, members: UncertaintySet, rng: np.random.Generator, n: int) -> Array:
        """Draw n moves, shape (n, dim)."""
        return np.asarray(members.sample(rng, (n,)))


@dataclass(frozen=True)
class Noise:
    """Draw truncated Gaussian noise: standard deviation radius / `cut` in each coordinate, cut off at the radius.

    With ``cut=2`` it is the reward noise of Zhang et al. (2020): at level lambda, ``r + lambda * z`` with z standard
    normal within [-2, 2] is ``robust(env, reward=Linf(2 * lambda), nature=Noise())``. On a Box of integers draws are
    rounded towards the nominal value.

    Args:
        cut: Where the Gaussian is truncated, in standard deviations, > 0.

    Raises:
        TypeError: If `cut` is not a number.
        ValueError: If `cut` is not finite and > 0; at ``robust()``, if the set is not `Linf` or `Interval`.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Linf, Noise
        >>> bool(abs(Noise().block(Linf(2.0).bind(1), np.random.default_rng(0), 1000)).max() <= 2.0)
        True

    References:
        Zhang et al. (2020), Robust Multi-Agent Reinforcement Learning with Model Uncertainty, section 5.
    """

    cut: float = 2.0

    def __post_init__(self) -> None:
        if isinstance(self.cut, bool) or not isinstance(self.cut, int | float | np.integer | np.floating):
            raise TypeError(f"cut must be a number, got cut={self.cut!r}")
        if not (np.isfinite(self.cut) and self.cut > 0):
            raise ValueError(f"cut must be finite and > 0, got cut={self.cut}")

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless the set is a product of intervals."""
        if not isinstance(ball(members), Linf | Interval):
            raise ValueError(
                f"Noise() draws each coordinate on its own: the set must be Linf or Interval, got {members}"
            )

    def block(self, members: UncertaintySet, rng: np.random.Generator, n: int) -> Array:
        """Draw n moves, shape (n, dim)."""
        low, high = members.bounds.low, members.bounds.high
        z = _truncated_normal(rng, self.cut, n * size(members)).reshape(n, -1)
        return np.asarray(np.clip((low + high) / 2 + z * ((high - low) / (2 * self.cut)), low, high))


def _truncated_normal(rng: np.random.Generator, cut: float, n: int) -> Array:
    """Draw standard normals within [-cut, cut] by rejection from the normal (wide cut) or the uniform (narrow cut)."""
    kept: list[Array] = []
    while (missing := n - sum(map(len, kept))) > 0:
        if cut > 1.25:
            z = rng.standard_normal(missing + missing // 8 + 8)
            kept.append(z[np.abs(z) <= cut])
        else:
            z = rng.uniform(-cut, cut, missing)
            kept.append(z[rng.random(missing) <= np.exp(-z * z / 2)])
    return np.concatenate(kept)[:n] if kept else np.zeros(0)


@dataclass(frozen=True)
class WorstCase:
    """Choose the member of the set that is worst for the agent, where the direction is known: rewards.

    Solves ``min <1, delta>`` over the set: minus the radius for one agent, spread over the agents for a `joint` set.
    The worst observation or action depends on the policy; a trained adversary (`AsAgents`, `Policy`) looks for it.

    Example:
        >>> from robust_envs import L2, WorstCase, joint
        >>> WorstCase().block(L2(0.5).bind(1), None, 1)
        array([[-0.5]])
    """

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise where no direction is known."""
        if channel != "reward":
            raise ValueError(
                f"WorstCase() knows the worst direction of a reward only, got channel {channel!r}: "
                "follow a gradient with GradientAttack(), train an adversary with AsAgents(), or write a function"
            )
        if isinstance(ball(members), L2) and must_plan(members):
            raise ValueError(plan_message("WorstCase", members))

    def block(self, members: UncertaintySet, rng: np.random.Generator | None, n: int) -> Array:
        """Return n equal rows, shape (n, dim)."""
        return np.tile(np.asarray(members.worst(np.ones(size(members)))), (n, 1))
