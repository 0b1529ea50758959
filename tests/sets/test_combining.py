"""Product, Joint, PerEpisode and what may stand in what."""

import numpy as np
import pytest
from gymnasium import spaces

from robust_envs.sets import (
    L1,
    L2,
    Ellipsoid,
    Finite,
    Interval,
    Joint,
    Linf,
    PerEpisode,
    Product,
    Switch,
    joint,
    per_episode,
    per_step,
)

two, three = spaces.Box(-1, 1, (2,)), spaces.Box(-1, 1, (3,))
both = spaces.Dict(a=two, b=three, rest=two, choice=spaces.Discrete(3))


def test_product_lays_parts_out_in_its_own_order():
    s = Product({"b": Linf(1.0), "a": Linf(2.0)}).bind(both)
    assert s.slices == {"b": slice(0, 3), "a": slice(3, 5)}
    assert list(s.parts) == ["b", "a"]
    np.testing.assert_array_equal(s.bounds.high, [1, 1, 1, 2, 2])
    assert s != Product({"a": Linf(2.0), "b": Linf(1.0)}).bind(both)


def test_product_acts_on_each_part_by_itself():
    s = Product({"a": L2(5.0), "b": Finite([[0, 0, 0], [1, 1, 1]])}).bind(both)
    np.testing.assert_allclose(s.project([6.0, 8.0, 0.9, 0.9, 0.0]), [3, 4, 1, 1, 1])
    np.testing.assert_allclose(s.worst([3.0, 4.0, 1.0, 0.0, 0.0]), [-3, -4, 0, 0, 0])
    np.testing.assert_allclose(s.fit([3.0, 4.0, 1, 1, 1], -9, [1, 9, 0.5, 9, 9]), [1, 4, 0, 0, 0])
    assert s.contains([3.0, 4.0, 1, 1, 1])
    assert not s.contains([3.0, 4.1, 1, 1, 1])
    assert not s.contains([3.0, 4.0, 1, 1, 0])
    assert s.contains([3.0, 4.1, 1, 1, 1], [0, 0.2, 0, 0, 0])


def test_product_of_tuples_and_nested_parts():
    space = spaces.Tuple([two, spaces.Dict(x=three, y=two)])
    s = Product({1: Product({"y": Linf(1.0, names=("u", "v")), "x": L2(1.0)}), 0: L1(1.0)}).bind(space)
    assert s.dim == 7
    assert s.slices == {1: slice(0, 5), 0: slice(5, 7)}
    assert s.names == ("1.y.u", "1.y.v", "1.x[0]", "1.x[1]", "1.x[2]", "0[0]", "0[1]")


def test_product_scales_every_part():
    assert Product({"a": L2(1.0), "b": Interval(0.0, 2.0)}).scaled(0.5) == Product(
        {"a": L2(0.5), "b": Interval(0.0, 1.0)}
    )


def test_product_is_zero_or_monotone_when_all_parts_are():
    assert Product({"a": L2(0.0), "b": L2(0.0)}).is_zero
    assert not Product({"a": L2(0.0), "b": L2(0.1)}).is_zero
    assert Product({"a": L2(1.0), "b": Interval(-1.0, 1.0)}).monotone
    assert not Product({"a": L2(1.0), "b": Interval(0.5, 1.0)}).monotone


def test_product_parts_cannot_be_changed_from_outside():
    parts = {"a": L2(1.0)}
    s = Product(parts)
    parts["a"] = L2(9.0)
    assert s.parts["a"] == L2(1.0)
    with pytest.raises(TypeError):
        s.parts["a"] = L2(9.0)


@pytest.mark.parametrize(
    ("parts", "space", "sentence"),
    [
        ({"c": L2(1.0)}, both, "parts must be among .*'rest'.*, got part 'c'"),
        ({"chioce": L2(1.0)}, both, "got part 'chioce'; did you mean 'choice'?"),
        ({2: L2(1.0)}, spaces.Tuple([two]), r"parts must be among \[0\], got part 2"),
        ({"choice": Finite([1])}, both, "parts must be Box, Dict or Tuple spaces, got part 'choice'"),
        ({"a": L2(1.0, unit=(1.0, 2.0, 3.0))}, both, "part 'a': unit must have one entry for each of 2"),
        ({"a": L2(1.0)}, two, "Product cannot act on a Box space"),
        ({"a": L2(1.0)}, spaces.Discrete(3), "Product cannot act on a Discrete space"),
        ({"a": L2(1.0)}, 2, "Product must be bound to a Dict or Tuple space"),
    ],
)
def test_product_names_the_part_that_does_not_fit(parts, space, sentence):
    with pytest.raises(ValueError, match=sentence):
        Product(parts).bind(space)


