"""Projections and worst members against scipy and against known answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, linprog, lsq_linear

from robust_envs.sets import L1, L2, Budgeted, Ellipsoid, Finite, Interval, Linf

SEEDS = range(8)


def scene(seed, dim=4):
    """Half-widths over two decades, points a few half-widths out, directions."""
    rng = np.random.default_rng(seed)
    unit = 10.0 ** rng.uniform(-1, 1, size=dim)
    return unit, unit * rng.normal(size=dim) * 3, rng.normal(size=dim)


def secular(x, axes):
    """Project on an axis-aligned ellipsoid by root finding: an independent way to the same optimum."""
    if np.sum((x / axes) ** 2) <= 1:
        return x

    def excess(t):
        return np.sum((axes * x / (axes**2 + t)) ** 2) - 1

    t = brentq(excess, 0.0, np.linalg.norm(axes * x) + 1, xtol=1e-15, rtol=1e-14)
    return axes**2 * x / (axes**2 + t)


@pytest.mark.parametrize("seed", SEEDS)
def test_weighted_l1_projection_solves_the_quadratic_programme(seed):
    unit, x, _ = scene(seed)
    # The nearest point to x in the hull of the vertices +-r u_i e_i, by bounded least squares over their weights;
    # a heavy extra row holds their sum at 1.
    vertices = 1.5 * np.concatenate([np.diag(unit), -np.diag(unit)]).T
    heavy = 1e6
    system = np.concatenate([vertices, heavy * np.ones((1, 8))])
    solved = lsq_linear(system, np.append(x, heavy), (0, np.inf), method="bvls", tol=1e-14)
    near = L1(1.5, unit=unit).project(x)
    np.testing.assert_allclose(near, vertices @ solved.x, rtol=0, atol=1e-5)
    assert np.linalg.norm(x - near) <= np.linalg.norm(x - vertices @ solved.x / max(1.0, solved.x.sum())) + 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_weighted_l2_projection_solves_the_secular_equation(seed):
    unit, x, _ = scene(seed)
    np.testing.assert_allclose(L2(0.8, unit=unit).project(x), secular(x, 0.8 * unit), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_ellipsoid_projection_solves_the_secular_equation_in_its_frame(seed):
    unit, x, _ = scene(seed)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
    matrix = q @ np.diag(unit**2) @ q.T
    expected = q @ secular(q.T @ x, 0.7 * unit)
    np.testing.assert_allclose(Ellipsoid((matrix + matrix.T) / 2, 0.7).project(x), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
def test_worst_of_polyhedral_balls_solves_the_linear_programme(seed):
    unit, _, g = scene(seed)
    vertices = 1.5 * np.concatenate([np.diag(unit), -np.diag(unit)]).T
    hull = linprog(vertices.T @ g, A_eq=np.ones((1, 8)), b_eq=[1.0])
    assert L1(1.5, unit=unit).worst(g) @ g == pytest.approx(hull.fun, rel=1e-9)
    box = linprog(g, bounds=np.stack([-1.5 * unit, 1.5 * unit], axis=-1))
    assert Linf(1.5, unit=unit).worst(g) @ g == pytest.approx(box.fun, rel=1e-9)
    corners = linprog(g, bounds=np.stack([-unit, 2 * unit], axis=-1))
    assert Interval(-unit, 2 * unit).worst(g) @ g == pytest.approx(corners.fun, rel=1e-9)


@pytest.mark.parametrize("budget", [0.5, 1.0, 2.3, 4.0, 9.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_worst_of_a_budget_solves_the_linear_programme(seed, budget):
    unit, _, g = scene(seed)
    spent = linprog(-1.5 * unit * np.abs(g), A_ub=np.ones((1, 4)), b_ub=[budget], bounds=(0, 1))
    assert Budgeted(1.5, budget, unit=unit).worst(g) @ g == pytest.approx(spent.fun, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_budget_of_one_is_l1_and_of_all_is_linf(seed):
    unit, x, g = scene(seed)
    for budget, same in ((1.0, L1(1.5, unit=unit)), (4.0, Linf(1.5, unit=unit))):
        np.testing.assert_allclose(Budgeted(1.5, budget, unit=unit).project(x), same.project(x), rtol=0, atol=1e-12)
        assert Budgeted(1.5, budget, unit=unit).worst(g) @ g == pytest.approx(same.worst(g) @ g, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_worst_values_are_the_dual_norms(seed):
    # THEORY 1.2: box -sum delta_i |w_i|, L1 -rho |w|_inf, L2 -rho |w|_2, ellipsoid -rho |L' w|_2
    _, _, w = scene(seed)
    root = np.random.default_rng(seed).normal(size=(4, 4))
    assert Linf(0.3).worst(w) @ w == pytest.approx(-0.3 * np.abs(w).sum())
    assert L1(0.3).worst(w) @ w == pytest.approx(-0.3 * np.abs(w).max())
    assert L2(0.3).worst(w) @ w == pytest.approx(-0.3 * np.linalg.norm(w))
    assert Ellipsoid(root @ root.T, 0.3).worst(w) @ w == pytest.approx(-0.3 * np.linalg.norm(root.T @ w))


def test_known_projections():
    np.testing.assert_allclose(L1(1.0).project([0.8, 0.8]), [0.5, 0.5])
    np.testing.assert_allclose(L1(1.0).project([-3.0, 1.0, 0.0]), [-1.0, 0.0, 0.0])
    np.testing.assert_allclose(L1(2.0).project([2.0, 1.0, 0.0]), [1.5, 0.5, 0.0])
    np.testing.assert_allclose(L2(1.0, unit=(2.0, 1.0)).project([5.0, 0.0]), [2.0, 0.0])
    np.testing.assert_allclose(L2(1.0, unit=(1.0, 0.0)).project([0.5, 7.0]), [0.5, 0.0])
    np.testing.assert_allclose(L1(1.0, unit=(1.0, 0.0)).project([0.5, 7.0]), [0.5, 0.0])
    np.testing.assert_allclose(Interval(1.0, 2.0).project([0.0, 1.5, 3.0]), [1.0, 1.5, 2.0])
    np.testing.assert_allclose(Finite([0.0, 1.0, 4.0]).project([[0.4], [2.4], [9.0]]), [[0.0], [1.0], [4.0]])


def test_an_ellipse_with_a_known_nearest_point():
    # On x^2/4 + y^2 = 1 the normal at (sqrt 2, 1/sqrt 2) points along (1/2, 1) * sqrt 2 / ... = (1, 2).
    foot = np.array([np.sqrt(2), 1 / np.sqrt(2)])
    np.testing.assert_allclose(L2(1.0, unit=(2.0, 1.0)).project(foot + 3 * np.array([1.0, 2.0])), foot, rtol=1e-12)
    np.testing.assert_allclose(Ellipsoid(np.diag([4.0, 1.0])).project(foot + 0.01 * np.array([1, 2])), foot, rtol=1e-12)


def test_boundary_is_inside_and_a_little_more_is_outside():
    for ball in (Linf(0.1), L1(0.1), L2(0.1), Interval(-0.1, 0.1), Ellipsoid([[0.01]])):
        assert ball.contains([0.1])
        assert ball.contains([-0.1])
        assert not ball.contains([0.1 * (1 + 1e-13)])


def test_rounding_slack_is_measured_at_the_end_that_is_passed():
    assert not Interval(0.0, 1e12).contains([-1e-9])
    assert not Finite([0.0, 1e12]).contains([1e-9])
    assert not L2(1.0, unit=(1e-12, 1e12)).contains([1.001e-12, 0.0])


def test_contains_with_tolerance_asks_for_a_member_that_near():
    assert L1(1.0).contains([0.6, 0.6], 0.1)
    assert not L1(1.0).contains([0.6, 0.6], 0.09)
    assert L2(1.0).contains([1.1, 0.0], [0.1, 0.0])
    assert not L2(1.0).contains([1.1, 0.0], [0.0, 0.1])
    assert L2(0.0).contains([0.1], 0.1)
    assert Linf(1.0, unit=(1.0, 0.0)).contains([1.0, 0.01], [0.0, 0.01])
    np.testing.assert_array_equal(Linf(1.0).contains([[1.2], [1.2]], [[0.1], [0.3]]), [False, True])


def test_for_one_number_all_norms_agree():
    x = np.linspace(-2, 2, 41)[:, None]
    for other in (L1(0.5), L2(0.5), Interval(-0.5, 0.5), Ellipsoid([[0.25]])):
        np.testing.assert_allclose(other.project(x), Linf(0.5).project(x), rtol=1e-14)
        np.testing.assert_allclose(other.worst(x), Linf(0.5).worst(x), rtol=1e-14)
        np.testing.assert_array_equal(other.contains(x), Linf(0.5).contains(x))


def test_unit_one_is_no_unit():
    x = np.random.default_rng(0).normal(size=(50, 3))
    for kind in (Linf, L1, L2):
        np.testing.assert_array_equal(kind(0.5, unit=1.0).project(x), kind(0.5).project(x))
        np.testing.assert_array_equal(kind(0.5, unit=(2.0, 2.0, 2.0)).worst(x), kind(1.0).worst(x))


numbers = st.floats(1e-6, 1e6)


@settings(deadline=None, max_examples=150)
@given(
    unit=st.lists(st.sampled_from([0.0, 1e-6, 0.1, 1.0, 1.0, 30.0, 1e6]), min_size=1, max_size=5),
    data=st.data(),
    radius=numbers,
    kind=st.sampled_from([L1, L2, Linf]),
)
def test_projection_meets_the_variational_inequality_at_all_vertices_and_scales(unit, data, radius, kind):
    size = st.sampled_from([0.0, 1.0, 0.5, 1.0 + 1e-12, 1e-9, 1e9]).flatmap(lambda a: numbers.map(lambda b: a * b))
    x = np.array(data.draw(st.lists(size, min_size=len(unit), max_size=len(unit))))
    ball = kind(radius, unit=unit).bind(len(unit))
    near = ball.project(x)
    assert ball.contains(near)
    np.testing.assert_array_equal(ball.project(near), near)
    others = np.concatenate([ball.grid(2 * len(unit)), ball.worst(near - x)[None], ball.worst(-x)[None]])
    gap = np.sum((x - near) * (others - near), axis=-1)
    rounding = 1e-15 * np.linalg.norm(x)  # what x - near itself may be off by
    assert np.all(gap <= (1e-9 * np.linalg.norm(x - near) + rounding) * radius * max(unit) + 1e-300)
