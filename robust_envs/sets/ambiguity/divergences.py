"""Distributions near the nominal one in a divergence."""

import math
from typing import Any

from robust_envs.sets._geometry import Array, nonzero
from robust_envs.sets.ambiguity._simplex import count, first, highest, lift, lowest, search, total
from robust_envs.sets.ambiguity.base import DistributionBall

STEPS = 100  # Newton needs a handful; the loops end when every row has settled


class KL(DistributionBall):
    """Bound the relative entropy: {p : sum_i p_i log(p_i / nominal_i) <= radius}.

    Mass stays where the nominal has some. The minimiser is nominal * exp(-t * values), rescaled, with t from a
    safeguarded Newton iteration. `project` is the information projection, argmin KL(p || q), for q > 0 wherever the
    nominal is; a Euclidean one has no closed form.

    Args:
        radius: in nats, finite, >= 0; a number or an array over the leading axes.
        support_only: has no effect here.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import KL
        >>> value, p = KL(0.1).worst_case([0.0, 1.0], [0.1, 0.9])
        >>> print(f"{p[0]:.6f}")
        0.256866

    References:
        A. Nilim, L. El Ghaoui, 2005, Robust control of Markov decision processes with uncertain transition matrices.
    """

    _continuous = True

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        up = y > 0
        least = total(xp, p0 * ~up)  # mass on the cheapest places
        limit = -xp.log(least)
        full, late = level >= limit, level > limit / 2
        gap = y - total(xp, p0 * y)
        t = start = xp.sqrt(2 * level / nonzero(xp, total(xp, p0 * gap**2)))
        tiny = level < float(xp.finfo(y.dtype).eps) ** (2 / 3)  # the start is then better than rounding lets Newton be
        low, high = xp.zeros_like(t), xp.full_like(t, xp.inf)
        for _ in range(STEPS):
            e = p0 * xp.exp(-t * y)
            size = total(xp, e)
            tilted = total(xp, e * y) / size
            # E y^2 - (E y)^2 would cancel where all mass sits near one value
            gap = y - tilted
            spread = t * total(xp, e * gap * gap) / size
            far = xp.maximum(-t * tilted - xp.log(size), 0 * t)
            above = far > level
            high, low = xp.where(above, t, high), xp.where(above, low, t)
            root = xp.sqrt(far)
            step = t + 2 * root * (xp.sqrt(level) - root) / nonzero(xp, spread)
            if xp.any(late):
                left = t * tilted + xp.log1p(total(xp, e * up) / least)  # limit - far, without cancelling
                closer = t + xp.log(left / nonzero(xp, limit - level)) * left / nonzero(xp, spread)
                step = xp.where(late, closer, step)
            settled = full | tiny | _settled(xp, step, t, low, high)
            if xp.all(settled):
                break
            t = xp.where(settled, t, _safe(xp, step, t, low, high))
        e = p0 * xp.exp(-xp.where(tiny, start, t) * y)
        return xp.where(full, p0 * ~up / least, e / total(xp, e))

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return relative_entropy(xp, p, p0)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        on = p0 > 0
        if not xp.all((z > 0) | ~on):
            raise ValueError(f"q must be > 0 wherever nominal is, got an entry {float(xp.min(z[on & ~(z > 0)]))}")
        none, one = xp.zeros_like(z), xp.ones_like(z)
        log_q, log_p0 = xp.log(xp.where(on, z, one)), xp.log(xp.where(on, p0, one))

        def member(share: Array) -> Array:
            power = xp.where(on, (1 - share) * log_q + share * log_p0, none - xp.inf)
            e = xp.exp(power - highest(xp, power))
            return e / total(xp, e)

        def far(share: Array) -> Array:
            return relative_entropy(xp, member(share), p0, axis=0)[None] > level

        low, high = xp.zeros_like(level), xp.ones_like(level)
        free = far(low)
        _, share = search(xp, far, low, high)
        return xp.where(free, member(share), member(low))


