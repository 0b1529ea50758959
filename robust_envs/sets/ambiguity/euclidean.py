"""Distributions within a Euclidean distance of the nominal one."""

from typing import Any

from robust_envs.sets._geometry import Array, nonzero, norm, slack, threshold
from robust_envs.sets.ambiguity._simplex import count, highest, lowest, onto_simplex, search, total
from robust_envs.sets.ambiguity.srect import JointBall

STEPS = 200  # a handful do; the loop ends when every row has settled


class L2Ambiguity(JointBall):
    """Bound the Euclidean length of the change: {p : sum_i (p_i - nominal_i)^2 <= radius^2}.

    The minimiser lies on the path of projections of `nominal - t * values`; its distance grows with t and, while the
    places in use stay the same, is known in closed form, so that the search for t is a few exact jumps.

    Args:
        radius: finite, >= 0 (sqrt(2) reaches every distribution); a number or an array over the leading axes.
        support_only: whether mass stays where the nominal has some.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import L2Ambiguity
        >>> L2Ambiguity(0.2 * 2**0.5).worst_case([0.0, 1.0], [0.5, 0.5])
        (..., array([0.7, 0.3]))

    References:
        E. Derman, M. Geist, S. Mannor, 2021, Twice regularized MDPs; N. Kumar et al., 2022, Efficient policy
        iteration for robust Markov decision processes via regularization (the case in which no entry reaches 0).
    """

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        return self._worst_jointly(xp, y[:, None], p0[:, None], level[:, None])[:, 0]

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return norm(xp, p - p0)[..., 0]

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        kept = p0 > 0 if self.support_only else p0 >= 0
        none = xp.zeros_like(p0)

        def member(share: Array) -> Array:
            x = (1 - share) * z + share * p0
            floor = highest(xp, xp.where(kept, x, lowest(xp, x))) - 2
            return xp.where(kept, onto_simplex(xp, xp.where(kept, x, floor)), none)

        def far(share: Array) -> Array:
            return xp.sqrt(total(xp, (member(share) - p0) ** 2)) > level

        low, high = xp.zeros_like(level), xp.ones_like(level)
        free = far(low)
        _, share = search(xp, far, low, high)
        near = xp.where(level > 0, member(share), p0)
        return xp.where(free, near, member(low))

    def _worst_jointly(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        none = xp.zeros_like(p0)
        cheapest = y == lowest(xp, y)
        rest = 1 - total(xp, p0 * cheapest)
        face = cheapest * (p0 + rest / count(xp, cheapest, p0))
        reached = _both(xp, (face - p0) ** 2) <= level**2
        low, high = xp.zeros_like(level), xp.full_like(level, xp.inf)
        centred = y - total(xp, y) / y.shape[0]
        t = level / nonzero(xp, xp.sqrt(_both(xp, centred**2)))
        squares, many = p0**2, None
        for _ in range(STEPS):
            z = p0 - t * y
            z = z - highest(xp, z)
            many = xp.astype(z > threshold(xp, z, many), p0.dtype)
            places = total(xp, many)
            lift = (1 - total(xp, p0 * many)) / places
            slope = (y - total(xp, y * many) / places) * many
            fixed = _both(xp, squares * (1 - many)) + _both(xp, places * lift**2)
            spread = _both(xp, slope**2)
            far = fixed + t**2 * spread > level**2
            high, low = xp.where(far, t, high), xp.where(far, low, t)
            jump = xp.sqrt(xp.maximum(level**2 - fixed, 0 * t) / nonzero(xp, spread))
            settled = reached | (xp.abs(jump - t) <= slack(xp, y) * t) | (high - low <= slack(xp, y) * low)
            if xp.all(settled):
                break
            inside = (jump > low) & (jump < high)
            middle = xp.where(xp.isfinite(high), (low + xp.where(xp.isfinite(high), high, low)) / 2, 4 * t)
            t = xp.where(settled, t, xp.where(inside, jump, middle))
        p = xp.maximum(many * (p0 + lift) - t * slope, none)
        return xp.where(reached, face, p / total(xp, p))


def _both(xp: Any, x: Array) -> Array:
    return xp.sum(xp.sum(x, axis=0, keepdims=True), axis=1, keepdims=True)
