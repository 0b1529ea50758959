"""Distributions within a transport distance of the nominal one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_envs.sets import _check, _draw
from robust_envs.sets._geometry import NUMPY, Array, like, nonzero
from robust_envs.sets.ambiguity._dispatch import dispatch
from robust_envs.sets.ambiguity.base import DistributionBall, dirichlet

Rows = NDArray[np.float64]
Ints = NDArray[np.intp]
Arc = tuple[Ints, Ints, int, NDArray[np.bool_]]
SMALL = 1e-15  # mass
MANY = 1 << 18  # numbers of a table of flows


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

    def _spread(self, xp: Any, x: Array, p0: Array) -> tuple[Array, Array, Array]:
        if x.shape[-1] != len(self._ground):
            raise ValueError(f"metric must have one row for each of {x.shape[-1]} entries, got {len(self._ground)}")
        return super()._spread(xp, x, p0)

    def _worst(self, xp: Any, y: Array, p0: Array, level: Array) -> Array:
        d = like(xp, self._ground, y)
        top = nonzero(xp, xp.max(d))
        y, p0 = (np.ascontiguousarray(a.T) if xp is NUMPY else a.T.contiguous() for a in (y, p0))
        return dispatch(xp, y, p0, d / top, level[0] / top).T

    def _distance(self, xp: Any, p: Array, p0: Array) -> Array:
        rows, start = (np.asarray(a if xp is NUMPY else a.cpu(), dtype=np.float64) for a in (p, p0))
        n = rows.shape[-1]
        step, pairs = max(1, MANY // n**2), (rows.reshape(-1, n), np.broadcast_to(start, rows.shape).reshape(-1, n))
        parts = [[a[i : i + step] for a in pairs] for i in range(0, len(pairs[0]), step)]
        costs = [transport_costs(a, b, self._ground) for a, b in parts] or [np.zeros(0)]
        return like(xp, np.concatenate(costs).reshape(rows.shape[:-1]), p)

    def _project(self, xp: Any, z: Array, p0: Array, level: Array) -> Array:
        raise NotImplementedError("Wasserstein has no exact projection: project on TotalVariation instead")

    def _sample(self, xp: Any, rng: Any, p0: Array, level: Array) -> Array:
        on = p0 > 0 if self.support_only else p0 >= 0
        aim = dirichlet(xp, rng, p0, on)
        reach = xp.minimum(level / nonzero(xp, self._distance(xp, aim, p0)[..., None]), xp.ones_like(level))
        u = like(xp, _draw.uniform(rng, tuple(level.shape)), p0)
        return p0 + reach * u ** (1 / max(1, p0.shape[-1] - 1)) * (aim - p0)  # the cost grows in proportion to the way


def transport_costs(p: Rows, p0: Rows, d: Rows) -> Rows:
    """Return W1 of every row: mass is sent along cheapest paths, taking earlier shipments back where that helps.

    All rows take a step at a time; each uses up a source, a sink or an earlier shipment.
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(p).all(axis=-1))
    gap = np.where(finite[:, None], p0 - p, 0.0)
    surplus, lack = np.maximum(gap, 0.0), np.maximum(-gap, 0.0)  # what both have stays: d is a metric
    flow = np.zeros((len(p), *d.shape))
    rows = np.arange(len(p))
    while True:
        rows = rows[(surplus[rows].sum(axis=-1) > SMALL) & (lack[rows].sum(axis=-1) > SMALL)]
        if len(rows) == 0:
            return np.where(finite, (flow * d).sum(axis=(-2, -1)), np.inf)
        source, sink, path = _cheapest_paths(surplus[rows], lack[rows], flow[rows], d)
        amount = np.minimum(lack[rows, sink], surplus[rows, source])
        for i, j, sign, on in path:
            if sign < 0:
                amount[on] = np.minimum(amount[on], flow[rows[on], i[on], j[on]])
        for i, j, sign, on in path:
            flow[rows[on], i[on], j[on]] += sign * amount[on]
        surplus[rows, source] -= amount
        lack[rows, sink] -= amount


def _cheapest_paths(surplus: Rows, lack: Rows, flow: Rows, d: Rows) -> tuple[Ints, Ints, list[Arc]]:
    """Return for every row where its path begins and ends, and the arcs (source, sink, +1 or -1, rows that use it)."""
    came_from, by, at_sink = _distances(surplus, flow, d)
    rows, sink = np.arange(len(lack)), np.where(lack > 0, at_sink, np.inf).argmin(axis=-1)
    path: list[Arc] = []
    place, start, on = sink, np.zeros_like(sink), np.ones(len(lack), bool)
    while on.any():
        source = np.where(on, by[rows, place], 0)
        path.append((source, place, 1, on))
        start = np.where(on, source, start)
        earlier = came_from[rows, source]
        on = on & (earlier >= 0)
        place = np.where(on, earlier, 0)
        path.append((source, place, -1, on))
    return start, sink, path


def _distances(surplus: Rows, flow: Rows, d: Rows) -> tuple[Ints, Ints, Rows]:
    """Return from which sink a source and from which source a sink is reached most cheaply, and the cost of the latter.

    A source that has a surplus is reached from nowhere, -1.
    """
    at_source, at_sink = np.where(surplus > 0, 0.0, np.inf), np.full_like(surplus, np.inf)
    came_from, by = np.full(surplus.shape, -1), np.full(surplus.shape, -1)
    back = np.where(flow > 0, -d, np.inf)
    give = 1e-13 * np.max(d)  # a tie must not change who came from where: the way back would be a circle
    while True:
        reach = at_source[:, :, None] + d
        better = reach.min(axis=1) < at_sink - give
        by = np.where(better, reach.argmin(axis=1), by)
        at_sink = np.where(better, reach.min(axis=1), at_sink)
        returned = at_sink[:, None, :] + back
        better = returned.min(axis=2) < at_source - give
        if not better.any():
            return came_from, by, at_sink
        came_from = np.where(better, returned.argmin(axis=2), came_from)
        at_source = np.where(better, returned.min(axis=2), at_source)


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
