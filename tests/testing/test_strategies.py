"""The strategies: what they draw lies where it should, shrinks to no perturbation, and comes from Hypothesis alone."""

import subprocess
import sys

import gymnasium
import hypothesis.strategies as st
import numpy as np
import pytest
from glassbox import SPACES
from gymnasium import spaces
from hypothesis import HealthCheck, Phase, find, given, settings, target

from robust_envs import (
    KL,
    L1,
    L2,
    Budgeted,
    CVaR,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Product,
    Switch,
    TotalVariation,
    UncertaintySet,
    joint,
)
from robust_envs.sets import Joint, PerEpisode
from robust_envs.testing.strategies import (
    ambiguity_sets,
    distributions,
    markov_games,
    members,
    natures,
    traces,
    uncertainty_sets,
)
from robust_envs.testing.strategies.ambiguity import AMBIGUITY_KINDS

KINDS = (Linf, L1, L2, Interval, Budgeted, Finite, Ellipsoid, Joint, PerEpisode)
quiet = settings(database=None, derandomize=True, max_examples=500)


def many(strategy, n=200):
    drawn = []

    @settings(database=None, derandomize=True, max_examples=n, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def keep(value):
        drawn.append(value)

    keep()
    return drawn


def make():
    return gymnasium.make("CartPole-v1", max_episode_steps=60)


# --- sets ---


@pytest.mark.parametrize("kind", KINDS)
def test_the_simplest_set_of_a_kind_moves_nothing(kind):
    simplest = find(uncertainty_sets(2, kinds=(kind,)), lambda members: True, settings=quiet)
    assert isinstance(simplest, kind)
    assert simplest.is_zero


def test_all_kinds_are_drawn():
    assert {type(drawn) for drawn in many(uncertainty_sets(2, kinds=KINDS), 400)} == set(KINDS)
    usual = {type(drawn) for drawn in many(uncertainty_sets(), 400)}
    assert usual == set(KINDS) - {Joint, PerEpisode}


@given(uncertainty_sets(kinds=KINDS))
def test_sets_are_bound_to_one_to_four_coordinates(drawn):
    assert 1 <= drawn.dim <= 4


@given(uncertainty_sets(3, nominal=True))
def test_sets_hold_the_nominal_value_where_asked(drawn):
    assert drawn.contains(np.zeros(3))


@pytest.mark.parametrize("kind", [Interval, Finite])
def test_sets_without_the_nominal_value_are_drawn_too(kind):
    drawn = find(uncertainty_sets(1, kinds=(kind,)), lambda members: not members.contains([0.0]))
    assert isinstance(drawn, kind)


@given(uncertainty_sets(spaces.Box(-9, 9, (3,), np.int64), kinds=KINDS))
def test_sets_on_integers_have_whole_borders(drawn):
    box = drawn.bounds
    if not isinstance(drawn, Ellipsoid) and not (isinstance(drawn, Joint) and isinstance(drawn.inner, Ellipsoid)):
        budgeted = isinstance(drawn, Budgeted) or (isinstance(drawn, Joint) and isinstance(drawn.inner, Budgeted))
        assert budgeted or (box.low % 1 == 0).all()


@pytest.mark.parametrize("name", ["dict", "tuple", "masked"])
def test_sets_of_dict_and_tuple_spaces_are_products_over_their_boxes(name):
    drawn = find(uncertainty_sets(SPACES[name]), lambda members: not members.is_zero)
    assert isinstance(drawn, Product)
    assert "action_mask" not in drawn.parts


def test_sets_of_discrete_spaces_are_choices_and_switches():
    space = spaces.Discrete(4, start=2)
    assert find(uncertainty_sets(space, kinds=(Finite,)), lambda members: len(members.actions) > 1).discrete
    assert find(uncertainty_sets(space, kinds=(Switch,)), lambda members: members.probability > 0.5).dim == 1


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"space": spaces.Text(3)}, ValueError, "space must be a Box, Discrete, Dict or Tuple"),
        ({"space": 0}, ValueError, "space must be >= 1"),
        ({"space": 2.5}, TypeError, "space must be an int"),
        ({"space": spaces.Dict(a=spaces.Discrete(2))}, ValueError, "space must have a part that is a Box"),
        ({"kinds": (Switch,)}, ValueError, "kinds must be among Linf"),
        ({"space": spaces.Discrete(2), "kinds": (L2,)}, ValueError, "kinds must be among Finite, Switch"),
        ({"kinds": ()}, ValueError, "kinds must name at least one"),
        ({"kinds": Linf}, TypeError, "kinds must be a sequence of classes"),
    ],
)
def test_bad_arguments_of_uncertainty_sets_are_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        uncertainty_sets(**arguments)


# --- members ---


@given(st.data())
def test_members_are_members(data):
    drawn = data.draw(uncertainty_sets(kinds=KINDS) | uncertainty_sets(SPACES["dict"]))
    delta = data.draw(members(drawn))
    assert delta.shape == (drawn.dim,)
    assert delta.dtype == np.float64
    assert drawn.contains(delta)


@pytest.mark.parametrize(
    "of", [L2(1.0), Interval((0.1, -2.0), (0.3, -1.0)), Ellipsoid(np.eye(2)), Finite([[1.0, 2.0], [0.5, 0.5]])]
)
def test_the_simplest_member_is_the_one_nearest_to_nominal(of):
    simplest = find(members(of.bind(2)), lambda delta: True, settings=quiet)
    np.testing.assert_array_equal(simplest, of.project([0.0, 0.0]))


