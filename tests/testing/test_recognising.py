"""Policies and environments are recognised again, and rules are told in the environment's own words."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from breakable import Pair

from robust_envs import Linf
from robust_envs.testing import falsify, returns_at_least
from robust_envs.testing.fingerprint import describe_env, describe_policy, wrapper_names
from robust_envs.testing.names import observation_names


@dataclasses.dataclass(frozen=True)
class Weights:
    numbers: tuple

    def __call__(self, observation):
        return 0


def test_a_fingerprint_changes_with_every_weight_and_with_nothing_else():
    first = describe_policy(Weights((np.ones(3), {"bias": 1.0})))
    assert first == describe_policy(Weights((np.ones(3), {"bias": 1.0})))
    assert first["kind"] == "Weights"
    for other in (
        (np.ones(3, np.float32), {"bias": 1.0}),
        (np.ones((3, 1)), {"bias": 1.0}),
        (np.ones(3), {"bias": 2.0}),
    ):
        assert describe_policy(Weights(other))["sha256"] not in (None, first["sha256"])
    assert describe_policy(Weights((object(),)))["sha256"] is None


def test_a_policy_may_say_its_own_fingerprint():
    class Named:
        sha256 = "00"

    assert describe_policy(Named())["sha256"] is not None


def test_torch_modules_are_known_by_their_weights():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 1)
    before = describe_policy(layer)["sha256"]
    with torch.no_grad():
        layer.bias += 1.0
    assert before not in (None, describe_policy(layer)["sha256"])


def test_environments_say_their_name_versions_and_wrappers():
    env = gymnasium.make("Pendulum-v1", g=9.0)
    told = describe_env(env)
    assert (told["id"], told["kwargs"]["g"]) == ("Pendulum-v1", 9.0)
    assert {"gymnasium", "numpy"} <= set(told["versions"])
    assert wrapper_names(env)[0] == "TimeLimit"
    assert describe_env(Pair())["id"] == "pair_v0"
    assert wrapper_names(Pair()) == ()


def test_known_environments_have_names_for_their_numbers():
    spread = pytest.importorskip("mpe2.simple_spread_v3").parallel_env(N=3)
    names = observation_names(spread, "agent_0", 18)
    assert names[:6] == ("velocity.x", "velocity.y", "x", "y", "landmark_0.x", "landmark_0.y")
    assert len(set(names)) == 18
    assert observation_names(spread, ("agent_0", "agent_1"), 2) == ("obs[0]", "obs[1]")


def test_names_of_the_set_come_first():
    result = falsify(
        lambda observation: int(observation[2] + observation[3] > 0),
        lambda: gymnasium.make("CartPole-v1", max_episode_steps=100),
        observation=Linf(0.4, names=("place", "speed", "lean", "turn")),
        property=returns_at_least(100.0),
        max_episodes=50,
        unseen=0,
    )
    assert result.rule is not None
    assert any(f"delta[{name}]" in result.rule.text for name in ("place", "speed", "lean", "turn"))
