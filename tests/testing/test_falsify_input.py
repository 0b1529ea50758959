"""What falsification refuses, and that it says why."""

import math

import gymnasium
import numpy as np
import pytest
from breakable import Drift, Pair, Walk, home, pair_home

from robust_envs import Linf, Uniform, robust
from robust_envs.testing import assert_robust, falsify, returns_at_least, robust_radius

GIVEN = {"observation": Linf(0.1), "property": returns_at_least(0.0), "max_episodes": 2}


class Loose(Drift):
    """Draws from a generator of its own, which no reset seeds."""

    rng = np.random.default_rng(0)

    def step(self, action):
        return super().step(action + 0.1 * self.rng.standard_normal(1))


class Growing:
    """A policy that does more each time it is asked."""

    def __init__(self):
        self.asked = 0

    def predict(self, observation, deterministic=True):
        self.asked += 1
        return -observation * (1 + 1e-6 * self.asked), None


def test_an_environment_that_does_not_repeat_itself_is_refused_with_how_to_seed_it():
    with pytest.raises(ValueError, match=r"environment must repeat itself.*np_random.*reset\(seed"):
        falsify(home, Loose, **GIVEN)


def test_a_policy_that_changes_between_episodes_is_refused():
    with pytest.raises(ValueError, match=r"policy must repeat itself.*no state"):
        falsify(Growing(), Drift, **GIVEN)


def test_a_policy_that_explores_through_a_global_generator_is_seeded():
    def explores(observation):
        return -observation + 0.01 * np.random.standard_normal(1)  # noqa: NPY002 - what policies of others do

    with pytest.raises(ValueError, match="deterministic=False"):
        falsify(explores, Drift, **GIVEN)
    assert not falsify(explores, Drift, **GIVEN, deterministic=False).found


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"max_episodes": 0}, ValueError, "max_episodes must be >= 1"),
        ({"max_episodes": True}, TypeError, "max_episodes must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be >= 0"),
        ({"env_seed": 0.5}, TypeError, "env_seed must be a whole number"),
        ({"shrink_traces": -1}, ValueError, "shrink_traces must be >= 0"),
        ({"property": 3.0}, TypeError, "property must be a Property"),
        ({"property": lambda played: math.nan}, ValueError, "NaN"),
        ({"property": lambda played: played.total > 0}, TypeError, "margin"),
        ({"observation": None}, ValueError, "at least one channel"),
        ({"observation": Linf(0.0)}, ValueError, "nature never moves"),
        ({"observation": 0.1}, TypeError, "observation must be an uncertainty set"),
        ({"search": "sings"}, ValueError, "search must be one of .*signs"),
        ({"search": 3}, TypeError, "search must be a name"),
        ({"search": lambda problem: 3}, TypeError, "search must be a name"),
        ({"search": "pgd"}, ValueError, "differentiable"),
    ],
)
def test_bad_arguments_are_refused(changed, error, words):
    with pytest.raises(error, match=words):
        falsify(home, Drift, **(GIVEN | changed))


def test_environments_that_cannot_be_played_are_refused():
    with pytest.raises(ValueError, match="without robust"):
        falsify(home, lambda: robust(Drift(), observation=Linf(0.1), nature=Uniform()), **GIVEN)
    with pytest.raises(TypeError, match="single environment"):
        falsify(home, lambda: gymnasium.make_vec("CartPole-v1", num_envs=2), **GIVEN)
    with pytest.raises(TypeError, match="env_fn must be callable"):
        falsify(home, Drift(), **GIVEN)
    with pytest.raises(TypeError, match="policy must"):
        falsify(3, Drift, **GIVEN)


def test_steering_needs_observations_to_perturb():
    with pytest.raises(ValueError, match="steer"):
        falsify(home, Drift, reward=Linf(0.1), property=returns_at_least(0.0), search="steer")


def test_a_trained_adversary_needs_one_nature_with_numbers():
    pytest.importorskip("stable_baselines3")
    for policy, make, channels in (
        (pair_home, Pair, {"observation": Linf(0.1)}),
        (lambda seen: 0, Walk, {"action": __import__("robust_envs").Finite([0, 1])}),
    ):
        with pytest.raises(ValueError, match="one nature"):
            falsify(policy, make, **channels, property=returns_at_least(-99.0), search="best_response")


@pytest.mark.parametrize("tolerance", [0.0, 1.0, True, "0.1"])
def test_the_bracket_of_a_radius_must_be_a_share(tolerance):
    with pytest.raises(ValueError, match="tolerance must be"):
        robust_radius(home, Drift, **GIVEN, tolerance=tolerance)


def test_a_random_nature_of_a_user_s_search_is_replayed_from_what_it_did():
    class Coin:
        rng = np.random.default_rng(0)

        def ask(self):
            return lambda move: move.set.sample(self.rng)

        def tell(self, nature, margin):
            pass

    given = GIVEN | {"observation": Linf(0.5), "property": returns_at_least(18.0), "max_episodes": 50}
    result = falsify(home, Drift, **given, search=Coin())
    assert result.found
    assert result.first.strategy == "Coin"
    assert result.episodes["Coin"] == result.episodes_to_first


def test_the_assertion_names_property_perturbation_and_replay(tmp_path):
    with pytest.raises(AssertionError, match=r"violated: return >= 16") as caught:
        assert_robust(home, Drift, observation=Linf(0.3), property=returns_at_least(16.0), folder=tmp_path)
    report = caught.value.robust_report
    (path,) = tmp_path.glob("*.json")
    assert f"robust-envs replay {path}" in report
    assert "1-minimal" in report
    with pytest.raises(AssertionError, match="broken by a saved counterexample"):
        assert_robust(home, Drift, observation=Linf(0.3), property=returns_at_least(16.0), folder=tmp_path, seed=7)
    assert len(list(tmp_path.glob("*.json"))) == 1