@pytest.mark.parametrize("of", [Linf(1.0), L2(1.0), Budgeted(1.0, 1.5), Interval(-1.0, 1.0), joint(L1(1.0))])
def test_members_shrink_to_one_small_coordinate(of):
    found = find(members(of.bind(3)), lambda delta: np.abs(delta).max() >= 0.5, settings=quiet)
    np.testing.assert_allclose(np.sort(np.abs(found)), [0, 0, 0.5], atol=1e-12)


def test_target_climbs_members_to_the_border():
    reached = []

    @settings(database=None, derandomize=True, max_examples=200, phases=[Phase.generate, Phase.target])
    @given(members(Linf(1.0, unit=(1.0, 0.5)).bind(2)))
    def climb(delta):
        target(float(delta[0] - 2 * delta[1]))
        reached.append(float(delta[0] - 2 * delta[1]))

    climb()
    assert max(reached) == 2.0


def test_members_of_actions_are_the_actions():
    drawn = members(Finite([3, 1]).bind(spaces.Discrete(4)))
    assert {int(find(drawn, lambda action, k=k: action[0] == k)[0]) for k in (1, 3)} == {1, 3}


def test_members_of_a_picture_are_sparse_and_can_be_drawn():
    picture = Linf(5.0).bind(spaces.Box(0, 255, (24, 24, 3), np.uint8))
    found = find(members(picture), lambda delta: np.count_nonzero(delta) >= 2, settings=quiet)
    assert np.count_nonzero(found) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((Linf(1.0),), ValueError, "of must be bound"),
        ((Switch(0.5).bind(spaces.Discrete(3)),), ValueError, "of must hold deltas"),
        ((3,), TypeError, "of must be an uncertainty set"),
        ((Linf(1.0).bind(1), [1.0]), ValueError, "nominal is for sets of distributions"),
        ((KL(0.5),), ValueError, "nominal must be given"),
        ((KL(0.5), [0.7, 0.7]), ValueError, "nominal must sum to 1"),
    ],
)
def test_bad_arguments_of_members_are_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        members(*arguments)


def test_a_resolution_must_be_a_positive_int():
    with pytest.raises(ValueError, match="resolution must be >= 1, got resolution=0"):
        members(Linf(1.0).bind(1), resolution=0)


# --- distributions ---


@given(st.integers(1, 6).flatmap(distributions))
def test_distributions_sum_to_one(p):
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_all_kinds_of_ambiguity_are_drawn():
    assert {type(drawn) for drawn in many(ambiguity_sets(3), 400)} == {*AMBIGUITY_KINDS}
    assert {type(drawn) for drawn in many(ambiguity_sets(kinds=(KL, CVaR)))} == {KL, CVaR}


@given(st.data())
def test_members_of_ambiguity_sets_are_members(data):
    n = data.draw(st.integers(2, 5))
    drawn, nominal = data.draw(ambiguity_sets(n)), data.draw(distributions(n))
    p = data.draw(members(drawn, nominal))
    assert drawn.contains(p, nominal, tolerance=1e-7)


def test_the_simplest_distribution_is_the_nominal_one():
    np.testing.assert_array_equal(
        find(members(TotalVariation(0.5), [0.25, 0.75]), lambda p: True, settings=quiet), [0.25, 0.75]
    )


def test_bad_arguments_of_ambiguity_sets_are_refused():
    with pytest.raises(ValueError, match="kinds must be among TotalVariation"):
        ambiguity_sets(kinds=(Linf,))
    with pytest.raises(ValueError, match="n must be >= 1"):
        ambiguity_sets(0)


# --- games ---


def test_games_are_markov_games():
    envs = pytest.importorskip("robust_envs.envs")
    simplest = find(markov_games(), lambda game: True, settings=quiet)
    assert isinstance(simplest, envs.MarkovGame)
    assert simplest.n_states == simplest.n_players == 1
    assert find(markov_games(zero_sum=True, states=2), lambda game: game.rewards.any(), settings=quiet).is_zero_sum
    with pytest.raises(ValueError, match="zero_sum is for two players"):
        markov_games(players=3, zero_sum=True)


# --- where it all comes from ---


def test_everything_is_drawn_from_hypothesis(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("randomness that Hypothesis does not see")

    monkeypatch.setattr(gymnasium.spaces.Box, "sample", refuse)
    monkeypatch.setattr(gymnasium.spaces.Discrete, "sample", refuse)
    for kind in (*KINDS, *AMBIGUITY_KINDS):
        monkeypatch.setattr(kind, "sample", refuse, raising=False)
    everything = st.tuples(
        uncertainty_sets(kinds=KINDS), ambiguity_sets(), members(L2(1.0).bind(2)), natures(), distributions(3)
    )
    assert repr(many(everything, 60)) == repr(many(everything, 60))
    drawn = traces(make(), observation=Linf(0.5), horizon=5)
    assert many(drawn, 30) == many(drawn, 30)


@pytest.mark.parametrize("first", ["hypothesis", "robust_envs.testing.strategies"])
def test_from_type_knows_our_sets_whoever_is_imported_first(first):
    program = f"""
import {first}
import robust_envs.testing.hypothesis_entry
robust_envs.testing.hypothesis_entry.load()
from hypothesis import find, strategies as st
import robust_envs
for kind in (robust_envs.UncertaintySet, robust_envs.AmbiguitySet, robust_envs.Linf, robust_envs.Interval,
             robust_envs.Switch, robust_envs.Product, robust_envs.Wasserstein, robust_envs.Noise):
    assert isinstance(find(st.from_type(kind), lambda drawn: True), kind), kind
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_types_are_drawn_from_annotations():
    def harmless(of: UncertaintySet) -> None:
        assert of.contains(of.project(np.zeros(of.dim)))

    settings(max_examples=20)(given(of=...)(harmless))()
