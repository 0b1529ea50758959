"""A budget for the whole episode."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check
from robust_envs.sets._geometry import NUMPY, Array, like
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.joint import Joint
from robust_envs.sets.norms import L1, L2, Ball, Linf
from robust_envs.sets.wrapping import Wrapping


@dataclass(frozen=True, repr=False)
class PerEpisode(Wrapping):
    """Bound the norm of the whole episode's deltas stacked into one vector, instead of each step's.

    L1 adds the steps' norms, L2 their squares, Linf takes the largest. `per_episode` is the function to call.
    As a set (`contains`, `project`, ...) it speaks of one step with nothing spent; `allowed` is what a step may
    do after others. A budget is counted in floats from 0: `spent = budget.spend(spent, delta)`.

    Args:
        inner: `L1`, `L2` or `Linf`.
        horizon: number of steps, > 0, for natures that must plan; None if unknown.

    Raises:
        ValueError: if `inner` is another set.
        TypeError: if `inner` is not a set or `horizon` is not an int.

    Example:
        >>> from robust_envs.sets import L2, PerEpisode
        >>> budget = PerEpisode(L2(5.0)).bind(2)
        >>> spent = budget.spend(0.0, np.array([3.0, 0.0]))
        >>> spent, budget.allowed(spent)
        (9.0, L2(4.0, dim=2))
    """

    inner: UncertaintySet
    horizon: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.inner, UncertaintySet):
            raise TypeError(f"per_episode must hold an uncertainty set, got inner={self.inner!r}")
        if not isinstance(self.inner, L1 | L2 | Linf):
            raise ValueError(f"per_episode must hold L1, L2 or Linf, got inner={self.inner!r}")
        if self.horizon is not None:
            object.__setattr__(self, "horizon", _check.count("horizon", self.horizon))

    @property
    def ball(self) -> Ball:
        """The set inside."""
        assert isinstance(self.inner, Ball)
        return self.inner

    def spend(self, spent: Any, delta: Any) -> Any:
        """Return what is spent after one more step.

        Args:
            spent: (...,) or a float, what was spent before; 0.0 at the start.
            delta: (..., dim), the executed perturbation.

        Returns:
            (...,) in float64, a float for a single delta: L1 adds the norm, L2 its square, Linf nothing.
        """
        xp, x, this = self._enter("delta", delta)
        x = x.astype(np.float64, copy=False) if xp is NUMPY else x
        x = xp.abs(x) * like(xp, this._rates, x)
        costs = {L1: x, L2: x**2}.get(type(self.ball), xp.zeros_like(x))
        total = spent + xp.sum(costs, axis=-1)
        return float(total) if total.ndim == 0 else total

    def remaining(self, spent: Any) -> Any:
        """Return the radius that is left: radius - spent (L1), sqrt(radius^2 - spent) (L2), radius (Linf); >= 0."""
        radius = self.ball.radius
        if isinstance(self.ball, Linf):
            return radius + 0.0 * spent
        left = (radius if isinstance(self.ball, L1) else radius**2) - spent
        left = left * (left > 0)
        return left if isinstance(self.ball, L1) else left**0.5

    def allowed(self, spent: float) -> Ball:
        """Return the ball a step may use after `spent`."""
        return self.ball.with_radius(self.remaining(float(spent)))

    def plan_sample(self, rng: Any) -> Array:
        """Draw a whole episode uniformly from the stacked ball; (horizon, dim).

        Raises:
            ValueError: if `horizon` was not given or the set is unbound.
        """
        return self._stacked().sample(rng).reshape(self.horizon, self._need_dim("plan_sample"))

    def plan_worst(self, direction: Any) -> Array:
        """Return the episode that minimises the sum over steps of <direction, delta>; (horizon, dim).

        For a constant direction L2 spreads evenly, L1 spends all at the first step, Linf is full everywhere.

        Args:
            direction: (dim,), the same for all steps, or (horizon, dim).

        Raises:
            ValueError: if `horizon` was not given.
        """
        xp, g, this = self._enter("direction", direction)
        stacked = this._stacked()
        g = xp.broadcast_to(g, (this.horizon, g.shape[-1]))
        return stacked.worst(xp.reshape(g, (-1,))).reshape(g.shape)

    def plan_contains(self, deltas: Any, tolerance: Any = 0.0) -> Array:
        """Say whether a whole episode, (T, dim), respects the budget; T need not be the horizon."""
        xp, x, this = self._enter("deltas", deltas)
        tolerance = np.broadcast_to(tolerance, x.shape).reshape(-1)
        return replace(this, horizon=x.shape[0])._stacked().contains(xp.reshape(x, (-1,)), tolerance)

    @cached_property
    def _rates(self) -> NDArray[np.float64]:
        """What one unit of each coordinate costs; pinned coordinates cannot move and cost nothing."""
        unit = _check.spread(1.0 if self.ball.unit is None else self.ball.unit, self._need_dim("a budget"))
        return np.divide(1.0, unit, where=unit > 0, out=np.zeros(len(unit)))

    def _stacked(self) -> Ball:
        if self.horizon is None:
            raise ValueError("horizon must be given to plan an episode: per_episode(set, horizon=25), got horizon=None")
        dim, unit = self._need_dim("a plan"), self.ball.unit
        unit = unit * self.horizon if isinstance(unit, tuple) else unit
        return replace(self.ball, unit=unit, names=None, dim=dim * self.horizon)


def per_episode(inner: UncertaintySet, horizon: int | None = None) -> PerEpisode | Joint:
    """Give one budget for the whole episode: the norm of all its deltas stacked is at most the radius.

    Args:
        inner: `L1`, `L2` or `Linf`, or one of them inside `joint`.
        horizon: number of steps, > 0; needed by natures that plan the episode at its start.

    Returns:
        A `PerEpisode`; `joint` is always outermost: `Joint(PerEpisode(set))`.

    Raises:
        ValueError: if `inner` is another set.

    Example:
        >>> from robust_envs.sets import L1, L2, joint, per_episode
        >>> per_episode(L1(2.0), horizon=25)
        PerEpisode(L1(2.0), horizon=25)
        >>> per_episode(joint(L2(1.0)))
        Joint(PerEpisode(L2(1.0)))
    """
    if isinstance(inner, Joint):
        return Joint(PerEpisode(inner.inner, horizon=horizon), agents=inner.agents)
    return PerEpisode(inner, horizon=horizon)