class ReverseKL(DistributionBall):
    """Bound the relative entropy of the nominal (Burg): {p : sum_i nominal_i log(nominal_i / p_i) <= radius}.

    The likelihood region of observed counts. Mass may appear where the nominal has none. No exact projection is known:
    `project` raises.

    Args:
        radius: in nats, finite, >= 0; a number or an array over the leading axes.
        support_only: whether mass stays where the nominal has some.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import ReverseKL
        >>> value, p = ReverseKL(0.1).worst_case([0.0, 1.0], [0.1, 0.9])
        >>> print(f"{p[0]:.6f}")
        0.282379

    References:
        G. Iyengar, 2005, Robust dynamic programming.
    """

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        # p is nominal / (y + c), rescaled; its divergence falls with c. We search in log c.
        widest = 700.0 if y.dtype == xp.float64 else 80.0
        low = xp.full_like(level, -widest)
        high = xp.minimum(-xp.log(level), 0 * level + widest)  # divergence(c) <= log((1 + c) / c) <= 1 / c
        guess = xp.sqrt(total(xp, p0 * (y - total(xp, p0 * y)) ** 2) / (2 * level))
        all_used = self._at(xp, y, p0, low)[0] <= level  # the cheapest place has no mass, and some is left for it
        log_c = xp.where(all_used, low, xp.minimum(xp.maximum(xp.log(guess), low), high))
        eps, settled = float(xp.finfo(y.dtype).eps), all_used
        for _ in range(STEPS):
            far, slope = self._at(xp, y, p0, log_c)
            low, high = xp.where(far > level, log_c, low), xp.where(far > level, high, log_c)
            step = log_c - xp.log(far / level) * far / xp.where(slope < 0, slope, -xp.ones_like(slope))
            inside = (step > low) & (step < high) & (slope < 0)
            last = (xp.abs(step - log_c) <= math.sqrt(eps)) | (high - low <= 8 * eps * xp.abs(high))
            log_c = xp.where(settled, log_c, xp.where(inside, step, xp.where(last, log_c, (low + high) / 2)))
            settled = settled | last  # a step this small squares its error: the next would be rounding
            if xp.all(settled):
                break
        far, _ = self._at(xp, y, p0, log_c)
        p = p0 / (1 + y * xp.exp(-log_c))
        kept = xp.minimum(xp.exp(far - level), xp.ones_like(far))  # less than 1 where the cheapest place has no mass
        kept = xp.where(all_used, kept, xp.ones_like(kept))
        rest = xp.where(first(xp, y == lowest(xp, y)), 1 - kept, xp.zeros_like(y))
        return p / total(xp, p) * kept + rest

    def _at(self, xp: Any, y: Array, p0: Array, log_c: Array) -> tuple[Array, Array]:
        """Return the divergence at c and its derivative in log c."""
        ratio = y * xp.exp(-log_c)
        part = 1 / (1 + ratio)
        mean = total(xp, p0 * part)
        log_mean = xp.where(mean > 0.5, xp.log1p(-total(xp, p0 * (ratio * part))), xp.log(mean))
        far = total(xp, p0 * xp.log1p(ratio)) + log_mean
        return xp.maximum(far, 0 * far), -total(xp, p0 * (part - mean) ** 2) / mean

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return relative_entropy(xp, p0, p)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        raise NotImplementedError("ReverseKL has no exact projection: project on KL or TotalVariation instead")


class ChiSquared(DistributionBall):
    """Bound the chi-squared divergence: {p : sum_i (p_i - nominal_i)^2 / nominal_i <= radius}.

    Mass stays where the nominal has some. The minimiser is nominal * (a - values)_+, rescaled; the threshold a has a
    closed form for given places in use, and places are dropped until none is below 0: exact after a few rounds.

    Args:
        radius: finite, >= 0; a number or an array over the leading axes.
        support_only: has no effect here.

    Raises:
        ValueError: if `radius` is negative or not finite.
        TypeError: if `radius` is not made of numbers.

    Example:
        >>> from robust_envs.sets import ChiSquared
        >>> ChiSquared(0.04).worst_case([0.0, 1.0], [0.5, 0.5])
        (..., array([0.6, 0.4]))

    References:
        J. Duchi, H. Namkoong, 2019, Variance-based regularization with convex objectives.
    """

    _continuous = True

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        # The threshold of fewer places lies lower, so what it drops once never comes back.
        weight, rest, many = p0, 0 * level, xp.full_like(level, xp.inf)
        while True:
            size = total(xp, weight)
            mean = total(xp, weight * y) / size
            gap = mean - y
            spread = total(xp, weight * gap**2) / size
            room = xp.maximum(level * size - rest, 0 * rest)  # (1 + radius) * size - 1, without cancelling
            scale = xp.sqrt(room / nonzero(xp, spread))
            share = 1 + xp.where(spread > 0, scale, 0 * scale) * gap
            used = (share > 0) & (weight > 0)
            fewer = count(xp, used, y)
            if xp.all(fewer >= many):
                p = weight * xp.maximum(share, xp.zeros_like(share))
                return p / total(xp, p)
            weight, many = p0 * used, fewer
            rest = total(xp, p0 * ~used)

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        return xp.sum(xp.where(p0 > 0, (p - p0) ** 2 / nonzero(xp, p0), xp.zeros_like(p)), axis=-1)

    def _project(self, xp: Any, z: Array, p0: Array, level_: Array) -> Array:
        none = xp.zeros_like(z)

        def member(share: Array) -> Array:
            # share / (1 - share) is the price of one unit of divergence
            pull, stiff = (1 - share) * z + share, (1 - share) * p0 + share

            weight = p0 / nonzero(xp, stiff)
            p = weight * xp.maximum(pull + lift(xp, pull, weight), none)
            return p / total(xp, p)

        def far(share: Array) -> Array:
            parts = xp.where(p0 > 0, (member(share) - p0) ** 2 / nonzero(xp, p0), none)
            return total(xp, parts) > level_

        low, high = xp.zeros_like(level_), xp.ones_like(level_)
        free = far(low)
        _, share = search(xp, far, low, high)
        return xp.where(free, member(share), member(low))


def relative_entropy(xp: Any, p: Array, p0: Array, axis: int = -1) -> Array:
    """Return sum p log(p / p0) over an axis; infinite where p has mass and p0 has none."""
    on, one = p > 0, xp.ones_like(p)
    logs = xp.log(xp.where(on, p, one)) - xp.log(xp.where(on, p0, one))
    parts = xp.where(on, p * logs - p + p0, p0)  # terms >= 0, so that a small divergence keeps its digits
    return xp.sum(parts, axis=axis)


def _settled(xp: Any, step: Array, t: Array, low: Array, high: Array) -> Array:
    small = float(xp.finfo(t.dtype).eps) * 8
    return (xp.abs(step - t) <= small * t) | ((high - low <= small * high) & xp.isfinite(high))


def _safe(xp: Any, step: Array, t: Array, low: Array, high: Array) -> Array:
    closed = xp.isfinite(high)
    middle = xp.where(closed, (low + xp.where(closed, high, low)) / 2, 4 * t)
    return xp.where((step > low) & (step < high) & xp.isfinite(step), step, middle)
