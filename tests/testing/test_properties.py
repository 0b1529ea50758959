"""Properties: the sign of the margin says whether they hold, and they compose as in signal temporal logic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_envs.testing import (
    Episode,
    always_within,
    eventually,
    never,
    relative_return,
    returns_at_least,
    worst_agent_at_least,
)
from robust_envs.testing.properties import as_property


def episode(xs, rewards=None, agents=("agent_0",)):
    paid = rewards if rewards is not None else [1.0] * (len(xs) - 1)
    return Episode(
        seed=0,
        observations={agent: [np.array([x, -x]) for x in xs] for agent in agents},
        actions={agent: [0] * (len(xs) - 1) for agent in agents},
        rewards={agent: list(paid) for agent in agents},
        nominal_rewards={agent: list(paid) for agent in agents},
        length=len(xs) - 1,
        terminated=False,
    )


def margin(demanded, played, nominal=None):
    return as_property(demanded).margin(played, nominal or played)


def test_returns_are_compared_with_the_bound():
    assert margin(returns_at_least(2.0), episode([0, 0, 0])) == 0.0
    assert margin(returns_at_least(2.5), episode([0, 0, 0])) == -0.5
    two = episode([0, 0], agents=("a", "b"))
    assert margin(returns_at_least(0.0), two) == 2.0
    assert margin(returns_at_least(0.0, agent="b"), two) == 1.0


def test_the_worst_agent_decides():
    played = episode([0, 0], agents=("a", "b"))
    played.rewards["b"] = [-3.0]
    assert margin(worst_agent_at_least(0.0), played) == -3.0


@pytest.mark.parametrize(("nominal", "played", "expected"), [(100.0, 70.0, -10.0), (-100.0, -115.0, 5.0)])
def test_a_share_of_the_nominal_return_may_be_lost_of_gains_and_of_costs(nominal, played, expected):
    found = margin(relative_return(0.8), episode([0, 0], [played]), episode([0, 0], [nominal]))
    assert found == pytest.approx(expected)


def test_always_is_the_smallest_distance_to_a_wall_in_half_widths():
    assert margin(always_within(-2.0, 2.0), episode([0.0, 1.0, -0.5])) == 0.5
    assert margin(always_within([-2.0, -9.0], [2.0, 9.0]), episode([0.0, 3.0])) == -0.5
    assert margin(always_within(-2.0, math.inf, of=1), episode([0.0, 3.0])) == -1.0
    assert margin(always_within(-2.0, 2.0, after=1), episode([3.0, 1.0])) == 0.5


def test_never_and_eventually_are_each_other_s_opposite():
    rises = [0.0, 0.4, 0.2]
    assert margin(never(lambda moment: moment.observation[0] - 0.3), episode(rises)) == pytest.approx(-0.1)
    assert margin(eventually(lambda moment: moment.observation[0] - 0.3), episode(rises)) == pytest.approx(0.1)


def test_a_first_step_beyond_the_end_leaves_the_last_moment():
    assert margin(eventually(lambda moment: moment.t, after=99), episode([0, 0, 0])) == 2.0


def test_predicates_see_all_agents_of_a_team():
    both = episode([0.1, 0.2], agents=("a", "b"))
    seen = never(lambda moment: sum(row[0] for row in moment.observation.values()) - 1.0)
    assert margin(seen, both) == pytest.approx(0.6)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_and_takes_the_smaller_margin_and_or_the_larger(a, b, total):
    played = episode([0, 0], [total])
    one, two = returns_at_least(a), returns_at_least(b)
    assert margin(one & two, played) == min(total - a, total - b)
    assert margin(one | two, played) == max(total - a, total - b)
    assert str(one & two) == f"({one} and {two})"


def test_a_function_of_the_episode_is_a_property():
    assert margin(lambda played: played.total - 3.0, episode([0, 0])) == -2.0
    assert margin(lambda played: np.array([1.5]), episode([0, 0])) == 1.5


@pytest.mark.parametrize("answer", [True, np.bool_(False)])
def test_a_bool_is_no_margin(answer):
    with pytest.raises(TypeError, match=r"margin .*negative when violated"):
        margin(lambda played: answer, episode([0, 0]))


@pytest.mark.parametrize(
    ("demanded", "error", "words"),
    [
        (lambda played: math.nan, ValueError, "NaN"),
        (lambda played: "fine", TypeError, "margin"),
        (never(lambda moment: moment.t > 1), TypeError, "signed number"),
        (never(lambda moment: math.nan), ValueError, "NaN at t=0"),
        (returns_at_least(0.0, agent="nobody"), ValueError, "agent must be one of"),
    ],
)
def test_answers_that_are_no_margins_are_refused(demanded, error, words):
    with pytest.raises(error, match=words):
        margin(demanded, episode([0, 0]))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: returns_at_least(math.inf), ValueError),
        (lambda: returns_at_least(True), TypeError),
        (lambda: relative_return(1.5), ValueError),
        (lambda: always_within(1.0, 1.0), ValueError),
        (lambda: always_within(0.0, math.nan), ValueError),
        (lambda: as_property("return"), TypeError),
    ],
)
def test_properties_that_make_no_sense_are_refused(make, error):
    with pytest.raises(error):
        make()


def test_fingerprints_tell_episodes_apart():
    assert episode([0.0, 1.0]).sha256 == episode([0.0, 1.0]).sha256
    assert len({episode(xs).sha256 for xs in ([0.0, 1.0], [0.0, 1.0 + 1e-15], [0.0, 1.0, 1.0])}) == 3
