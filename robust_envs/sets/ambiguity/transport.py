"""Distributions within a transport distance of the nominal one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import array_api_compat as aac
import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import NUMPY, Array, like, nonzero, slack
from robust_envs.sets.ambiguity._simplex import gather, lowest, total
from robust_envs.sets.ambiguity.base import DistributionBall, dirichlet

STEPS = 500  # each finds a new vertex of the dual, usually a handful; the loop ends when every row is optimal


@dataclass(frozen=True, repr=False)
class Wasserstein(DistributionBall):
    """Bound the cost of moving mass: {p : W1(p, nominal) <= radius}, where moving one unit from i to j costs metric_ij.

    The worst case is exact: the dual is concave and piecewise linear in the price of transport, and lines through two
    of its vertices are crossed until no better one is found. No exact projection is known: `project` raises. `sample`
    is not uniform: it goes a random way towards a distribution drawn uniformly from the simplex.

    Args:
        radius: in the units of the metric, finite, >= 0; a number or an array over the leading axes.
        metric: (n, n), symmetric, finite, 0 on the diagonal and > 0 off it, with the triangle inequality.
        support_only: whether mass stays where the nominal has some.

    Raises:
        ValueError: if `radius` is negative or not finite, or `metric` is no metric.
        TypeError: if either is not made of numbers.

    Example:
        >>> from robust_envs.sets import Wasserstein
        >>> line = Wasserstein(0.5, [[0, 1, 2], [1, 0, 1], [2, 1, 0]])
        >>> line.worst_case([0.0, 1.0, 4.0], [0.0, 0.5, 0.5])
        (..., array([0., 1., 0.]))

    References:
        D. Kuhn, P. Mohajerin Esfahani, V. Nguyen, S. Shafieezadeh-Abadeh, 2019, Wasserstein distributionally robust
        optimization.
    """

    metric: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        rows = _check.table("metric", self.metric)
        _check_metric(np.asarray(rows))
        object.__setattr__(self, "metric", rows)

    @cached_property
    def _ground(self) -> NDArray[np.float64]:
        return np.asarray(self.metric)

    def _weight(self, n: int) -> int:
        return n

    def _spread(self, xp: Any, x: Array, p0: Array) -> tuple[Array, Array, Array]:
        if x.shape[-1] != len(self._ground):
            raise ValueError(f"metric must have one row for each of {x.shape[-1]} entries, got {len(self._ground)}")
        return super()._spread(xp, x, p0)

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        d = like(xp, self._ground, y)
        level, d = level / xp.max(d), d / xp.max(d)

        def outcome(target: Array) -> tuple[Array, Array]:
            """Return (expected value, cost) of sending the mass at i to target_i."""
            cost = gather(xp, xp.broadcast_to(d, (*y.shape, y.shape[-1])), target[..., None])[..., 0]
            return total(xp, p0 * gather(xp, y, target)), total(xp, p0 * cost)

        here = xp.broadcast_to(xp.arange(y.shape[-1], device=aac.device(y)), y.shape)
        free = xp.argmin(xp.where((y == lowest(xp, y))[..., None, :], d, xp.full_like(d, xp.inf)), axis=-1)
        near, far = here, free
        (near_value, near_cost), (far_value, far_cost) = outcome(near), outcome(far)
        reached = done = far_cost <= level
        for _ in range(STEPS):
            price = (near_value - far_value) / nonzero(xp, far_cost - near_cost)
            target = xp.argmin(y[..., None, :] + price[..., None] * d, axis=-1)
            value, cost = outcome(target)
            best = near_value + price * near_cost
            done = done | (value + price * cost >= best - slack(xp, y) * (1 + price * near_cost))
            if xp.all(done):
                break
            more, less = ~done & (cost > level), ~done & (cost <= level)
            far, near = xp.where(more, target, far), xp.where(less, target, near)
            far_value, far_cost = xp.where(more, value, far_value), xp.where(more, cost, far_cost)
            near_value, near_cost = xp.where(less, value, near_value), xp.where(less, cost, near_cost)
        share = (level - near_cost) / nonzero(xp, far_cost - near_cost)
        share = xp.where(reached, xp.ones_like(share), share)
        return share * _landed(xp, p0, far, here) + (1 - share) * _landed(xp, p0, near, here)

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        rows, start = (np.asarray(a if xp is NUMPY else a.cpu(), dtype=np.float64) for a in (p, p0))
        n = rows.shape[-1]
        pairs = zip(rows.reshape(-1, n), start.reshape(-1, n), strict=True)
        costs = [transport_cost(a, b, self._ground) for a, b in pairs]
        return like(xp, np.reshape(costs, rows.shape[:-1]), p)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        raise NotImplementedError("Wasserstein has no exact projection: project on TotalVariation instead")

    def _sample(self, xp: Any, rng: Any, p0: Array, level: Array) -> Array:
        on = p0 > 0 if self.support_only else p0 >= 0
        aim = dirichlet(xp, rng, p0, on)
        reach = xp.minimum(level / nonzero(xp, self._distance(xp, aim, p0)[..., None]), xp.ones_like(level))
        u = like(xp, _draw.uniform(rng, tuple(level.shape)), p0)
        return p0 + reach * u ** (1 / max(1, p0.shape[-1] - 1)) * (aim - p0)  # the cost grows in proportion to the way


def _landed(xp: Any, p0: Array, target: Array, here: Array) -> Array:
    """Add up the mass that arrives at each place."""
    arrives = target[..., :, None] == here[..., None, :]
    return xp.sum(xp.where(arrives, p0[..., :, None], xp.zeros_like(p0[..., :, None])), axis=-2)


def transport_cost(p: NDArray[np.float64], p0: NDArray[np.float64], d: NDArray[np.float64]) -> float:
    """Return W1 between two rows: mass is sent along cheapest paths, taking earlier shipments back where that helps."""
    if not np.all(np.isfinite(p)):
        return float("inf")
    surplus, lack = np.maximum(p0 - p, 0.0), np.maximum(p - p0, 0.0)  # what both have stays: d is a metric
    sources, sinks = np.flatnonzero(surplus), np.flatnonzero(lack)
    surplus, lack, d = surplus[sources], lack[sinks], d[np.ix_(sources, sinks)]
    flow, small = np.zeros_like(d), 1e-15
    while surplus.sum() > small and lack.sum() > small and max(surplus) > 0 and max(lack) > 0:
        path, amount = _cheapest_path(surplus, lack, flow, d)
        for i, j, sign in path:
            flow[i, j] += sign * amount
        surplus[path[-1][0]] -= amount
        lack[path[0][1]] -= amount
    return float(np.sum(flow * d))


def _cheapest_path(
    surplus: NDArray[np.float64], lack: NDArray[np.float64], flow: NDArray[np.float64], d: NDArray[np.float64]
) -> tuple[list[tuple[int, int, int]], float]:
    """Return the arcs (source, sink, +1 or -1) from the sink back to the source, and how much fits through."""
    at_source, at_sink = np.where(surplus > 0, 0.0, np.inf), np.full(len(lack), np.inf)
    came_from, by = np.full(len(surplus), -1), np.full(len(lack), -1)
    back = np.where(flow > 0, -d, np.inf)
    give = 1e-13 * np.max(d)  # a tie must not change who came from where: the way back would be a circle
    while True:
        reach = at_source[:, None] + d
        better = reach.min(axis=0) < at_sink - give
        by = np.where(better, reach.argmin(axis=0), by)
        at_sink = np.where(better, reach.min(axis=0), at_sink)
        returned = at_sink[None, :] + back
        better = returned.min(axis=1) < at_source - give
        if not better.any():
            break
        came_from = np.where(better, returned.argmin(axis=1), came_from)
        at_source = np.where(better, returned.min(axis=1), at_source)
    sink = int(np.argmin(np.where(lack > 0, at_sink, np.inf)))
    amount, path, place = lack[sink], [], sink
    while True:
        source = int(by[place])
        path.append((source, place, 1))
        if came_from[source] < 0:
            return path, float(min(amount, surplus[source]))
        place = int(came_from[source])
        path.append((source, place, -1))
        amount = min(amount, flow[source, place])


def _check_metric(d: NDArray[np.float64]) -> None:
    rule = None
    off = ~np.eye(len(d), dtype=bool)
    if d.shape != (len(d), len(d)):
        raise ValueError(f"metric must be square, got shape {d.shape}")
    give = 1e-9 * d.max()
    if np.any(np.diag(d) != 0):
        rule = "be 0 on the diagonal"
    elif np.any(d[off] <= 0):
        rule = "be > 0 off the diagonal"
    elif np.any(np.abs(d - d.T) > give):
        rule = "be symmetric"
    elif any(np.any(d > d[:, k, None] + d[None, k, :] + give) for k in range(len(d))):
        rule = "satisfy the triangle inequality"
    if rule:
        raise ValueError(f"metric must {rule}, got metric={d.tolist()}")
