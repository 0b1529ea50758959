"""Agreement with programmes solved by others, on generated cases: a few here, ten thousand of each in a nightly run.

`HYPOTHESIS_PROFILE=nightly python -m pytest tests/sets/test_oracle_agreement.py`. Oracles: HiGHS (scipy) for polyhedra,
Clarabel (cvxpy) for curved sets, POT for transport. Tolerances are in parts of the range of the values.
"""

from contextlib import suppress

import numpy as np
import pytest
from ambiguity_rows import rows
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from robust_envs.sets import (
    KL,
    L1,
    L2,
    Budgeted,
    ChiSquared,
    Contamination,
    CVaR,
    Ellipsoid,
    Interval,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    TotalVariation,
    Wasserstein,
    intersect,
)
from robust_envs.sets.ambiguity.transport import transport_costs

ASKED = settings.default.max_examples
some = settings(max_examples=10 if ASKED <= 100 else ASKED)
EXACT = 1e-10
SOLVER = 1e-6
radii = st.one_of(st.just(0.0), st.floats(1e-3, 0.99), st.sampled_from([0.1, 0.25, 0.5]))


def whole(p0, *, support_only):
    return [(0.0, 1.0 if mass > 0 or not support_only else 0.0) for mass in p0]


def polyhedron(kind, v, p0, r, *, support_only):
    """Solve the linear programme of a set."""
    n, bounds = len(v), whole(p0, support_only=support_only)
    if kind in (TotalVariation, L1Ambiguity):
        spread = 2 * r if kind is TotalVariation else r
        eye = np.eye(n)
        limits = np.block([[eye, -eye], [-eye, -eye], [np.zeros(n), np.ones(n)]])
        cost, sums = np.concatenate([v, np.zeros(n)]), np.concatenate([np.ones(n), np.zeros(n)])[None]
        room = np.concatenate([p0, -p0, [spread]])
        return linprog(cost, A_ub=limits, b_ub=room, A_eq=sums, b_eq=[1], bounds=bounds + [(0, None)] * n)
    if kind is LinfAmbiguity:
        bounds = [(max(mass - r, 0), min(mass + r, top)) for mass, (_, top) in zip(p0, bounds, strict=True)]
    if kind is Contamination:
        bounds = [((1 - r) * mass, top) for mass, (_, top) in zip(p0, bounds, strict=True)]
    if kind is CVaR:
        bounds = [(0, mass / (1 - r)) for mass in p0]
    return linprog(v, A_eq=np.ones((1, n)), b_eq=[1], bounds=bounds)


@pytest.mark.parametrize("kind", [TotalVariation, L1Ambiguity, LinfAmbiguity, Contamination, CVaR])
@some
@given(row=rows(), r=radii, support_only=st.booleans())
def test_polyhedral_worst_cases(kind, row, r, support_only):
    p0, v = row
    size = max(np.ptp(v), 1e-300)
    y = (v - v.min()) / size  # the oracle has absolute tolerances
    ours = CVaR(1 - r) if kind is CVaR else kind(r, support_only=support_only)
    theirs = polyhedron(kind, y, p0, r, support_only=support_only)
    assume(theirs.status == 0)  # HiGHS may find a set of one point empty
    assert ours.worst_case(y, p0)[0] == pytest.approx(theirs.fun, abs=EXACT)
    give = 1e-9 * size + 1e-15 * np.abs(v).max()
    assert ours.worst_case(v, p0)[0] == pytest.approx(v.min() + size * theirs.fun, abs=give)


@st.composite
def metrics(draw, n):
    """Distances between points of a small grid (many ties), none twice."""
    places = [(i, j) for i in range(4) for j in range(4)]
    at = np.array(draw(st.permutations(places))[:n], float)
    power = draw(st.sampled_from([1, 2, np.inf]))
    return np.linalg.norm(at[:, None] - at, ord=power, axis=-1)


@some
@given(data=st.data(), row=rows(), r=st.one_of(radii, st.floats(1, 5)), support_only=st.booleans())
def test_wasserstein_worst_cases(data, row, r, support_only):
    p0, v = row
    n, y = len(v), (v - v.min()) / max(np.ptp(v), 1e-300)
    d = data.draw(metrics(n))
    allowed = [(0, None if p0[j] > 0 or not support_only else 0) for _ in range(n) for j in range(n)]
    leaves = np.kron(np.eye(n), np.ones(n))
    theirs = linprog(np.tile(y, n), A_ub=d.reshape(1, -1), b_ub=[r], A_eq=leaves, b_eq=p0, bounds=allowed)
    value, p = Wasserstein(r, d, support_only=support_only).worst_case(y, p0)
    assert value == pytest.approx(theirs.fun, abs=EXACT)
    assert Wasserstein(r, d).contains(p, p0, 1e-12)


