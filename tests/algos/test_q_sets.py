"""Declared sets: what they come down to, which are refused, and that they survive as text."""

import numpy as np
import pytest

from algos.deep.q_config import QConfig
from algos.deep.q_sets import Tail, reward_shifts
from algos.deep.set_texts import set_from_text, set_to_text
from robust_envs import (
    KL,
    L1,
    L2,
    Contamination,
    CVaR,
    Finite,
    Interval,
    L1Ambiguity,
    Linf,
    Scenarios,
    Switch,
    TotalVariation,
    Wasserstein,
    joint,
    per_episode,
    per_state,
)

AGENTS = ["a", "b", "c"]


def by_name(observation, action):
    return 1.0


@pytest.mark.parametrize(
    ("members", "tail"),
    [
        (None, Tail()),
        (Contamination(0.2), Tail(0.2, 1.0)),
        (TotalVariation(0.25), Tail(0.25, 0.75)),
        (L1Ambiguity(0.5), Tail(0.25, 0.75)),
        (TotalVariation(2.0), Tail(1.0, 1.0)),
        (CVaR(0.3), Tail(0.0, 0.3)),
        (CVaR(1.0), Tail()),
    ],
    ids=str,
)
def test_set_comes_down_to_a_tail_and_a_floor(members, tail):
    assert Tail.of(members) == tail


@pytest.mark.parametrize("members", [Contamination(0.0), TotalVariation(0.0), L1Ambiguity(0.0), CVaR(1.0)], ids=str)
def test_set_of_radius_zero_is_nominal(members):
    assert Tail.of(members).is_nominal


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (KL(0.1), "be Contamination, TotalVariation, L1Ambiguity or CVaR"),
        (Scenarios([[0.5, 0.5]]), "be Contamination"),
        (Wasserstein(0.1, [[0.0, 1.0], [1.0, 0.0]]), "be Contamination"),
        (TotalVariation(0.1, support_only=True), "support_only"),
        (Contamination([0.1, 0.2]), "one number as its size"),
    ],
    ids=str,
)
def test_set_that_one_next_state_cannot_tell_is_refused(members, said):
    with pytest.raises(ValueError, match=f"transition_set must .*{said}"):
        QConfig(transition_set=members)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"transition_set": Linf(0.1)}, TypeError, "transition_set must be a set of distributions"),
        ({"reward_set": Contamination(0.1)}, TypeError, "reward_set must be a set of deltas"),
        ({"reward_set": 0.5}, TypeError, "reward_set must be a set of deltas"),
        ({"reward_set": per_state(Linf(1.0), radius=by_name)}, ValueError, r"nature=WorstCase\(\)"),
        ({"reward_set": per_episode(L1(1.0))}, ValueError, "the same at every step"),
        ({"reward_set": Switch(0.5)}, ValueError, "the same at every step"),
        ({"reward_set": {"a": joint(L2(1.0))}}, ValueError, "joint for one agent"),
        ({"transition_set": "Contamination(0.1"}, ValueError, "set must be written as in Python"),
        ({"double": 1}, TypeError, "double must be a bool"),
        ({"epsilon_end": 1.5}, ValueError, "epsilon_end must be finite and >= 0 and <= 1"),
        ({"epsilon_steps": 0}, ValueError, "epsilon_steps must be finite and > 0"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be finite and > 0"),
    ],
    ids=str,
)
def test_setting_that_makes_no_sense_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        QConfig(**given)


@pytest.mark.parametrize(
    ("given", "shifts"),
    [
        (Linf(0.5), [-0.5, -0.5, -0.5]),
        (L2(0.5, unit=2.0), [-1.0, -1.0, -1.0]),
        (Interval(-0.25, 3.0), [-0.25, -0.25, -0.25]),
        (Finite([[0.5], [-2.0]]), [-2.0, -2.0, -2.0]),
        ({"b": Linf(0.5), "c": Interval(0.5, 1.0)}, [0.0, -0.5, 0.5]),
        (joint(L2(3.0)), [-np.sqrt(3.0)] * 3),
        (joint(Linf(1.0)), [-1.0] * 3),
    ],
    ids=str,
)
def test_reward_moves_by_the_delta_that_harms_most(given, shifts):
    np.testing.assert_allclose(reward_shifts(given, AGENTS), shifts, rtol=1e-6)


@pytest.mark.parametrize("given", [None, Linf(0.0), {"a": L2(0.0)}, joint(L1(0.0)), Interval(0.0, 1.0)], ids=str)
def test_nature_that_can_do_no_harm_leaves_rewards_alone(given):
    assert reward_shifts(given, AGENTS) is None


def test_set_for_an_agent_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"reward_set must be by agent of .*, got 'd'"):
        reward_shifts({"d": Linf(1.0)}, AGENTS)


@pytest.mark.parametrize(
    "members",
    [
        Linf(0.1),
        L2(0.1, unit=[1.0, 2.0]),
        Interval([-1.0, -2.0], [0.5, 1.0]),
        Finite([[-1.0], [0.5]]),
        joint(L2(0.5)),
        per_episode(L1(2.0), horizon=3),
        Contamination(1 / 3),
        TotalVariation(0.1, support_only=True),
    ],
    ids=str,
)
def test_set_survives_as_text(members):
    assert set_from_text(set_to_text(members)) == members


@pytest.mark.parametrize(
    "text", ["", "Linf", "print('x')", "Linf(__import__('os'))", "robust(1)", "Linf(0.1) + 1", "L2(**{})", "Linf(-1)"]
)
def test_text_that_is_no_set_is_refused_and_not_executed(text):
    with pytest.raises(ValueError, match="set must be written as in Python"):
        set_from_text(text)


def test_set_that_holds_a_function_is_refused_as_text():
    with pytest.raises(ValueError, match="set must be one that a checkpoint can hold"):
        set_to_text(per_state(Linf(1.0), radius=by_name))


def test_settings_survive_as_plain_values():
    config = QConfig(reward_set={"a": "Linf(0.5)"}, transition_set=CVaR(0.5), hidden_sizes=(8,))
    assert config.to_json()["reward_set"] == {"a": "Linf(0.5)"}
    assert QConfig(**config.to_json()) == config


def test_epsilon_falls_on_a_line_and_stays():
    config = QConfig(epsilon_start=1.0, epsilon_end=0.2, epsilon_steps=100)
    assert [config.epsilon(steps) for steps in (0, 50, 100, 1000)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
