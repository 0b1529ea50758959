"""Finite sets on numbers and on actions, and Switch."""

import numpy as np
import pytest
from gymnasium import spaces

from robust_envs.sets import Finite, Switch

actions = spaces.Discrete(4, start=2)


def test_numbers_stand_for_members_of_one_coordinate():
    assert Finite([0.0, 0.1]) == Finite([[0.0], [0.1]])
    assert Finite(np.array([0.0, 0.1])) == Finite([0, 0.1])
    assert Finite([0.0, 0.1]).members == ((0.0,), (0.1,))


def test_scaling_scales_the_members_on_numbers():
    assert Finite([1.0, -2.0]).bind(1).scaled(0.5) == Finite([0.5, -1.0]).bind(1)
    assert Finite([1.0, -2.0]).scaled(0.5).bind(1) == Finite([0.5, -1.0]).bind(1)
    np.testing.assert_array_equal(Finite([1.0, -2.0]).scaled(2.0).worst([1.0]), [-4.0])


def test_actions_are_the_members_on_discrete():
    s = Finite([2, 5]).bind(actions)
    assert s.actions == (2, 5)
    assert s.dim == 1
    assert s.bind(actions) == s
    assert not s.is_zero
    assert s.contains([5.0])
    assert not s.contains([3.0])
    assert set(s.sample(np.random.default_rng(0), (50,)).ravel()) == {2.0, 5.0}


def test_action_zero_is_an_action_and_not_the_zero_set():
    assert not Finite([0]).bind(spaces.Discrete(2)).is_zero
    assert Finite([0]).bind(1).is_zero


@pytest.mark.parametrize("bad", [0, 1, 6, 2.5, -1])
def test_replacement_actions_must_be_legal(bad):
    with pytest.raises(ValueError, match=r"members must be actions of Discrete\(4, start=2\), got member"):
        Finite([2, bad]).bind(actions)


def test_replacement_actions_have_one_coordinate():
    with pytest.raises(ValueError, match="members must be actions of"):
        Finite([[2, 3]]).bind(actions)


@pytest.mark.parametrize("order", ["scale first", "bind first"])
def test_actions_can_be_switched_off_but_not_scaled(order):
    def scaled(c):
        return (
            Finite([2, 3]).scaled(c).bind(actions) if order == "scale first" else Finite([2, 3]).bind(actions).scaled(c)
        )

    assert scaled(0.0).is_zero
    assert scaled(0.0).actions == (2, 3)
    assert scaled(1.0) == Finite([2, 3]).bind(actions)
    for c in (0.5, 2.0):
        with pytest.raises(ValueError, match="must be 0 or 1"):
            scaled(c)


def test_actions_are_asked_only_on_discrete():
    with pytest.raises(ValueError, match="actions are for a Finite bound to a Discrete space"):
        _ = Finite([1]).bind(1).actions


def test_actions_do_not_become_deltas():
    with pytest.raises(ValueError, match="space must be Discrete"):
        Finite([2]).bind(actions).bind(1)


def test_fit_takes_the_nearest_member_that_fits():
    s = Finite([-1.0, 0.2, 1.0])
    np.testing.assert_array_equal(s.fit([[1.0], [1.0], [-1.0]], -1.0, [[2.0], [0.9], [0.0]]), [[1.0], [0.2], [-1.0]])
    with pytest.raises(ValueError, match="no member of Finite"):
        s.fit([1.0], -0.5, 0.1)


def test_grid_repeats_the_members_in_order():
    np.testing.assert_array_equal(Finite([3.0, 1.0]).bind(1).grid(5).ravel(), [3, 1, 3, 1, 3])


def test_switch_scales_its_probability_up_to_one():
    assert Switch(0.3).scaled(2.0) == Switch(0.6)
    assert Switch(0.3).scaled(9.0) == Switch(1.0)
    assert Switch(0.3).scaled(0.0).is_zero
    assert not Switch(0.3).is_zero


def test_switch_acts_on_discrete_only():
    s = Switch(0.3).bind(actions)
    assert s.dim == 1
    assert s.bind(actions) == s
    assert eval(repr(s)) == s
    for space in (3, spaces.Box(-1, 1, (1,)), spaces.Dict(a=actions)):
        with pytest.raises(ValueError, match="acts on Discrete spaces only"):
            Switch(0.3).bind(space)


def test_switch_holds_no_deltas():
    s = Switch(0.3).bind(actions)
    rng, zero = np.random.default_rng(0), np.zeros(1)
    tries = [
        lambda: s.contains(zero),
        lambda: s.project(zero),
        lambda: s.worst(zero),
        lambda: s.sample(rng),
        lambda: s.fit(zero, 0, 0),
        lambda: s.grid(2),
        lambda: s.bounds,
    ]
    for act in tries:
        with pytest.raises(TypeError, match=r"Switch\(0.3, dim=1\) holds no deltas"):
            act()
