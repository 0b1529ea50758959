"""Gymnasium's and Stable-Baselines3's own checks pass over the wrappers."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robust_envs import AsAgents, Finite, Linf, Noise, Policy, Switch, Uniform, WorstCase, robust
from robust_envs.shells import RobustEnv

SENTENCES = {
    "CartPole-v1": {"reward": Linf(0.5), "observation": Linf(0.1), "action": Switch(0.2)},
    "Pendulum-v1": {"reward": Linf(0.5), "observation": Linf(0.1), "action": Linf(0.3)},
    "MountainCarContinuous-v0": {"observation": Linf(0.05), "action": Linf(0.3)},
    "Acrobot-v1": {"action": Finite([0, 2])},
}


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("radius", [1.0, 0.0])
@pytest.mark.filterwarnings("ignore::UserWarning")  # the checker comments on the environments themselves
def test_gymnasium_check_env(name, radius):
    sets = {channel: members.scaled(radius) for channel, members in SENTENCES[name].items()}
    check_env(robust(gymnasium.make(name), **sets, nature=Uniform()))


@pytest.mark.parametrize("name", SENTENCES)
def test_a_spec_makes_the_same_robust_environment_again(name):
    env = robust(gymnasium.make(name), **SENTENCES[name], nature=Uniform(), trace=True)
    again = gymnasium.make(env.spec)
    assert isinstance(again, RobustEnv)
    one, two = env.reset(seed=5)[0], again.reset(seed=5)[0]
    assert np.array_equal(one, two)
    for _ in range(5):
        action = env.action_space.sample()
        assert np.array_equal(env.step(action)[0], again.step(action)[0])
    assert env.trace == again.trace


def test_a_spec_is_made_of_text_where_the_arguments_allow_it():
    env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())
    wrappers = [wrapper.name for wrapper in env.spec.additional_wrappers]
    assert wrappers[-1] == "RobustEnv"


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_stable_baselines3_check_env(name):
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="stable_baselines3 is not installed")
    checker.check_env(robust(gymnasium.make(name), **SENTENCES[name], nature=Uniform()))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("channel", ["reward", "observation", "action"])
def test_the_view_from_natures_side_passes_both(channel):
    def make():
        env = gymnasium.make("Pendulum-v1")
        return robust(env, **{channel: Linf(0.3)}, nature=AsAgents(team=lambda seen: np.zeros(1, np.float32)))

    check_env(make(), skip_render_check=True)
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="stable_baselines3 is not installed")
    checker.check_env(make())


@pytest.mark.parametrize("nature", [Uniform(), Noise(), WorstCase(), Policy(lambda seen: 1)], ids=repr)
def test_rewards_stay_python_floats(nature):
    env = robust(gymnasium.make("CartPole-v1"), reward=Linf(0.5), nature=nature)
    env.reset(seed=0)
    assert type(env.step(0)[1]) is float


def test_stable_baselines3_learns_on_a_wrapped_environment():
    sb3 = pytest.importorskip("stable_baselines3", reason="stable_baselines3 is not installed")
    env = robust(gymnasium.make("CartPole-v1"), **SENTENCES["CartPole-v1"], nature=Uniform())
    model = sb3.PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(64)
    again = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())
    action, _ = model.predict(again.reset(seed=0)[0])
    assert again.action_space.contains(action)


def test_gymnasium_wrappers_go_around_and_inside():
    inside = robust(
        gymnasium.wrappers.FlattenObservation(gymnasium.make("CartPole-v1")), observation=Linf(0.1), nature=Uniform()
    )
    around = gymnasium.wrappers.RecordEpisodeStatistics(inside)
    around.reset(seed=0)
    over = False
    while not over:
        *_, terminated, truncated, info = around.step(around.action_space.sample())
        over = terminated or truncated
    assert info["episode"]["l"] > 0
