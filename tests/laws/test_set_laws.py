"""Laws of all uncertainty sets: one table of sets, each with the laws it claims."""

import copy
import pickle

import cloudpickle
import numpy as np
import pytest
from set_cases import N, table

from robust_envs import sets
from robust_envs.sets import Ellipsoid


def eps(case):
    return 1e-9 * max(case.reach, 1e-300)


@table("nominal")
def test_nominal_is_inside(case):
    assert case.set.contains(np.zeros(case.set.dim))


@table()
def test_nominal_is_outside_where_not_claimed(case):
    assert bool(case.set.contains(np.zeros(case.set.dim))) == case.nominal


@table()
def test_samples_are_inside(case):
    drawn = case.members(n=2000)
    assert drawn.shape == (2000, case.set.dim)
    assert drawn.dtype == np.float64
    assert case.set.contains(drawn).all()


@table()
def test_sample_shapes(case):
    rng = np.random.default_rng(0)
    assert case.set.sample(rng).shape == (case.set.dim,)
    assert case.set.sample(rng, 3).shape == (3, case.set.dim)
    assert case.set.sample(rng, (2, 3)).shape == (2, 3, case.set.dim)
    assert case.set.sample(rng, (0,)).shape == (0, case.set.dim)


@table("blocks")
def test_a_block_of_draws_equals_single_draws(case):
    one, many = np.random.default_rng(5), np.random.default_rng(5)
    single, block = np.stack([case.set.sample(one) for _ in range(7)]), case.set.sample(many, (7,))
    # Turning by a matrix rounds differently for one row and for many; all other sets agree bit for bit.
    np.testing.assert_allclose(single, block, rtol=0, atol=1e-15 * case.reach * isinstance(case.set, Ellipsoid))
    assert one.random() == many.random()


@table()
def test_pinned_coordinates_stay_zero(case):
    drawn, near, hard = case.members(), case.set.project(case.points()), case.extremes()
    moves = np.any(np.concatenate([drawn, near, hard]) != 0, axis=0)
    assert tuple(np.flatnonzero(~moves)) == case.pinned


@table()
def test_projection_is_inside(case):
    assert case.set.contains(case.set.project(case.points())).all()


@table()
def test_projection_is_idempotent(case):
    once = case.set.project(case.points())
    np.testing.assert_array_equal(case.set.project(once), once)


@table()
def test_projection_leaves_members_alone(case):
    np.testing.assert_allclose(case.set.project(case.members()), case.members(), rtol=0, atol=1e-14 * case.reach)


@table("convex")
def test_projection_is_nearest_by_the_variational_inequality(case):
    x = case.points()
    near = case.set.project(x)
    others = np.concatenate([case.members(), case.extremes(), case.set.grid(20)])
    angle = np.einsum("ni,nmi->nm", x - near, others[None] - near[:, None])
    scale = np.linalg.norm(x - near, axis=-1, keepdims=True) * max(case.reach, 1e-300)
    assert np.all(angle <= 1e-9 * scale + 1e-300)


@table()
def test_projection_is_not_farther_than_any_member(case):
    x = case.points()
    distance = np.linalg.norm(x - case.set.project(x), axis=-1, keepdims=True)
    others = np.concatenate([case.members(), case.extremes()])
    assert np.all(distance <= np.linalg.norm(x[:, None] - others[None], axis=-1) * (1 + 1e-12) + eps(case))


@table()
def test_worst_is_inside_and_not_above_any_member(case):
    direction = np.random.default_rng(7).normal(size=(N, case.set.dim)) * 10.0 ** np.linspace(-12, 12, N)[:, None]
    hard = case.set.worst(direction)
    assert case.set.contains(hard).all()
    value = np.sum(direction * hard, axis=-1, keepdims=True)
    others = np.concatenate([case.members(), case.set.project(case.points()), case.set.grid(20)])
    assert np.all(value <= direction @ others.T + eps(case) * np.linalg.norm(direction, axis=-1, keepdims=True))


@table()
def test_worst_of_direction_zero_is_inside(case):
    assert case.set.contains(case.set.worst(np.zeros((2, case.set.dim)))).all()


@table("radius")
def test_sets_grow_with_their_radius(case):
    bigger, smaller = (case.set.with_radius(case.set.radius * c) for c in (1.5, 0.5))
    assert bigger.radius == case.set.radius * 1.5
    assert bigger.contains(case.extremes()).all()
    assert case.set.contains(smaller.worst(case.points())).all()
    if not case.set.is_zero:
        assert not smaller.contains(case.extremes()).any()


@table("radius")
def test_radius_zero_is_a_point(case):
    point = case.set.with_radius(0.0)
    assert point.is_zero
    assert not point.sample(np.random.default_rng(0), (5,)).any()
    assert not point.project(case.points()).any()
    assert not point.worst(case.points()).any()