def test_an_unbound_product_says_what_it_needs():
    s = Product({"a": L2(1.0)})
    assert s.dim is None
    assert s.names is None
    for act in (lambda: s.contains([0.0]), lambda: s.slices, lambda: s.bounds):
        with pytest.raises(ValueError, match=r"bound|bind"):
            act()


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: joint(joint(L2(1.0))), "joint cannot hold a Joint"),
        (lambda: joint(Product({"a": L2(1.0)})), "joint cannot hold a Product"),
        (lambda: joint(Switch(0.5)), "joint cannot hold a Switch"),
        (lambda: Product({"a": joint(L2(1.0))}), "put joint, per_episode and per_state outside"),
        (lambda: Product({"a": per_episode(L2(1.0))}), "put joint, per_episode and per_state outside"),
        (lambda: Product({"a": Switch(0.5)}), "parts must be plain sets"),
        (lambda: Product({}), "parts must not be empty"),
        (lambda: per_episode(Product({"a": L2(1.0)})), "per_episode must hold L1, L2 or Linf"),
        (lambda: per_episode(per_episode(L2(1.0))), "per_episode must hold L1, L2 or Linf"),
        (lambda: per_episode(Interval(0.0, 1.0)), "per_episode must hold L1, L2 or Linf"),
        (lambda: per_episode(Ellipsoid([[1.0]])), "per_episode must hold L1, L2 or Linf"),
        (lambda: per_episode(Finite([0.0])), "per_episode must hold L1, L2 or Linf"),
        (lambda: per_episode(joint(Finite([0.0]))), "per_episode must hold L1, L2 or Linf"),
        (lambda: per_episode(L2(1.0), horizon=0), "horizon must be a positive int, got horizon=0"),
        (lambda: per_step(per_episode(L2(1.0))), "per_step cannot hold a budget"),
        (lambda: per_step(joint(per_episode(L2(1.0)))), "per_step cannot hold a budget"),
    ],
)
def test_what_cannot_be_nested_is_refused(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: joint(0.5),
        lambda: per_step(0.5),
        lambda: per_episode(0.5),
        lambda: per_episode(L2(1.0), horizon=2.5),
        lambda: per_episode(L2(1.0), horizon=True),
        lambda: Product([L2(1.0)]),
        lambda: Product({"a": 0.5}),
        lambda: Product({1.5: L2(1.0)}),
    ],
)
def test_what_is_no_set_is_a_type_error(build):
    with pytest.raises(TypeError, match="must"):
        build()


def test_joint_and_per_episode_commute():
    assert joint(per_episode(L2(1.0), horizon=3)) == per_episode(joint(L2(1.0)), horizon=3)
    assert joint(per_episode(L2(1.0))) == Joint(PerEpisode(L2(1.0)))


def test_per_step_is_the_set_itself():
    for s in (L2(1.0), joint(L2(1.0)), Switch(0.1), Product({"a": L2(1.0)})):
        assert per_step(s) is s


def test_joint_has_a_radius_only_if_its_set_has_one():
    assert joint(L2(1.0)).radius == 1.0
    assert joint(L2(1.0)).with_radius(2.0) == joint(L2(2.0))
    assert not hasattr(joint(Interval(0.0, 1.0)), "radius")
    assert not hasattr(joint(Interval(0.0, 1.0)), "with_radius")


STEPS = np.array([[0.3, 0.0], [-0.2, 0.1], [0.0, 0.5]])


@pytest.mark.parametrize(
    ("kind", "spent", "left"),
    [
        (L1, [0.3, 0.6, 1.1], [1.7, 1.4, 0.9]),
        (L2, [0.09, 0.14, 0.39], np.sqrt([3.91, 3.86, 3.61])),
        (Linf, [0] * 3, [2] * 3),
    ],
)
def test_budgets_are_spent_by_their_norm(kind, spent, left):
    budget, total = per_episode(kind(2.0)).bind(2), 0.0
    for step, after, radius in zip(STEPS, spent, left, strict=True):
        total = budget.spend(total, step)
        assert isinstance(total, float)
        assert total == pytest.approx(after, rel=1e-15)
        assert budget.remaining(total) == pytest.approx(radius, rel=1e-15)
        assert budget.allowed(total) == kind(budget.remaining(total)).bind(2)


