"""A robust layer seen from outside: its infos, its radius among other layers, what it refuses to play."""

import copy

import gymnasium
import numpy as np
import pytest
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, play
from gymnasium.error import ResetNeeded

from robust_envs import AsAgents, Linf, Noise, Policy, Uniform, find_wrapper, joint, robust
from robust_envs.shells import RobustEnv
from robust_envs.shells.layers import Layer

SETS = {"reward": Linf(0.5), "observation": Linf(0.2)}
TOLD = {"info": "numeric"}


def still(observation):
    return np.zeros(2, np.float32)


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_the_space_of_the_state_is_the_same_object_on_every_call(kind):
    env = robust(kind(), reward=Linf(0.5), nature=AsAgents())
    assert env.state_space is env.state_space


def test_without_a_state_there_is_no_space_of_it():
    assert not hasattr(robust(EchoEnv(), **SETS, nature=AsAgents()), "state_space")


@pytest.mark.parametrize("team", [None, still])
def test_natures_are_told_their_own_moves_with_the_same_keys_and_shapes_always(team):
    sets = {"reward": joint(Linf(0.5)), "observation": {"a_0": Linf(0.2)}}
    env = robust(EchoParallel({"a_0": FAMILY["a_0"], "a_2": FAMILY["a_0"]}), **sets, nature=AsAgents(team=team), **TOLD)
    shapes = {
        "nature_0": {"robust_observation_delta": (1,), "robust_reward_delta": (2,)},
        "nature_1": {"robust_observation_delta": (3,), "robust_reward_delta": (1,)},
    }
    if list(env.natures) != list(shapes):
        pytest.fail(str(env.natures))
    said = play(env)
    for parts in said:
        for name, expected in shapes.items():
            assert {key: delta.shape for key, delta in parts[-1][name].items()} == expected
    assert np.any(said[1][-1]["nature_1"]["robust_observation_delta"])
    last = env.last_move["reward", "*"].executed
    np.testing.assert_array_equal(said[-1][-1]["nature_0"]["robust_reward_delta"], last)


def test_a_nature_that_is_alone_is_told_its_moves():
    env = robust(EchoEnv(), observation=Linf(0.2), nature=AsAgents(team=still), **TOLD)
    _, first = env.reset(seed=0)
    *_, second = env.step(np.ones(3, np.float32))
    assert list(first) == list(second) == ["robust_observation_delta"]
    assert np.any(second["robust_observation_delta"])


def two_layers(**outer):
    return robust(robust(EchoEnv(), reward=Linf(0.1), observation=Linf(0.1), nature=Uniform()), **outer)


def test_a_number_sets_the_radius_of_all_layers():
    env = two_layers(observation=Linf(0.2), nature=Uniform())
    env.reset(options={"radius": 0.7})
    assert (env.radius, env.env.radius) == ({"observation": 0.7}, {"reward": 0.7, "observation": 0.7})
    assert env.unwrapped.options is None


def test_a_layer_takes_the_radius_of_its_own_channels_and_hands_on_the_others():
    env = two_layers(observation=Linf(0.2), nature=Uniform())
    env.reset(options={"radius": {"observation": 0.7, "reward": 0.8}, "low": 0.0})
    assert (env.radius, env.env.radius) == ({"observation": 0.7}, {"reward": 0.8, "observation": 0.1})
    assert env.unwrapped.options == {"low": 0.0}
    with pytest.raises(ValueError, match=r"'rewards'.*did you mean 'reward'"):
        env.reset(options={"radius": {"rewards": 0.8}})


def test_a_wrapper_that_holds_itself_or_nothing_ends_the_search():
    env = EchoEnv()
    env.env = env
    assert Layer.layers_below(env) == 0
    with pytest.raises(LookupError):
        find_wrapper(env, RobustEnv)
    one, two = EchoEnv(), EchoEnv()
    one.env, two.env = two, one
    assert Layer.layers_below(one) == 0
    two.env = "CartPole-v1"
    assert Layer.layers_below(one) == 0
    with pytest.raises(LookupError):
        find_wrapper(gymnasium.spaces.Discrete(2), RobustEnv)
    with pytest.raises(LookupError):
        find_wrapper(3, RobustEnv)


class Heavy:
    """A policy too large to copy."""

    def predict(self, observation, deterministic=True):
        return np.zeros(3, np.float32), None

    def __deepcopy__(self, memo):
        raise AssertionError("copied")


def test_a_nature_is_not_copied():
    with pytest.raises(AssertionError, match="copied"):
        copy.deepcopy(Heavy())
    robust(EchoEnv(), observation=Linf(0.1), nature=Policy(Heavy()))
    robust(EchoEnv(), observation=Linf(0.1), nature=AsAgents(team=Heavy()))
    robust(gymnasium.make_vec("CartPole-v1", num_envs=2), observation=Linf(0.1), nature=Policy(Heavy()))


def test_nature_alone_needs_an_episode_to_step():
    env = robust(EchoEnv(), observation=Linf(0.2), nature=AsAgents(team=still))
    action = env.action_space.sample()
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(action)
    env.reset(seed=0)
    while not env.step(action)[3]:
        pass
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(action)


@pytest.mark.parametrize("who", ["a_1", "nature_0"])
def test_an_action_that_is_missing_is_named(who):
    env = robust(EchoParallel(), reward=Linf(0.5), nature=AsAgents())
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"'{who}'.* missing"):
        env.step({agent: env.action_space(agent).sample() for agent in env.agents if agent != who})


def test_noise_takes_numpy_numbers():
    assert Noise(cut=np.float32(1.5)).cut == 1.5