@table()
def test_scaled_by_zero_is_zero(case):
    point = case.set.scaled(0.0)
    assert point.is_zero
    assert point.contains(np.zeros(case.set.dim))
    assert not point.sample(np.random.default_rng(0), (5,)).any()
    assert not point.project(case.points()).any()
    assert not point.worst(case.points()).any()
    assert not point.contains(np.full(case.set.dim, 1e-300))


@table()
def test_is_zero_says_whether_anything_can_move(case):
    assert case.set.is_zero == (not np.any(case.members()) and not np.any(case.extremes()))


@table()
def test_scaling_by_one_changes_nothing(case):
    assert case.set.scaled(1.0) == case.set


@pytest.mark.parametrize("c", [1e-12, 0.5, 3.0, 1e12])
@table()
def test_everything_scales_with_the_set(case, c):
    big, x = case.set.scaled(c), case.points()
    unit = max(case.reach, 1e-300)
    np.testing.assert_allclose(big.project(c * x) / c, case.set.project(x), rtol=0, atol=1e-9 * unit)
    np.testing.assert_allclose(big.worst(x) / c, case.set.worst(x), rtol=0, atol=case.tight * unit)
    drawn = big.sample(np.random.default_rng(2), (N,))
    np.testing.assert_allclose(drawn / c, case.members(), rtol=0, atol=1e-12 * unit)
    assert big.contains(drawn).all()
    assert big.contains(big.project(c * x)).all()
    outside = case.extremes() * 1.01
    np.testing.assert_array_equal(big.contains(c * outside), case.set.contains(outside))


@pytest.mark.parametrize("c", [1e-12, 1e12])
@table()
def test_projection_copes_with_points_of_any_size(case, c):
    x = c * case.points()
    near = case.set.project(x)
    assert np.isfinite(near).all()
    assert case.set.contains(near).all()


@table()
def test_batched_equals_looped(case):
    s, x = case.set, case.points(n=24)
    cube = x.reshape(2, 3, 4, s.dim)
    for act in (s.project, s.worst, lambda d: s.contains(d)[..., None], lambda d: s.fit(s.project(d), *hull(s))):
        looped = np.stack([act(row) for row in x])
        np.testing.assert_allclose(
            act(cube).reshape(looped.shape), looped, rtol=1e-12, atol=case.tight / 10 * case.reach
        )


def hull(s):
    """Limits wide enough that every set here has a member between them."""
    return 0.9 * np.minimum(s.bounds.low, 0), 0.9 * np.maximum(s.bounds.high, 0) + (0.2 if not nominal_inside(s) else 0)


def nominal_inside(s):
    return bool(s.contains(np.zeros(s.dim)))


@table()
def test_torch_equals_numpy(case):
    torch = pytest.importorskip("torch")
    s, x = case.set, case.points()
    low, high = hull(s)
    for act in (
        lambda d, low, high: s.project(d),
        lambda d, low, high: s.worst(d),
        lambda d, low, high: s.contains(d),
        lambda d, low, high: s.contains(d, abs(d) / 2),
        lambda d, low, high: s.fit(s.project(d), low, high),
    ):
        ours, theirs = act(x, low, high), act(*map(torch.as_tensor, (x, low, high)))
        assert isinstance(theirs, torch.Tensor)
        np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-9, atol=1e-12 * case.reach)


@table()
def test_torch_generator_gives_torch_samples_inside(case):
    torch = pytest.importorskip("torch")
    drawn = case.set.sample(torch.Generator().manual_seed(0), (50, 4))
    again = case.set.sample(torch.Generator().manual_seed(0), (50, 4))
    assert drawn.shape == (50, 4, case.set.dim)
    assert drawn.dtype == torch.get_default_dtype()
    assert torch.equal(drawn, again)
    assert case.set.contains(drawn).all()
    spread, expected = drawn.reshape(-1, case.set.dim).std(0).numpy(), case.members(n=2000).std(0)
    np.testing.assert_allclose(spread, expected, rtol=0.4, atol=1e-6 * max(case.reach, 1e-9))


@table()
def test_float32_is_close_to_float64_and_inside(case):
    s, x = case.set, case.points().astype(np.float32)
    for act in (s.project, s.worst):
        short, long = act(x), act(x.astype(np.float64))
        assert short.dtype == np.float32
        assert s.contains(short).all()
        np.testing.assert_allclose(
            short, long, rtol=0, atol=2e-3 * case.reach if act == s.project else 1e-5 * case.reach
        )
    assert s.contains(case.members().astype(np.float32)).all()


@table()
def test_fit_is_inside_set_and_box(case):
    s, delta = case.set, np.concatenate([case.members(), case.extremes()])
    rng = np.random.default_rng(9)
    low, high = (rng.uniform(0, 1, size=delta.shape) * side for side in hull(s))
    low[rng.random(low.shape) < 0.2], high[rng.random(high.shape) < 0.2] = -np.inf, np.inf
    if not case.nominal:
        low, high = hull(s)
    fitted = s.fit(delta, low, high)
    assert fitted.shape == delta.shape
    assert np.all((fitted >= low) & (fitted <= high))
    assert s.contains(fitted).all()
    already = np.all((delta >= low) & (delta <= high), axis=-1)
    np.testing.assert_array_equal(fitted[already], delta[already])