@some
@given(data=st.data(), n=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
def test_transport_costs(data, n, seed):
    ot = pytest.importorskip("ot")
    rng, d = np.random.default_rng(seed), data.draw(metrics(n))
    tied = rng.multinomial(9, np.full(n, 1 / n), size=2) / 9
    p, p0 = np.where(rng.integers(0, 2, size=(2, 1)), tied, rng.dirichlet(np.ones(n), size=2))
    cost = ot.emd2(p0 / p0.sum(), p / p.sum(), d) if n > 1 else 0.0
    assert transport_costs(p[None], p0[None], d)[0] == pytest.approx(cost, abs=1e-9)


def curved(cp, kind, p, p0, r):
    on = np.flatnonzero(p0)
    kept = [p[np.flatnonzero(p0 == 0)] == 0] if len(on) < len(p0) else []
    if kind is KL:
        return [*kept, cp.sum(cp.kl_div(p[on], p0[on])) <= r]
    if kind is ReverseKL:
        return [cp.sum(cp.multiply(p0[on], np.log(p0[on]) - cp.log(p[on]))) <= r]
    if kind is ChiSquared:
        return [*kept, cp.sum_squares(cp.multiply(p[on] - p0[on], p0[on] ** -0.5)) <= r]
    if kind is L2Ambiguity:
        return [cp.norm(p - p0) <= r]
    if kind is LinfAmbiguity:
        return [cp.norm(p - p0, "inf") <= r]
    return [cp.norm1(p - p0) <= 2 * r]


def solved(cp, objective, constraints):
    """Solve, or leave the case out where the solver itself is not sure, or fails, even with its own tolerances."""
    problem = cp.Problem(cp.Minimize(objective), constraints)
    for give in (1e-10, 1e-8):
        with suppress(cp.SolverError):
            problem.solve(cp.CLARABEL, tol_gap_abs=give, tol_gap_rel=give, tol_feas=give)
            if problem.status == "optimal":
                return problem.value
    return assume(False)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("kind", [KL, ReverseKL, ChiSquared, L2Ambiguity])
@some
@given(row=rows(least=2), r=st.floats(1e-3, 2))
def test_curved_worst_cases(kind, row, r):
    cp = pytest.importorskip("cvxpy")
    p0, v = row
    y = (v - v.min()) / max(np.ptp(v), 1e-300)
    p = cp.Variable(len(v), nonneg=True)
    theirs = solved(cp, y @ p, [cp.sum(p) == 1, *curved(cp, kind, p, p0, r)])
    assert kind(r).worst_case(y, p0)[0] == pytest.approx(theirs, abs=SOLVER)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("kind", [TotalVariation, LinfAmbiguity, L2Ambiguity, ChiSquared])
@some
@given(row=rows(least=2), r=st.floats(1e-3, 0.9), seed=st.integers(0, 2**32 - 1))
def test_projections_on_sets_of_distributions(kind, row, r, seed):
    cp = pytest.importorskip("cvxpy")
    p0, _ = row
    q = np.round(np.random.default_rng(seed).normal(size=len(p0)), 1)
    p = cp.Variable(len(p0), nonneg=True)
    theirs = solved(cp, cp.sum_squares(p - q), [cp.sum(p) == 1, *curved(cp, kind, p, p0, r)])
    near = kind(r).project(q, p0)
    assert kind(r).contains(near, p0, 1e-9)
    assert np.sum((near - q) ** 2) == pytest.approx(theirs, abs=SOLVER * 10)


def matrix(unit, rng):
    q, _ = np.linalg.qr(rng.normal(size=(len(unit), len(unit))))
    made = q @ np.diag(unit**2) @ q.T
    return (made + made.T) / 2


def gauges(cp, y, unit, shape):
    """By name: a ball, and what must be at most 1 in it."""
    root = np.linalg.inv(np.linalg.cholesky(shape))
    return {
        "L1": (L1(1.0, unit=unit), [cp.norm1(cp.multiply(y, 1 / unit)) <= 1]),
        "L2": (L2(1.0, unit=unit), [cp.norm(cp.multiply(y, 1 / unit)) <= 1]),
        "Budgeted": (
            Budgeted(1.0, 1.5, unit=unit),
            [cp.norm1(cp.multiply(y, 1 / unit)) <= 1.5, cp.abs(y) <= unit],
        ),
        "Ellipsoid": (Ellipsoid(shape), [cp.norm(root @ y) <= 1]),
    }


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("name", ["L1", "L2", "Budgeted", "Ellipsoid"])
@some
@given(n=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_balls_and_their_intersections_with_a_box(name, cut, n, seed):
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(seed)
    unit, y = 10 ** rng.uniform(-0.7, 0.7, n), cp.Variable(n)
    ball, inside = gauges(cp, y, unit, matrix(unit, rng))[name]
    if cut:
        low, high = -np.round(rng.uniform(0, 1, n), 1), np.round(rng.uniform(0.05, 1, n), 2)
        low[rng.random(n) < 0.3] = 0.0
        ball, inside = intersect(ball, Interval(low, high)), [*inside, y >= low, y <= high]
    x, g = (np.round(rng.normal(size=n) * 2, 1) for _ in range(2))
    g[rng.random(n) < 0.2] = 0.0
    near, worst = ball.project(x), ball.worst(g)
    assert ball.contains(near)
    assert ball.contains(worst)
    assert np.sum((near - x) ** 2) == pytest.approx(solved(cp, cp.sum_squares(y - x), inside), abs=SOLVER * 10)
    assert worst @ g == pytest.approx(solved(cp, g @ y, inside), abs=SOLVER)
