"""Worst cases and projections against linear and convex programmes solved by others."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import beta, ks_2samp, kstest

from robust_envs.sets import (
    KL,
    ChiSquared,
    Contamination,
    CVaR,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    TotalVariation,
    Wasserstein,
)

LEVEL = 1e-6  # of 18 statistical tests with fixed seeds each
SEEDS = range(12)
RADII = (0.01, 0.1, 0.5, 0.9)


def scene(seed, n=6):
    """A nominal distribution with zeros, values with ties, and a radius."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, size=n)
    counts[0] += 1
    return counts / counts.sum(), np.round(rng.normal(size=n) * 2, 1), RADII[seed % len(RADII)]


def programme(v, p0, bounds, spread=None, weight=None):
    """Minimise v.p over the simplex within bounds and, with `spread`, sum |p - p0| <= spread."""
    n = len(v)
    if spread is None:
        return linprog(v, A_eq=np.ones((1, n)), b_eq=[1], bounds=bounds).fun
    eye = np.eye(n)
    rows = np.block([[eye, -eye], [-eye, -eye], [np.zeros(n), np.ones(n)]])
    limits = np.concatenate([p0, -p0, [spread]])
    cost, whole = np.concatenate([v, np.zeros(n)]), np.concatenate([np.ones(n), np.zeros(n)])[None]
    return linprog(cost, A_ub=rows, b_ub=limits, A_eq=whole, b_eq=[1], bounds=bounds + [(0, None)] * n).fun


def transport(v, p0, d, radius, places):
    """Minimise over plans: mass from i to j at cost d_ij."""
    n = len(v)
    allowed = [(0, None if places[j] else 0) for _ in range(n) for j in range(n)]
    leaves = np.kron(np.eye(n), np.ones(n))
    return linprog(np.tile(v, n), A_ub=d.reshape(1, -1), b_ub=[radius], A_eq=leaves, b_eq=p0, bounds=allowed).fun


@pytest.mark.parametrize("support_only", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_polyhedral_sets_solve_their_linear_programmes(seed, support_only):
    p0, v, r = scene(seed)
    open_to = p0 > 0 if support_only else np.ones(6, bool)
    top = np.where(open_to, 1.0, 0.0)
    whole = list(zip(np.zeros(6), top, strict=True))
    near = list(zip(np.maximum(p0 - r, 0), np.minimum(p0 + r, top), strict=True))
    taken = list(zip((1 - r) * p0, top, strict=True))
    expected = {
        TotalVariation(r, support_only=support_only): programme(v, p0, whole, 2 * r),
        L1Ambiguity(r, support_only=support_only): programme(v, p0, whole, r),
        LinfAmbiguity(r, support_only=support_only): programme(v, p0, near),
        Contamination(r, support_only=support_only): programme(v, p0, taken),
        CVaR(r): programme(v, p0, list(zip(np.zeros(6), p0 / r, strict=True))),
    }
    for ambiguity, value in expected.items():
        assert ambiguity.worst_case(v, p0)[0] == pytest.approx(value, abs=1e-10 * (np.ptp(v) + 1)), ambiguity


@pytest.mark.parametrize("support_only", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_wasserstein_solves_the_transport_programme(seed, support_only):
    p0, v, r = scene(seed)
    at = np.random.default_rng(seed).normal(size=(6, 2))
    d = np.linalg.norm(at[:, None] - at, axis=-1)
    ambiguity = Wasserstein(r, d, support_only=support_only)
    value, p = ambiguity.worst_case(v, p0)
    assert value == pytest.approx(transport(v, p0, d, r, (p0 > 0) | (not support_only)), abs=1e-10 * (np.ptp(v) + 1))
    assert ambiguity.contains(p, p0)


@pytest.mark.parametrize("seed", SEEDS)
def test_transport_cost_solves_its_linear_programme(seed):
    p0, _, _ = scene(seed)
    rng = np.random.default_rng(seed)
    p, at = rng.dirichlet(np.ones(6)), rng.normal(size=(6, 2))
    d = np.linalg.norm(at[:, None] - at, axis=-1)
    leaves, arrives = np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))
    ends = np.concatenate([p0, p])
    cost = linprog(d.ravel(), A_eq=np.concatenate([leaves, arrives]), b_eq=ends).fun
    assert Wasserstein(cost * (1 + 1e-9), d).contains(p, p0)
    assert not Wasserstein(cost * (1 - 1e-9), d).contains(p, p0)


def test_transport_cost_agrees_with_pot():
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(0)
    for _ in range(10):
        at = rng.normal(size=(12, 2))
        d = np.linalg.norm(at[:, None] - at, axis=-1)
        p, p0 = rng.dirichlet(np.ones(12), size=2)
        cost = ot.emd2(p0, p, d)
        assert Wasserstein(cost + 1e-9, d).contains(p, p0)
        assert not Wasserstein(cost - 1e-9, d).contains(p, p0)


