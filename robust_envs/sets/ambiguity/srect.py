"""Balls whose budget the actions of a state may share."""

from abc import abstractmethod
from typing import Any

import numpy as np

from robust_envs.sets._geometry import Array, like, nonzero
from robust_envs.sets.ambiguity.base import DistributionBall, _arrays, _check_finite, check_distribution


class JointBall(DistributionBall):
    """Share what balls have in common whose budget one state may spend over all its actions."""

    def worst_case_srect(self, values: Any, nominal: Any, policy: Any) -> tuple[Array, Array]:
        """Minimise over one budget for all actions: min sum_a policy_a <p_a, values_a>, |p - nominal| <= radius.

        The norm runs over all entries of all rows p_a, so nature has to choose where the budget hurts this policy most.
        For `LinfAmbiguity` nothing is shared and the answer is that of every action on its own.

        Args:
            values: (..., A, n), finite.
            nominal: (..., A, n), distributions on the last axis.
            policy: (..., A), a distribution over actions.

        Returns:
            The least expected value, (...), and the distributions that attain it, (..., A, n).

        Raises:
            ValueError: if a value is not finite, `nominal` or `policy` are no distributions, or the shapes misfit.
            TypeError: if an argument is no array of numbers.

        Example:
            >>> from robust_envs.sets import L1Ambiguity
            >>> even = [[0.5, 0.5], [0.5, 0.5]]
            >>> value, p = L1Ambiguity(0.4).worst_case_srect([[0.0, 1.0], [0.0, 3.0]], even, [0.5, 0.5])
            >>> float(value), p
            (0.7, array([[0.5, 0.5],
                   [0.7, 0.3]]))

        References:
            W. Wiesemann, D. Kuhn, B. Rustem, 2013, Robust Markov decision processes.
        """
        xp, (v, p0, x) = _arrays(values=values, nominal=nominal, policy=policy)
        _check_finite(xp, "values", v)
        check_distribution(xp, "nominal", p0)
        check_distribution(xp, "policy", x)
        radius = like(xp, self._level, v)[..., None, None]
        shapes = [tuple(v.shape), tuple(p0.shape), (*x.shape, 1), tuple(radius.shape)]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError as error:
            raise ValueError(f"values, nominal, policy and radius must broadcast, got shapes {shapes}") from error
        plain, p0, weight = (a.detach() if hasattr(a, "detach") else a for a in (v, p0, x[..., None]))
        y = xp.broadcast_to(plain, shape)
        if self.support_only:  # as dear as the dearest place of the support
            most = xp.max(xp.where(p0 > 0, y, xp.full_like(y, -xp.inf)), axis=-1, keepdims=True)
            y = xp.where(p0 > 0, y, most)
        y = y - xp.min(y, axis=-1, keepdims=True)
        y = weight * (y / nonzero(xp, xp.max(y, axis=(-2, -1), keepdims=True)))
        y = y / nonzero(xp, xp.max(y, axis=(-2, -1), keepdims=True))
        p0 = xp.broadcast_to(p0, shape)
        with np.errstate(all="ignore"):
            p = self._worst_jointly(xp, y, p0, xp.broadcast_to(radius, (*shape[:-2], 1, 1)))
        p = xp.where(xp.max(y, axis=-1, keepdims=True) > 0, p, p0)
        return xp.sum(x * xp.sum(p * v, axis=-1), axis=-1), p

    @abstractmethod
    def _worst_jointly(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        """Minimise sum <p_a, y_a> over rows p_a of (..., A, n), y >= 0 with 0 in every row and 1 somewhere."""