@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_budgets_count_in_units_and_pinned_coordinates_cost_nothing(kind):
    plain, measured = per_episode(kind(2.0)).bind(1), per_episode(kind(2.0, unit=(10.0, 0.0))).bind(2)
    assert measured.spend(0.25, np.array([5.0, 0.0])) == plain.spend(0.25, np.array([0.5]))


@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_spending_is_batched(kind):
    budget = per_episode(kind(2.0)).bind(2)
    spent = np.array([0.0, 0.1, 0.2])
    together = budget.spend(spent, STEPS)
    assert together.tolist() == [budget.spend(a, b) for a, b in zip(spent.tolist(), STEPS, strict=True)]
    assert budget.remaining(together).tolist() == [budget.remaining(t) for t in together.tolist()]


def test_spending_in_float32_counts_in_float64():
    budget = per_episode(L1(1.0)).bind(1)
    spent = 0.0
    for _ in range(1000):
        spent = budget.spend(spent, np.array([1e-4], np.float32))
    assert spent == pytest.approx(1000 * float(np.float32(1e-4)), rel=1e-12)


@pytest.mark.parametrize("kind", [L1, L2])
def test_a_budget_is_never_negative(kind):
    budget = per_episode(kind(1.0)).bind(1)
    assert budget.remaining(1.0 + 1e-9) == 0.0
    assert budget.allowed(5.0).is_zero


@pytest.mark.parametrize("c", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_greedy_episodes_stay_in_the_stacked_ball(kind, c):
    rng = np.random.default_rng(0)
    budget, spent, deltas = per_episode(kind(c, unit=(1.0, 3.0, 0.0))).bind(3), 0.0, []
    for _ in range(50):
        deltas.append(budget.allowed(spent).project(rng.normal(size=3) * c * rng.choice([0.01, 0.3])))
        spent = budget.spend(spent, deltas[-1])
    assert budget.plan_contains(deltas)
    assert not budget.plan_contains([*deltas, np.array([0.0, 3.5 * c, 0.0])])


@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_plans_are_whole_episodes_inside_the_ball(kind):
    budget = per_episode(kind(2.0, unit=(1.0, 0.0)), horizon=5).bind(2)
    plan = budget.plan_sample(np.random.default_rng(0))
    assert plan.shape == (5, 2)
    assert budget.plan_contains(plan)
    assert plan[:, 0].all()
    assert not plan[:, 1].any()


def test_worst_plans_against_a_constant_direction():
    g = np.array([0.0, 2.0])
    for kind, expected in (
        (L1, [[0, -3], [0, 0], [0, 0], [0, 0]]),
        (L2, [[0, -1.5]] * 4),
        (Linf, [[0, -3]] * 4),
    ):
        budget = per_episode(kind(3.0), horizon=4)
        np.testing.assert_allclose(budget.plan_worst(g), expected, atol=1e-15)
        assert budget.bind(2).plan_contains(budget.plan_worst(g))


def test_worst_plans_against_a_changing_direction():
    g = np.array([[3.0], [0.0], [-4.0]])
    np.testing.assert_allclose(per_episode(L2(5.0), horizon=3).plan_worst(g), [[-3], [0], [4]])
    np.testing.assert_allclose(per_episode(L1(5.0), horizon=3).plan_worst(g), [[0], [0], [5]])


def test_plans_need_a_horizon():
    budget = per_episode(L2(1.0)).bind(2)
    for act in (lambda: budget.plan_sample(np.random.default_rng(0)), lambda: budget.plan_worst([1.0, 0.0])):
        with pytest.raises(ValueError, match="horizon must be given to plan an episode"):
            act()


def test_budgets_work_on_torch():
    torch = pytest.importorskip("torch")
    budget = per_episode(L2(2.0)).bind(2)
    spent = budget.spend(torch.zeros(3, dtype=torch.float64), torch.as_tensor(STEPS))
    np.testing.assert_allclose(spent.numpy(), budget.spend(np.zeros(3), STEPS))
    np.testing.assert_allclose(budget.remaining(spent).numpy(), budget.remaining(spent.numpy()))
    plan = per_episode(L2(2.0), horizon=4).bind(2).plan_sample(torch.Generator().manual_seed(0))
    assert isinstance(plan, torch.Tensor)
    assert plan.shape == (4, 2)
    assert budget.plan_contains(plan)
