"""The conformance checks pass on good environments, of every kind, and name what is wrong with bad ones."""

import gymnasium
import numpy as np
import pytest
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, EchoTurns, Player
from mpe2 import simple_spread_v3

from robust_envs import Linf, Noise, Product, Switch, joint, per_episode, scheduled
from robust_envs.testing import check_robust_env

GOOD = {
    "gym": EchoEnv,
    "gym, parts": lambda: EchoEnv("dict", "discrete", "int"),
    "gym, pixels": lambda: EchoEnv("uint8", "int"),
    "parallel": EchoParallel,
    "born and dying": lambda: EchoParallel(FAMILY),
    "aec": EchoAEC,
    "turns": lambda: EchoTurns({"a_0": Player(), "b_0": Player("masked", "discrete")}),
    "CartPole": lambda: gymnasium.make("CartPole-v1"),
    "Pendulum": lambda: gymnasium.make("Pendulum-v1"),
    "spread": lambda: simple_spread_v3.parallel_env(max_cycles=10, continuous_actions=True),
    "spread, aec": lambda: simple_spread_v3.env(max_cycles=10),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_environments_pass_every_check_that_applies(name):
    report = check_robust_env(GOOD[name], steps=20).require()
    assert len(report.passed) >= 12
    assert all(check.reason for check in report.skipped)
    assert str(report).count("\n") == len(report.checks)


@pytest.mark.parametrize(
    "options",
    [
        {"observation": Linf(0.1), "nature": Noise()},
        {"reward": joint(Linf(0.1))},
        {"observation": per_episode(Linf(0.1), horizon=30), "nature": scheduled(Noise(), start=2)},
        {"observation": {"a_1": Linf(0.2)}, "action": {"b_0": Switch(0.3)}},
    ],
    ids=["noise", "joint", "budget", "one agent"],
)
def test_sets_and_natures_of_ones_own_are_checked(options):
    check_robust_env(EchoParallel, **options, suites=False).require()


class Forgetful(EchoEnv):
    """Ignores its seed."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None, options=options)


class Deaf(EchoEnv):
    """Says more than its space allows."""

    def step(self, action):
        observation, *rest = super().step(action)
        return 5 * observation, *rest


def failed(env_fn, **options):
    report = check_robust_env(env_fn, **{"observation": Linf(0.1), "suites": False, **options})
    return {check.name: check.reason for check in report.failed}, report


def test_an_environment_that_ignores_its_seed_fails_one_check_and_the_others_say_why_they_were_left_out():
    found, report = failed(Forgetful)
    assert set(found) == {"a seed repeats the environment's episode"}
    assert any("different episodes with one seed" in check.reason for check in report.skipped)
    with pytest.raises(AssertionError, match="1 of 21 checks\n  a seed repeats"):
        report.require()


def test_an_environment_that_leaves_its_space_is_not_our_fault():
    _, report = failed(Deaf)
    assert report.ok
    assert "perturbed observations stay in their spaces" in {check.name for check in report.skipped}


def test_an_effect_that_is_none_is_found():
    found, _ = failed(EchoEnv, nature=lambda move: np.zeros(3))
    assert "nothing was moved" in found["a perturbed observation is really another"]


def test_a_nature_that_cheats_is_found():
    found, _ = failed(EchoEnv, nature=lambda move: np.ones(3))
    assert "OutsideSetError" in found["executed deltas are members of their sets"]


LUCK = np.random.default_rng(0)


def test_a_nature_with_luck_from_elsewhere_is_found():
    found, _ = failed(EchoEnv, nature=lambda move: LUCK.uniform(-0.1, 0.1, 3))
    assert "differ at entry" in found["seeds decide, and differ"]


def test_a_nature_that_reaches_into_the_environment_is_found():
    made = []

    def make():
        made.append(EchoEnv())
        return made[-1]

    def thief(move):
        for env in made:
            env.np_random.random()
        return np.full(3, 0.1)

    found, _ = failed(make, nature=thief)
    assert {"a perturbed observation leaves all else alone"} <= set(found)


BAD = {
    "an environment": (lambda: check_robust_env(EchoEnv()), TypeError, "env_fn must be callable"),
    "no environment": (
        lambda: check_robust_env(lambda: None),
        TypeError,
        "env_fn must build a gymnasium Env.*NoneType",
    ),
    "sets that do not fit": (
        lambda: check_robust_env(EchoEnv, observation=Product({"a": Linf(1)})),
        ValueError,
        "Product acts on Dict and Tuple",
    ),
    "unknown channel": (lambda: check_robust_env(EchoEnv, rewards=Linf(1)), ValueError, "did you mean 'reward'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_at_once(case):
    make, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        make()
