"""At radius 0 the robust environment is the environment: bit for bit and type for type, in every API."""

import gymnasium
import numpy as np
import pytest
from glassbox import (
    ACTIONS,
    FAMILY,
    REWARDS,
    SPACES,
    EchoAEC,
    EchoEnv,
    EchoParallel,
    EchoTurns,
    all_channels,
    play,
    same,
)
from gymnasium.utils.env_match import check_environments_match
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3

from robust_envs import (
    L1,
    L2,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    Nominal,
    Policy,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
)

ZEROS = [
    Linf(0),
    L1(0),
    L2(0.0),
    Linf(1.0, unit=0.0),
    Interval(0, 0),
    Ellipsoid(np.eye(4), radius=0),
    Finite([[0.0] * 4]),
    joint(L2(0)),
    per_episode(L1(0), horizon=30),
]


def never(move):
    raise AssertionError("nature is not asked at radius 0")


def answer_one(observation):
    return 1


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Acrobot-v1"])
def test_gym_environments_match_at_radius_zero(name):
    env = gymnasium.make(name)
    wrapped = robust(gymnasium.make(name), **all_channels(env, 0.0), nature=Uniform())
    check_environments_match(env, wrapped, num_steps=300)


@pytest.mark.parametrize("zero", ZEROS, ids=repr)
@pytest.mark.parametrize("nature", [Uniform(), Nominal(), never], ids=["Uniform", "Nominal", "function"])
def test_every_set_has_its_zero(zero, nature):
    wrapped = robust(gymnasium.make("CartPole-v1"), observation=zero, nature=nature)
    check_environments_match(gymnasium.make("CartPole-v1"), wrapped, num_steps=100)


@pytest.mark.parametrize("observation", SPACES)
@pytest.mark.parametrize("reward", REWARDS)
def test_gym_says_the_same_objects_types_and_bits(observation, reward):
    env = EchoEnv(observation=observation, reward=reward)
    wrapped = robust(EchoEnv(observation=observation, reward=reward), **all_channels(env, 0.0), nature=Uniform())
    assert same(play(env), play(wrapped))
    assert same(env.received, wrapped.unwrapped.received)


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_arrive_as_the_very_objects_given(action):
    wrapped = robust(EchoEnv(action=action), **all_channels(EchoEnv(action=action), 0.0), nature=Uniform())
    wrapped.reset(seed=0)
    given = wrapped.action_space.sample()
    wrapped.step(given)
    assert wrapped.unwrapped.received[0] is given


@pytest.mark.parametrize(
    "nature",
    [Nominal(), Uniform(), Noise(), Policy(answer_one), never],
    ids=lambda nature: getattr(nature, "__name__", repr(nature)),
)
@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC, EchoTurns])
def test_pettingzoo_says_the_same_types_and_bits(kind, nature):
    channels = all_channels(kind(), 0.0)
    if isinstance(nature, Noise):
        del channels["action"]  # Noise has no Discrete
    env, wrapped = kind(), robust(kind(), **channels, nature=nature)
    assert same(play(env), play(wrapped))
    assert same(env.received, wrapped.unwrapped.received)


def test_agents_that_die_and_are_born_say_the_same():
    env, wrapped = (
        EchoParallel(FAMILY),
        robust(EchoParallel(FAMILY), **all_channels(EchoParallel(FAMILY), 0.0), nature=Uniform()),
    )
    assert same(play(env), play(wrapped))
    dying = {agent: player for agent, player in FAMILY.items() if player.born == 0}
    env, wrapped = EchoAEC(dying), robust(EchoAEC(dying), **all_channels(EchoAEC(dying), 0.0), nature=Uniform())
    assert same(play(env), play(wrapped))


@pytest.mark.parametrize("module", [simple_spread_v3, simple_tag_v3, simple_speaker_listener_v4])
@pytest.mark.parametrize("api", ["parallel_env", "env"])
def test_mpe_says_the_same_types_and_bits(module, api):
    make = lambda: getattr(module, api)(max_cycles=25)  # noqa: E731
    wrapped = robust(make(), **all_channels(make(), 0.0), nature=Uniform())
    for seed in (0, 1):
        assert same(play(make(), seed, steps=30), play(wrapped, seed, steps=30))


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_worst_case_at_radius_zero_leaves_integer_rewards_integers(kind):
    wrapped = robust(kind(), reward=joint(L2(0.0)), nature=WorstCase())
    assert same(play(kind()), play(wrapped))


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_the_nominal_nature_is_the_environment_at_any_radius(kind):
    wrapped = robust(kind(), **all_channels(kind(), 0.5), nature=Nominal())
    assert same(play(kind()), play(wrapped))


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
@pytest.mark.parametrize("channel", ["reward", "observation"])
def test_nature_never_touches_the_stream_of_the_environment(kind, channel):
    # After an episode under a large perturbation the environment's own generator stands where it would have stood.
    env, wrapped = kind(), robust(kind(), **{channel: all_channels(kind(), 3.0)[channel]}, nature=Uniform())
    play(env), play(wrapped)
    assert env.np_random.bit_generator.state == wrapped.unwrapped.np_random.bit_generator.state


def test_setting_the_radius_to_zero_gives_the_environment_back():
    wrapped = robust(EchoParallel(), reward=Linf(1.0), observation=Linf(0.5), nature=Uniform())
    wrapped.radius = 0.0
    assert same(play(EchoParallel()), play(wrapped))