def convex(cp, p, p0, kind, r):
    on = np.flatnonzero(p0)
    if kind is KL:
        return ([p[p0 == 0] == 0] if np.any(p0 == 0) else []) + [cp.sum(cp.kl_div(p[on], p0[on])) <= r]
    if kind is ReverseKL:
        return [cp.sum(cp.multiply(p0[on], np.log(p0[on]) - cp.log(p[on]))) <= r]
    if kind is ChiSquared:
        scaled = cp.sum_squares(cp.multiply(p[on] - p0[on], p0[on] ** -0.5))
        return ([p[p0 == 0] == 0] if np.any(p0 == 0) else []) + [scaled <= r]
    if kind is L2Ambiguity:
        return [cp.norm(p - p0) <= r]
    if kind is LinfAmbiguity:
        return [cp.norm(p - p0, "inf") <= r]
    return [cp.norm1(p - p0) <= r * (2 if kind is TotalVariation else 1)]


@pytest.mark.parametrize("kind", [KL, ReverseKL, ChiSquared, L2Ambiguity])
def test_curved_sets_solve_their_cone_programmes(kind):
    cp = pytest.importorskip("cvxpy")
    for seed in SEEDS:
        p0, v, r = scene(seed)
        p = cp.Variable(6, nonneg=True)
        problem = cp.Problem(cp.Minimize(v @ p), [cp.sum(p) == 1, *convex(cp, p, p0, kind, r)])
        problem.solve(cp.CLARABEL)
        value = kind(r).worst_case(v, p0)[0]
        assert value == pytest.approx(problem.value, abs=1e-6 * (np.ptp(v) + 1)), seed


@pytest.mark.parametrize("kind", [TotalVariation, L1Ambiguity, LinfAmbiguity, L2Ambiguity, ChiSquared])
def test_projections_solve_their_quadratic_programmes(kind):
    cp = pytest.importorskip("cvxpy")
    for seed in SEEDS:
        p0, v, r = scene(seed)
        q = v / 3
        p = cp.Variable(6, nonneg=True)
        problem = cp.Problem(cp.Minimize(cp.sum_squares(p - q)), [cp.sum(p) == 1, *convex(cp, p, p0, kind, r)])
        problem.solve(cp.CLARABEL)
        near = kind(r).project(q, p0)
        assert np.sum((near - q) ** 2) == pytest.approx(problem.value, abs=1e-6), seed
        np.testing.assert_allclose(near, p.value, atol=2e-3)


@pytest.mark.parametrize("kind", [L1Ambiguity, L2Ambiguity, LinfAmbiguity])
def test_shared_budgets_solve_their_programmes(kind):
    cp = pytest.importorskip("cvxpy")
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        p0, v, policy = rng.dirichlet(np.ones(4), size=3), rng.integers(-3, 4, size=(3, 4)), rng.dirichlet(np.ones(3))
        r = RADII[seed % 4]
        p = cp.Variable((3, 4), nonneg=True)
        gap = cp.vec(p - p0, order="C")
        size = {L1Ambiguity: 1, L2Ambiguity: 2, LinfAmbiguity: "inf"}[kind]
        cost = cp.sum(cp.multiply(policy[:, None] * v, p))
        problem = cp.Problem(cp.Minimize(cost), [cp.sum(p, axis=1) == 1, cp.norm(gap, size) <= r])
        problem.solve(cp.CLARABEL)
        assert kind(r).worst_case_srect(v, p0, policy)[0] == pytest.approx(problem.value, abs=1e-6), seed


def test_walks_are_uniform_on_a_known_triangle():
    # Total variation 1 is the whole simplex, on which each entry follows Beta(1, 2).
    drawn = TotalVariation(1.0).sample(np.random.default_rng(0), [0.2, 0.3, 0.5], 4000)
    for place in range(3):
        assert kstest(drawn[:, place], beta(1, 2).cdf).pvalue > LEVEL


@pytest.mark.parametrize("kind", [TotalVariation, L2Ambiguity, ChiSquared, KL, ReverseKL])
def test_walks_agree_with_rejection(kind):
    p0, u = np.array([0.2, 0.3, 0.5]), kind(0.2)
    rng = np.random.default_rng(1)
    plain = rng.dirichlet(np.ones(3), size=20_000)
    kept = plain[u.contains(plain, p0)]
    walked = u.sample(rng, p0, 3000)
    for place in range(3):
        assert ks_2samp(walked[:, place], kept[:, place]).pvalue > LEVEL
