"""Which spaces a set can act on, and what binding fixes."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from robust_envs.sets import (
    L1,
    L2,
    Box,
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
)

BALLS = [Linf(0.1), L1(0.1), L2(0.1), Interval(-1.0, 1.0)]
pixels = spaces.Box(0, 255, (4, 3), np.uint8)
reals = spaces.Box(-1.0, 1.0, (2, 3))


@pytest.mark.parametrize("s", [*BALLS, joint(L2(0.1)), per_episode(L1(0.1))], ids=repr)
def test_a_box_of_any_shape_is_flattened(s):
    assert s.dim is None
    assert s.bind(reals).dim == 6
    assert s.bind(6) == s.bind(reals)
    assert s.bind(np.int64(6)) == s.bind(reals)
    assert s.bind(spaces.Box(-1, 1, ())).dim == 1
    assert s.bind(pixels).dim == 12


@pytest.mark.parametrize("s", [*BALLS, Ellipsoid([[1.0]]), joint(L2(0.1)), per_episode(L1(0.1))], ids=repr)
def test_only_finite_and_switch_act_on_discrete(s):
    with pytest.raises(ValueError, match=r"cannot act on a Discrete space: use Finite\(\[...\]\) or Switch\(p\)"):
        s.bind(spaces.Discrete(3))


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.Text(5),
        spaces.Sequence(reals),
        spaces.Graph(reals, None),
        spaces.OneOf([reals]),
    ],
    ids=lambda space: type(space).__name__,
)
@pytest.mark.parametrize(
    "s", [*BALLS, Finite([0.0]), Switch(0.5), Ellipsoid([[1.0]]), Product({"a": L2(1.0)})], ids=repr
)
def test_other_spaces_are_refused_by_name(s, space):
    with pytest.raises(ValueError, match=f"{type(s).__name__} cannot act on a {type(space).__name__} space"):
        s.bind(space)


@pytest.mark.parametrize("space", [spaces.Dict(a=reals), spaces.Tuple([reals])], ids=["Dict", "Tuple"])
def test_compound_spaces_are_left_to_product(space):
    with pytest.raises(ValueError, match=r"L2 cannot act on a (Dict|Tuple) space: use Product"):
        L2(0.1).bind(space)


@pytest.mark.parametrize("bad", ["box", 1.5, None, True, [3]])
def test_binding_to_something_else_is_a_type_error(bad):
    with pytest.raises(TypeError, match="space must be"):
        L2(0.1).bind(bad)


@pytest.mark.parametrize("bad", [0, -2])
def test_binding_to_no_coordinates_is_refused(bad):
    with pytest.raises(ValueError, match=f"space must be a positive int, got space={bad}"):
        L2(0.1).bind(bad)


def test_binding_to_an_empty_box_is_refused():
    with pytest.raises(ValueError, match="space must have at least one coordinate"):
        L2(0.1).bind(spaces.Box(-1, 1, (0,)))


@pytest.mark.parametrize(
    ("s", "parameter"),
    [
        (Linf(1.0, unit=(1.0, 2.0)), "unit"),
        (L2(1.0, names=("x", "y")), "names"),
        (Interval((0.0, 0.0), 1.0), "low"),
        (Interval(0.0, (1.0, 1.0)), "high"),
        (Finite([[0.0, 1.0]]), "members"),
        (Ellipsoid(np.eye(2)), "matrix"),
        (joint(L1(1.0, unit=(1.0, 2.0))), "unit"),
    ],
    ids=repr,
)
def test_lengths_must_match_the_space(s, parameter):
    assert s.bind(2).dim == 2
    with pytest.raises(ValueError, match=f"{parameter} must have one entry for each of 3 coordinates"):
        s.bind(3)
    with pytest.raises(ValueError, match="space must have 2 coordinates"):
        s.bind(2).bind(3)


def test_a_bound_set_refuses_arrays_of_another_length():
    s = L2(1.0).bind(3)
    for act in (s.contains, s.project, s.worst, lambda d: s.fit(d, -1, 1)):
        with pytest.raises(ValueError, match=r"must have 3 coordinates on its last axis, got shape \(4,\)"):
            act(np.zeros(4))


def test_an_unbound_set_takes_its_length_from_the_array():
    assert L2(1.0).contains(np.zeros((5, 7))).shape == (5,)
    with pytest.raises(ValueError, match="unit must have one entry"):
        L2(1.0, unit=(1.0, 2.0)).project(np.zeros(3))


@pytest.mark.parametrize("act", [lambda s: s.bounds, lambda s: s.grid(2), lambda s: s.sample(np.random.default_rng())])
def test_some_things_need_a_bound_set(act):
    with pytest.raises(ValueError, match=r"needs the number of coordinates: bind L2\(1.0\) to a space first"):
        act(L2(1.0))


def test_names_are_kept():
    s = L2(1.0, names=["x", "y"])
    assert s.names == ("x", "y")
    assert s.bind(2).names == ("x", "y")
    assert joint(s).names == ("x", "y")
    assert L2(1.0).names is None


def test_interval_corners_are_rounded_inwards_on_integers():
    assert Interval(-1.5, (2.9, 0.2, 0.0)).bind(spaces.Box(0, 9, (3,), np.int64)) == Interval(
        -1.0, (2.0, 0.0, 0.0), dim=3
    )
    with pytest.raises(ValueError, match="low and high must have an integer between them"):
        Interval(0.2, 0.8).bind(pixels)
    assert Interval(0.2, 0.8).bind(reals).low == 0.2


def test_ellipsoid_acts_on_integers_only_where_rounding_stays_inside():
    assert Ellipsoid(np.eye(12)).bind(pixels).monotone
    with pytest.raises(ValueError, match="Ellipsoid cannot act on an integer space: rounding leaves it"):
        Ellipsoid(np.eye(12) + 0.1).bind(pixels)


@pytest.mark.parametrize("s", [Linf(2.7), L1(9.3), L2(4.1, unit=(1.0, 2.0, 3.0)), Interval(-2.5, 3.5)], ids=repr)
def test_truncating_towards_zero_stays_inside_on_integers(s):
    bound = s.bind(spaces.Box(0, 255, (3,), np.uint8))
    assert bound.contains(np.trunc(bound.sample(np.random.default_rng(0), (500,)))).all()


def test_finite_members_must_be_integers_on_integers():
    space = spaces.Box(0, 9, (1,), np.int32)
    assert Finite([1.0, 2.0]).bind(space).members == ((1.0,), (2.0,))
    with pytest.raises(ValueError, match="members must be integers on an integer space"):
        Finite([1.0, 2.5]).bind(space)
    with pytest.raises(ValueError, match="members must be integers on an integer space"):
        Finite([1.0, 2.0]).scaled(0.5).bind(space)


def test_box_is_another_name_of_interval():
    assert Box is Interval


def test_bounds_are_a_box_one_can_sample():
    bounds = L2(1.0, unit=(1.0, 0.0)).bind(2).bounds
    assert isinstance(bounds, gym.spaces.Box)
    assert bounds.contains(bounds.sample())


def test_kinds_are_told_apart_though_their_fields_agree():
    assert len({L1(1.0), L2(1.0), Linf(1.0), Joint(L1(1.0)), PerEpisode(L1(1.0))}) == 5
