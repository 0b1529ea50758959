"""Balls whose budget the actions of a state may share."""

from abc import abstractmethod
from typing import Any

import numpy as np

from robust_envs.sets._geometry import Array, like, nonzero
from robust_envs.sets.ambiguity._simplex import highest, lowest
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
        plain, p0, weight, radius = (
            _columns(xp, xp.broadcast_to(a, shape)) for a in (_plain(v), _plain(p0), _plain(x)[..., None], radius)
        )
        y = plain
        if self.support_only:  # as dear as the dearest place of the support
            y = xp.where(p0 > 0, y, highest(xp, xp.where(p0 > 0, y, xp.full_like(y, -xp.inf))))
        y = y - lowest(xp, y)
        y = weight * (y / nonzero(xp, _most(xp, y)))
        y = y / nonzero(xp, _most(xp, y))
        with np.errstate(all="ignore"):
            p = self._worst_jointly(xp, y, p0, radius[:1, :1])
        p = xp.where(highest(xp, y) > 0, p, p0)
        p = xp.reshape(xp.permute_dims(p, (2, 1, 0)), shape)
        return xp.sum(x * xp.sum(p * v, axis=-1), axis=-1), p

    @abstractmethod
    def _worst_jointly(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        """Minimise sum <p_a, y_a> over the p_a in (n, A, rows), y >= 0 with 0 for every action and 1 somewhere."""


def _plain(x: Array) -> Array:
    return x.detach() if hasattr(x, "detach") else x


def _columns(xp: Any, x: Array) -> Array:
    """Return (n, A, rows) from (..., A, n)."""
    return xp.permute_dims(xp.reshape(x, (-1, *x.shape[-2:])), (2, 1, 0))


def _most(xp: Any, y: Array) -> Array:
    return xp.max(highest(xp, y), axis=1, keepdims=True)