@table()
def test_fit_without_limits_changes_nothing(case):
    delta = case.members()
    np.testing.assert_array_equal(case.set.fit(delta, -np.inf, np.inf), delta)


@table()
def test_bounds_hold_all_members_and_are_attained(case):
    bounds, axes = case.set.bounds, np.eye(case.set.dim)
    assert bounds.dtype == np.float64
    assert bounds.shape == (case.set.dim,)
    drawn = np.concatenate([case.members(n=2000), case.set.project(case.points())])
    give = 1e-12 * case.reach
    assert np.all((drawn >= bounds.low - give) & (drawn <= bounds.high + give))
    np.testing.assert_allclose(np.diag(case.set.worst(axes)), bounds.low, rtol=1e-12, atol=give)
    np.testing.assert_allclose(np.diag(case.set.worst(-axes)), bounds.high, rtol=1e-12, atol=give)


@table()
def test_monotone_sets_hold_everything_nearer_to_zero(case):
    shrink = np.random.default_rng(4).uniform(size=(20, 1, case.set.dim)) * [[[1.0]]]
    shrink[:5] = np.round(shrink[:5])
    members = np.concatenate([case.members(), case.extremes(), case.set.grid(8)])
    stays = case.set.contains(members * shrink)
    assert stays.all() == case.set.monotone


@table()
def test_grid_lists_members(case):
    points = case.set.grid(3 * 2 * case.set.dim)
    assert points.shape == (6 * case.set.dim, case.set.dim)
    assert case.set.contains(points).all()
    np.testing.assert_array_equal(case.set.grid(2), points[:2])


@table("convex")
def test_grid_rings_are_extreme_and_then_shrink(case):
    free = [i for i in range(case.set.dim) if i not in case.pinned]
    if not free:
        assert not case.set.grid(4).any()
        return
    rings = case.set.grid(6 * len(free)).reshape(3, len(free), 2, case.set.dim)
    for k, i in enumerate(free):
        tops, give = (case.set.bounds.high[i], case.set.bounds.low[i]), 1e-12 * case.reach
        np.testing.assert_allclose(rings[0, k, :, i], tops, rtol=1e-12, atol=give)
    centre = case.set.project(np.zeros(case.set.dim))
    for turn in (1, 2):
        np.testing.assert_allclose((rings[turn] - centre) * (turn + 1), rings[0] - centre, atol=1e-12 * case.reach)


@table()
def test_nan_and_infinity_are_never_inside(case):
    for bad in (np.nan, np.inf, -np.inf):
        for i in range(case.set.dim):
            delta = case.members(n=1)[0]
            delta[i] = bad
            assert not case.set.contains(delta)


@table()
def test_tolerance_lets_neighbours_pass(case):
    rng = np.random.default_rng(6)
    members = np.concatenate([case.members(), case.extremes()])
    tolerance = rng.uniform(0, 0.1, size=members.shape) * max(case.reach, 1.0)
    near = members + tolerance * rng.uniform(-1, 1, size=members.shape)
    assert case.set.contains(near, tolerance * (1 + 1e-12)).all()
    far = members.copy()
    far[:, 0] = case.set.bounds.high[0] + 0.2
    assert not case.set.contains(far, 0.1).any()
    assert not case.set.contains(far).any()


@table()
def test_a_set_is_a_value(case):
    s = case.set
    copies = [copy.copy(s), copy.deepcopy(s), pickle.loads(pickle.dumps(s)), cloudpickle.loads(cloudpickle.dumps(s))]
    if case.evaluates:
        copies.append(eval(repr(s), {name: getattr(sets, name) for name in sets.__all__}))
    for other in copies:
        assert other == s
        assert hash(other) == hash(s)
        assert repr(other) == repr(s)
        np.testing.assert_array_equal(
            other.sample(np.random.default_rng(0), (3,)), s.sample(np.random.default_rng(0), (3,))
        )
    fresh = pickle.loads(pickle.dumps(s))
    s.project(case.points())
    assert len(pickle.dumps(s)) == len(pickle.dumps(fresh))  # no arrays from use travel along
    assert s.scaled(2.0) != s or s.is_zero


@table()
def test_operations_leave_their_input_alone(case):
    x = case.points()
    kept = x.copy()
    for result in (case.set.project(x), case.set.worst(x), case.set.fit(case.members(), -np.inf, np.inf)):
        result += 1.0  # must be an array of its own
    np.testing.assert_array_equal(x, kept)
    assert case.set.contains(case.members()).all()


@table()
def test_binding_again_changes_nothing(case):
    assert case.set.bind(case.set.dim) == case.set
