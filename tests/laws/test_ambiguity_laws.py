"""Laws of all sets of distributions (THEORY 1.7): one table of sets, each with the laws it claims."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from ambiguity_rows import rows
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_envs import sets
from robust_envs.sets import (
    KL,
    AmbiguitySet,
    ChiSquared,
    Contamination,
    CVaR,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    Scenarios,
    TotalVariation,
    Wasserstein,
)

ASKED = settings.default.max_examples
few = settings(max_examples=25 if ASKED <= 100 else ASKED)  # for each of ten sets; the nightly profile asks for more
rare = settings(max_examples=8 if ASKED <= 100 else ASKED)  # where one example takes a fraction of a second
TIGHT = 1e-10  # of the range of the values


@dataclass(frozen=True)
class Case:
    """A kind of set, its radii (growing with the set), and which of the laws it claims."""

    make: object
    radii: tuple = (0.0, 1e-12, 1e-4, 0.1, 0.5, 1.3, 50.0)
    on_support: bool = False  # never leaves the support, at whatever radius
    symmetric: bool = True  # no place is different from another
    projects: bool = True
    scenarios: bool = False
    saturates: bool = True


def ring(radius, n, **more):
    """Wasserstein on points of a line with uneven gaps."""
    at = np.cumsum([0.0, 1.0, 0.3, 2.0, 0.7, 1.1, 0.2][:n])
    return Wasserstein(radius, np.abs(at[:, None] - at), **more)


def plain(kind):
    return lambda radius, n, **more: kind(radius, **more)


CASES = {
    "tv": Case(plain(TotalVariation)),
    "l1": Case(plain(L1Ambiguity)),
    "linf": Case(plain(LinfAmbiguity)),
    "l2": Case(plain(L2Ambiguity)),
    "kl": Case(plain(KL), on_support=True),
    "reverse kl": Case(plain(ReverseKL), projects=False, saturates=False),
    "chi-squared": Case(plain(ChiSquared), on_support=True, radii=(0.0, 1e-12, 1e-4, 0.1, 0.5, 1.3, 1e4)),
    "contamination": Case(plain(Contamination), radii=(0.0, 1e-12, 1e-4, 0.1, 0.5, 0.9, 1.0)),
    "cvar": Case(lambda alpha, n, **_: CVaR(alpha), (1.0, 0.999999, 0.9, 0.5, 0.3, 0.1, 1e-9), on_support=True),
    "wasserstein": Case(ring, symmetric=False, projects=False),
}


def table(*flags, **without):
    chosen = {k: c for k, c in CASES.items() if all(getattr(c, f) for f in flags)}
    chosen = {k: c for k, c in chosen.items() if all(getattr(c, f) == value for f, value in without.items())}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen.keys())


def scale(*values):
    return max(1e-300, *(np.ptp(v) + 1e-5 * np.max(np.abs(v)) for v in values))


def draw_set(case, data, n, **more):
    place = data.draw(st.integers(0, len(case.radii) - 1))
    return case.make(case.radii[place], n, **more)


@table()
@few
@given(row=rows(), data=st.data())
def test_p1_the_worst_case_is_a_member_that_attains_the_value(case, row, data):
    p0, v = row
    u = draw_set(case, data, len(v), **({} if case.on_support else {"support_only": data.draw(st.booleans())}))
    value, p = u.worst_case(v, p0)
    assert np.all(p >= 0)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert u.contains(p, p0, 1e-9)
    assert value == np.sum(p * v)
    if u.support_only or case.on_support:
        assert not p[p0 == 0].any()


@table()
@few
@given(row=rows(), data=st.data())
def test_p2_p11_worst_is_between_the_least_and_the_mean_and_best_above_it(case, row, data):
    p0, v = row
    u = draw_set(case, data, len(v))
    value, give = u.worst_case(v, p0)[0], TIGHT * scale(v)
    assert v.min() - give <= value <= p0 @ v + give
    assert -u.worst_case(-v, p0)[0] >= p0 @ v - give


@table()
@few
@given(row=rows())
def test_p3_radius_zero_is_the_nominal(case, row):
    p0, v = row
    np.testing.assert_array_equal(case.make(case.radii[0], len(v)).worst_case(v, p0)[1], p0)


@table()
@few
@given(row=rows())
def test_p4_a_larger_set_has_a_lower_worst_case(case, row):
    p0, v = row
    values = [case.make(radius, len(v)).worst_case(v, p0)[0] for radius in case.radii]
    assert np.all(np.diff(values) <= TIGHT * scale(v))


@table()
@few
@given(row=rows(), data=st.data(), shift=st.floats(-5, 5), factor=st.sampled_from([1e-9, 0.5, 3.0, 1e9]))
def test_p5_p6_shifts_pass_through_and_factors_come_out(case, row, data, shift, factor):
    p0, v = row
    u, size = draw_set(case, data, len(v)), scale(v)
    value = u.worst_case(v, p0)[0]
    assert u.worst_case(v + shift * size, p0)[0] == pytest.approx(value + shift * size, abs=1e-9 * size)
    assert u.worst_case(factor * v, p0)[0] == pytest.approx(factor * value, abs=1e-9 * factor * size)


@table()
@few
@given(row=rows(), data=st.data())
def test_p7_p8_p9_p10_concave_monotone_contracting_and_supported_by_its_minimiser(case, row, data):
    p0, v = row
    n = len(v)
    u = draw_set(case, data, n)
    w = v + scale(v) * np.array(data.draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n)))
    (at_v, p), (at_w, _), (at_both, _) = u.worst_case(v, p0), u.worst_case(w, p0), u.worst_case(v + w, p0)
    give = 1e-9 * scale(v, w)
    assert at_both >= at_v + at_w - give
    assert abs(at_v - at_w) <= np.max(np.abs(v - w)) + give
    assert at_w <= p @ w + give
    assert u.worst_case(np.maximum(v, w), p0)[0] >= max(at_v, at_w) - give


@table("symmetric")
@few
@given(row=rows(), data=st.data())
def test_p12_renaming_the_places_changes_nothing(case, row, data):
    p0, v = row
    u, order = draw_set(case, data, len(v)), np.array(data.draw(st.permutations(range(len(v)))))
    assert u.worst_case(v[order], p0[order])[0] == pytest.approx(u.worst_case(v, p0)[0], abs=TIGHT * scale(v))


@table("saturates")
@few
@given(row=rows())
def test_p13_a_large_enough_radius_reaches_the_least_value(case, row):
    p0, v = row
    least = v[p0 > 0].min() if case.on_support else v.min()
    assert case.make(case.radii[-1], len(v)).worst_case(v, p0)[0] == pytest.approx(least, abs=1e-9 * scale(v))


@few
@given(row=rows(), radius=st.sampled_from([1e-4, 0.1, 0.5, 1.3]), price=st.floats(0.01, 20), place=st.integers(0, 5))
def test_p14_every_dual_price_bounds_the_worst_case_from_below(row, radius, price, place):
    p0, v = row
    v, eta = v / scale(v), v[place % len(v)] / scale(v)
    low = v[p0 > 0].min()
    mean_exp = p0 @ np.where(p0 > 0, np.exp(-(np.maximum(v, low) - low) / price), 0)
    assert KL(radius).worst_case(v, p0)[0] >= low - price * np.log(mean_exp) - price * radius - 1e-9
    cut = np.minimum(v, eta)
    spread = p0 @ (cut - p0 @ cut) ** 2
    assert ChiSquared(radius).worst_case(v, p0)[0] >= p0 @ cut - np.sqrt(radius * spread) - 1e-9
    assert TotalVariation(radius).worst_case(v, p0)[0] >= p0 @ cut - radius * (eta - v.min()) - 1e-9


@few
@given(row=rows(), r=st.sampled_from([0.0, 0.01, 0.1, 0.4, 0.9]))
def test_relations_between_the_sets(row, r):
    p0, v = row
    give, n = 1e-9 * scale(v), len(v)

    def worst(u):
        return u.worst_case(v, p0)[0]

    tv = worst(TotalVariation(r))
    for same in (L1Ambiguity(2 * r), Wasserstein(r, 1.0 - np.eye(n))):
        assert worst(same) == pytest.approx(tv, abs=give)
    for smaller in (Contamination(r), KL(2 * r**2), ReverseKL(2 * r**2), ChiSquared(4 * r**2)):
        assert worst(smaller) >= tv - give
    assert worst(ChiSquared(r)) >= worst(KL(r)) - give
    assert worst(L1Ambiguity(r)) >= worst(L2Ambiguity(r)) - give >= worst(L1Ambiguity(np.sqrt(n) * r)) - 2 * give
    sum_zero = p0 @ v - r * np.linalg.norm(v - v.mean())
    assert sum_zero <= worst(L2Ambiguity(r)) + give
    assert worst(CVaR(1 - r)) == pytest.approx(worst(CVaR([1 - r])), abs=0)


@table()
@rare
@given(row=rows(), data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_no_sample_is_below_the_worst_case_and_all_are_members(case, row, data, seed):
    p0, v = row
    u = draw_set(case, data, len(v))
    drawn = u.sample(np.random.default_rng(seed), p0, 2)
    assert drawn.shape == (2, len(v))
    assert u.contains(drawn, p0, 1e-9).all()
    assert np.all(drawn @ v >= u.worst_case(v, p0)[0] - 1e-8 * scale(v))


@table("projects")
@rare
@given(row=rows(), data=st.data())
def test_projection_is_inside_idempotent_and_nearest(case, row, data):
    p0, _ = row
    n = len(p0)
    u = draw_set(case, data, n)
    q = np.array(data.draw(st.lists(st.floats(0.01, 2), min_size=n, max_size=n)))
    near = u.project(q, p0)
    assert u.contains(near, p0, 1e-8)
    if isinstance(u, KL):
        if np.all(near[p0 > 0] > 0):
            np.testing.assert_allclose(u.project(near, p0), near, atol=1e-6)
        return  # the information projection is not Euclidean
    np.testing.assert_allclose(u.project(near, p0), near, rtol=0, atol=1e-7)
    # <q - near, other - near> <= 0 for every other member: the largest such product is a worst case.
    least = u.worst_case(near - q, p0)[0]
    assert least >= (near - q) @ near - 1e-6


@table()
@pytest.mark.parametrize("n", [1, 2, 7])
def test_batched_equals_looped_and_radii_may_be_arrays(case, n):
    rng = np.random.default_rng(3)
    v, p0 = rng.normal(size=(4, 1, n)), rng.dirichlet(np.ones(n), size=3)
    radii = np.array(case.radii)[rng.integers(0, len(case.radii), size=(4, 3))]
    value, p = case.make(radii, n).worst_case(v, p0)
    assert value.shape == (4, 3)
    assert p.shape == (4, 3, n)
    for i, j in np.ndindex(4, 3):
        one, row = case.make(radii[i, j], n).worst_case(v[i, 0], p0[j])
        assert one == pytest.approx(value[i, j], abs=1e-12)
        np.testing.assert_allclose(row, p[i, j], rtol=0, atol=1e-9)
    assert case.make(radii, n).contains(p, p0, 1e-9).all()


@table()
def test_many_rows_in_pieces_equal_rows_on_their_own(case):
    rng = np.random.default_rng(4)
    v, p0 = rng.normal(size=(20_000, 5)), rng.dirichlet(np.ones(5), size=20_000)
    u = case.make(case.radii[3], 5)
    value = u.worst_case(v, p0)[0]
    np.testing.assert_allclose(value[::997], u.worst_case(v[::997], p0[::997])[0], rtol=0, atol=1e-12)


@table()
@pytest.mark.parametrize("radius", range(7))
def test_torch_equals_numpy_and_its_gradient_is_the_minimiser(case, radius):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    v, p0 = rng.normal(size=(50, 6)), rng.dirichlet(np.full(6, 0.5), size=50)
    u = case.make(case.radii[radius], 6)
    value, p = u.worst_case(v, p0)
    at = torch.tensor(v, requires_grad=True)
    ours, q = u.worst_case(at, torch.tensor(p0))
    np.testing.assert_allclose(ours.detach().numpy(), value, rtol=0, atol=1e-10)
    np.testing.assert_allclose(q.numpy(), p, rtol=0, atol=1e-7)
    ours.sum().backward()
    np.testing.assert_array_equal(at.grad.numpy(), q.numpy())
    assert u.contains(q, torch.tensor(p0), 1e-9).all()
    drawn = u.sample(torch.Generator().manual_seed(0), torch.tensor(p0[:3]))
    assert isinstance(drawn, torch.Tensor)
    assert u.contains(drawn, torch.tensor(p0[:3]), 1e-5).all()


@table()
@pytest.mark.parametrize("radius", range(7))
def test_single_precision_is_close_to_double(case, radius):
    rng = np.random.default_rng(6)
    p0 = rng.integers(0, 5, size=(50, 6)).astype(np.float32) + np.float32(0.125) * (np.arange(6) == 0)
    p0, v = (p0 / p0.sum(-1, keepdims=True)).astype(np.float32), rng.normal(size=(50, 6)).astype(np.float32)
    u = case.make(case.radii[radius], 6)
    value, p = u.worst_case(v, p0)
    assert value.dtype == p.dtype == np.float32
    exact = p0.astype(float) / p0.astype(float).sum(-1, keepdims=True)
    np.testing.assert_allclose(value, u.worst_case(v.astype(float), exact)[0], rtol=0, atol=2e-4)
    assert u.contains(p, p0, 1e-4).all()


@table()
def test_ten_thousand_places(case):
    if case.make is ring:
        pytest.skip("the metric alone would hold a hundred million numbers")
    rng = np.random.default_rng(7)
    v, p0 = rng.normal(size=10_000), rng.dirichlet(np.full(10_000, 0.1))
    u = case.make(case.radii[3], 10_000)
    value, p = u.worst_case(v, p0)
    assert u.contains(p, p0, 1e-9)
    assert v.min() <= value < p0 @ v


@table()
@pytest.mark.parametrize("values", [[0.0, 5e-324], [-1e308, 1e308], [1e300, 1e300 * (1 + 1e-15)], [0.0, 1e-310]])
def test_values_of_any_size_give_a_member(case, values):
    for radius in case.radii:
        u = case.make(radius, 2)
        value, p = u.worst_case(values, [0.25, 0.75])
        assert np.isfinite(value)
        assert u.contains(p, [0.25, 0.75], 1e-9)


@table()
def test_ambiguity_sets_are_values(case):
    u = case.make(case.radii[3], 4)
    u.worst_case([1.0, 2.0, 3.0, 4.0], [0.25] * 4)
    for other in (copy.deepcopy(u), pickle.loads(pickle.dumps(u)), eval(repr(u), vars(sets))):
        assert other == u
        assert hash(other) == hash(u)
    assert case.make(case.radii[2], 4) != u
    assert isinstance(u, AmbiguitySet)


def test_scenarios_pick_the_worst_member():
    rng = np.random.default_rng(8)
    members, v = rng.dirichlet(np.ones(4), size=5), rng.normal(size=(30, 4))
    u = Scenarios(members)
    value, p = u.worst_case(v)
    np.testing.assert_allclose(value, (v @ members.T).min(-1))
    assert u.contains(p).all()
    assert not u.contains(members.mean(0))
    np.testing.assert_array_equal(u.project(members + 1e-3), members)
    assert u.contains(u.sample(np.random.default_rng(0), shape=9)).all()
    assert eval(repr(u), vars(sets)) == u
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(u.worst_case(torch.tensor(v))[0].numpy(), value)


@pytest.mark.parametrize("kind", [L1Ambiguity, L2Ambiguity, LinfAmbiguity])
@few
@given(data=st.data(), radius=st.sampled_from([0.0, 0.01, 0.3, 1.0, 9.0]), seed=st.integers(0, 99))
def test_a_shared_budget_is_spent_where_it_hurts_most(kind, data, radius, seed):
    rng = np.random.default_rng(seed)
    p0, v, policy = rng.dirichlet(np.ones(4), size=3), rng.integers(-3, 4, size=(3, 4)), rng.dirichlet(np.ones(3))
    value, p = kind(radius).worst_case_srect(v, p0, policy)
    alone, _ = kind(radius).worst_case(v, p0)
    assert value == pytest.approx(policy @ np.sum(p * v, axis=-1))
    change = {L1Ambiguity: 1, L2Ambiguity: 2, LinfAmbiguity: np.inf}[kind]
    assert np.linalg.norm((p - p0).ravel(), change) <= radius + 1e-9
    assert np.all(p >= 0)
    np.testing.assert_allclose(p.sum(-1), 1)
    assert value >= policy @ alone - 1e-9  # a budget for each action is more
    one = np.zeros(3)
    one[data.draw(st.integers(0, 2))] = 1.0  # a policy of one action: everything goes there
    assert kind(radius).worst_case_srect(v, p0, one)[0] == pytest.approx(one @ alone, abs=1e-9)
