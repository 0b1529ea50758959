"""What a robust layer costs: wrapped over naked steps per CPU-second.

`python tests/benchmarks/test_overhead.py` prints the table of docs/benchmarks.md. As tests the same measurements only
compare with a named alternative in the same run, since a busy machine shifts every figure.
"""

import gymnasium
import numpy as np
import pytest
from interleaved import ratios
from mpe2 import simple_spread_v3

from robust_envs import Linf, Switch, Uniform, robust

STEPS = 300


class HandWritten(gymnasium.Wrapper):
    """The observation noise one writes in a minute: a draw and a clip each step."""

    def __init__(self, env):
        super().__init__(env)
        self.rng = np.random.default_rng(0)

    def noisy(self, observation):
        noise = self.rng.uniform(-0.1, 0.1, observation.shape).astype(np.float32)
        return np.clip(observation + noise, self.observation_space.low, self.observation_space.high)

    def reset(self, **options):
        observation, info = self.env.reset(**options)
        return self.noisy(observation), info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self.noisy(observation), reward, terminated, truncated, info


def play_gym(env, actions):
    env.reset(seed=0)

    def chunk():
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return chunk


def play_parallel(env, actions):
    env.reset(seed=0)

    def chunk():
        for action in actions:
            env.step(action)
            if not env.agents:
                env.reset()

    return chunk


def play_turns(env, actions):
    env.reset(seed=0)

    def chunk():
        for action in actions:
            _, _, terminated, truncated, _ = env.last()
            if terminated or truncated:
                env.reset()
            else:
                env.step(action)

    return chunk


def cartpole(rounds=31):
    def make():
        return gymnasium.make("CartPole-v1")

    noise = {"observation": Linf(0.1), "nature": Uniform()}
    actions = [int(action) for action in np.random.default_rng(0).integers(0, 2, STEPS)]
    envs = {
        "naked": make(),
        "empty wrapper": gymnasium.Wrapper(make()),
        "hand-written": HandWritten(make()),
        "robust": robust(make(), **noise),
        "robust, trace": robust(make(), **noise, trace=True),
    }
    return ratios({name: play_gym(env, actions) for name, env in envs.items()}, rounds=rounds)


def spread(rounds=31):
    def make():
        return simple_spread_v3.parallel_env(continuous_actions=True)

    one = {"observation": Linf(0.1)}
    three = {"observation": Linf(0.1), "reward": Linf(0.5), "action": Linf(0.1)}
    env = make()
    rng = np.random.default_rng(0)
    actions = [{agent: rng.random(5).astype(np.float32) for agent in env.possible_agents} for _ in range(STEPS // 3)]
    envs = {
        "naked": env,
        "robust, one channel": robust(make(), **one, nature=Uniform()),
        "robust, three channels": robust(make(), **three, nature=Uniform()),
        "robust, three channels, trace": robust(make(), **three, nature=Uniform(), trace=True),
    }
    return ratios({name: play_parallel(env, actions) for name, env in envs.items()}, rounds=rounds)


def turns(rounds=31):
    def make():
        return simple_spread_v3.env(continuous_actions=False)

    two = {"observation": Linf(0.1), "reward": Linf(0.5)}
    actions = [int(action) for action in np.random.default_rng(0).integers(0, 5, STEPS)]
    envs = {
        "naked": make(),
        "robust, radius 0": robust(make(), observation=Linf(0.0), nature=Uniform()),
        "robust, one channel": robust(make(), observation=Linf(0.1), nature=Uniform()),
        "robust, two channels": robust(make(), **two, nature=Uniform()),
        "robust, three channels": robust(make(), **two, action=Switch(0.1), nature=Uniform()),
        "robust, two channels, trace": robust(make(), **two, nature=Uniform(), trace=True),
    }
    return ratios({name: play_turns(env, actions) for name, env in envs.items()}, rounds=rounds)


@pytest.mark.slow
def test_observation_noise_on_cartpole_costs_less_than_a_hand_written_wrapper():
    measured = cartpole()
    assert measured["robust"] > measured["hand-written"]
    assert measured["robust, trace"] > measured["hand-written"]


@pytest.mark.slow
def test_three_channels_on_spread_cost_less_than_a_fifth():
    assert spread()["robust, three channels"] > 0.8


@pytest.mark.slow
def test_observation_noise_on_a_turn_of_spread_costs_less_than_a_fifth():
    assert turns()["robust, one channel"] > 0.8


if __name__ == "__main__":
    tables = {"CartPole": cartpole, "mpe2 simple_spread, Parallel": spread, "mpe2 simple_spread, AEC": turns}
    for title, measure in tables.items():
        print(title)
        for name, ratio in measure(rounds=61).items():
            print(f"  {name:32s} {ratio:.2f}")
