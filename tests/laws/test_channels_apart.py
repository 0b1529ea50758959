"""Channels, agents and layers have noise of their own: what one does is nothing to the others."""

import gymnasium
import numpy as np
import pytest
from glassbox import (
    ACTIONS,
    FAMILY,
    REWARDS,
    SPACES,
    TEAM,
    EchoAEC,
    EchoEnv,
    EchoParallel,
    all_channels,
    observations,
    play,
    rewards,
    same,
)
from mpe2 import simple_spread_v3

from robust_envs import L2, Finite, Linf, Noise, Replay, Switch, Uniform, WorstCase, joint, robust

KINDS = {
    "glass box": EchoParallel,
    "born and dying": lambda: EchoParallel(FAMILY),
    "mpe2": lambda: simple_spread_v3.parallel_env(max_cycles=12, continuous_actions=True),
}
TURNS = {"glass box": EchoAEC, "mpe2": lambda: simple_spread_v3.env(max_cycles=12, continuous_actions=True)}


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def test_a_perturbed_reward_leaves_all_else_bit_identical(make):
    nominal, robustly = play(make()), play(robust(make(), reward=Linf(1.0), nature=Uniform()))
    for before, after in zip(nominal[1:], robustly[1:], strict=True):
        assert same((before[0], *before[2:]), (after[0], *after[2:]))
        assert not any(before[1][agent] == after[1][agent] for agent in before[1])


def test_a_perturbed_observation_leaves_all_else_bit_identical(make):
    channels = {"observation": all_channels(make(), 0.3)["observation"]}
    nominal, robustly = play(make()), play(robust(make(), **channels, nature=Uniform()))
    for before, after in zip(nominal, robustly, strict=True):
        assert same(before[1:], after[1:])
        assert not any(same(before[0][agent], after[0][agent]) for agent in before[0])


def test_perturbed_actions_reach_the_environment_and_nothing_else():
    env, wrapped = (
        EchoParallel(),
        robust(EchoParallel(), action=all_channels(EchoParallel(), 0.3)["action"], nature=Uniform()),
    )
    assert same(play(env), play(wrapped))  # the glass box does not react to actions
    for given, received in zip(env.received, wrapped.unwrapped.received, strict=True):
        assert all(received[agent] in env.action_space(agent) for agent in received)
        assert not any(same(given[agent], received[agent]) for agent in ("a_0", "a_1"))


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("channel", ["reward", "observation"])
def test_in_turns_one_perturbed_channel_leaves_the_others_bit_identical(name, channel):
    make, other = TURNS[name], {"reward": 1, "observation": 2}[channel]
    nominal = play(make())
    robustly = play(robust(make(), **{channel: all_channels(make(), 0.3)[channel]}, nature=Uniform()))
    for before, after in zip(nominal, robustly, strict=True):
        assert same(before[other], after[other])
        assert same((before[0], *before[3:6]), (after[0], *after[3:6]))
    assert not same(nominal, robustly)


@pytest.mark.parametrize("channel", ["reward", "observation"])
def test_in_gym_one_perturbed_channel_leaves_the_others_bit_identical(channel):
    nominal = play(gymnasium.make("CartPole-v1"))
    robustly = play(robust(gymnasium.make("CartPole-v1"), **{channel: Linf(0.1)}, nature=Uniform()))
    assert same([parts[2:] for parts in nominal[1:]], [parts[2:] for parts in robustly[1:]])
    assert same(observations(nominal), observations(robustly)) == (channel == "reward")
    assert same(rewards(nominal), rewards(robustly)) == (channel == "observation")


def test_adding_a_channel_moves_nobody_elses_noise(make):
    channels = all_channels(make(), 0.2)
    alone = play(robust(make(), observation=channels["observation"], nature=Uniform()))
    both = play(robust(make(), observation=channels["observation"], reward=Linf(1.0), nature=Uniform()))
    assert all(same(one[0], two[0]) for one, two in zip(alone, both, strict=True))


def test_adding_an_agent_moves_nobody_elses_noise():
    def noise(players):
        env = robust(EchoParallel(players), reward=Linf(1.0), observation=Linf(0.5), nature=Uniform(), trace=True)
        play(env)
        return env.trace.moves

    few = {agent: player for agent, player in TEAM.items() if agent != "a_0"}
    small, large = noise(few), noise(TEAM)
    assert set(small) < set(large)
    assert all(same(small[key].chosen, large[key].chosen) for key in small)


def test_perturbing_one_agent_only_gives_it_the_noise_it_had_among_all():
    everyone = play(robust(EchoParallel(), reward=Linf(1.0), nature=Uniform()))
    single = play(robust(EchoParallel(), reward={"a_1": Linf(1.0)}, nature=Uniform()))
    nominal = play(EchoParallel())
    assert same(rewards(everyone, "a_1"), rewards(single, "a_1"))
    assert same(rewards(nominal, "a_0"), rewards(single, "a_0"))


def deltas(env, channel, agent):
    play(env)
    return env.trace.moves[channel, agent].chosen


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
@pytest.mark.parametrize("nature", [Uniform(), Noise()], ids=repr)
@pytest.mark.parametrize("channel", ["reward", "observation"])
def test_agents_have_different_noise(kind, nature, channel):
    env = robust(kind(), **{channel: Linf(0.5)}, nature=nature, trace=True)
    first, second = deltas(env, channel, "a_0"), deltas(env, channel, "a_1")
    assert len(first) == len(second) > 10
    assert not np.any(first == second)


def test_agents_whose_ids_are_numbers_have_noise_of_their_own():
    env = robust(EchoParallel({0: TEAM["a_0"], 1: TEAM["a_0"]}), observation=Linf(0.5), nature=Uniform(), trace=True)
    first, second = deltas(env, "observation", "0"), deltas(env, "observation", "1")
    assert len(first) == len(second) == 13
    assert not np.any(first == second)
    sets = {0: Linf(0.5), 1: Linf(0.5)}
    again = robust(EchoParallel({0: TEAM["a_0"], 1: TEAM["a_0"]}), observation=sets, nature=Replay(env.trace))
    assert same(play(again), play(env))


def test_channels_of_one_agent_have_different_noise():
    players = {"a_0": TEAM["a_0"]}
    env = robust(
        EchoParallel(players), observation=Linf(0.5), action=Linf(0.5, unit=(1, 1)), nature=Uniform(), trace=True
    )
    seen, done = deltas(env, "observation", "a_0"), deltas(env, "action", "a_0")
    assert not np.any(seen[: len(done), :2] == done)


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_nested_layers_have_different_noise(kind):
    inner = robust(kind(), observation=Linf(0.2), nature=Uniform(), trace=True)
    outer = robust(inner, observation=Linf(0.2), nature=Uniform(), trace=True)
    play(outer)
    assert (inner.trace.depth, outer.trace.depth) == (0, 1)
    for key in inner.trace.moves:
        assert not np.any(inner.trace.moves[key].chosen == outer.trace.moves[key].chosen)


def test_layers_are_counted_through_wrappers_in_between():
    inner = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.2), nature=Uniform())
    outer = robust(gymnasium.wrappers.TimeLimit(inner, 10), observation=Linf(0.2), nature=Uniform(), trace=True)
    outer.reset(seed=0)
    assert outer.trace.depth == 1


def test_seeds_decide_and_differ():
    env = robust(EchoParallel(), reward=Linf(1.0), observation=Linf(0.1), nature=Uniform())
    assert same(play(env, 3), play(env, 3))
    assert not same(rewards(play(env, 3), "a_0"), rewards(play(env, 4), "a_0"))


def test_reset_without_a_seed_goes_on_with_the_stream():
    env = robust(EchoParallel(), reward=Linf(1.0), nature=Uniform(), trace=True)
    first = deltas(env, "reward", "a_0")
    env.reset()
    env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert not np.any(first == env.trace.moves["reward", "a_0"].chosen[0])


def test_unseeded_environments_differ():
    first, second = (robust(EchoParallel(), reward=Linf(1.0), nature=Uniform(), trace=True) for _ in range(2))
    play(first, reset_seed=None), play(second, reset_seed=None)
    assert not np.any(first.trace.moves["reward", "a_0"].chosen == second.trace.moves["reward", "a_0"].chosen)


# Every effect is real: a radius above 0 changes what it says it changes.


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize(
    "nature", [Uniform(), Noise(), WorstCase(), lambda move: [0.5]], ids=["U", "N", "W", "function"]
)
def test_a_reward_changes_at_every_step(reward, nature):
    nominal, robustly = (
        play(EchoEnv(reward=reward)),
        play(robust(EchoEnv(reward=reward), reward=Linf(1.0), nature=nature)),
    )
    for before, after in zip(rewards(nominal), rewards(robustly), strict=True):
        assert 0 < abs(after - before) <= 1 + 1e-6
        assert type(after) is (float if reward == "int" else type(before))


@pytest.mark.parametrize("kind", SPACES)
def test_an_observation_changes_at_every_step_where_it_was_told_to(kind):
    space, members = SPACES[kind], all_channels(EchoEnv(observation=kind), 5.0)["observation"]
    nominal = play(EchoEnv(observation=kind))
    robustly = play(robust(EchoEnv(observation=kind), observation=members, nature=Uniform()))
    for before, after in zip(observations(nominal), observations(robustly), strict=True):
        assert not same(before, after)
        assert space.contains(after)
        assert type(before) is type(after)
        for untouched in {"action_mask", "kind", 1} & set(
            before if kind in ("masked", "dict") else range(2 * (kind == "tuple"))
        ):
            assert after[untouched] is not None
            assert same(before[untouched], after[untouched])


@pytest.mark.parametrize("kind", ACTIONS)
def test_an_action_changes_on_its_way(kind):
    env, wrapped = (
        EchoEnv(action=kind),
        robust(EchoEnv(action=kind), action=all_channels(EchoEnv(action=kind), 2.0)["action"], nature=Uniform()),
    )
    play(env), play(wrapped)
    changed = [not same(a, b) for a, b in zip(env.received, wrapped.unwrapped.received, strict=True)]
    assert sum(changed) >= len(changed) // 3
    for given, received in zip(env.received, wrapped.unwrapped.received, strict=True):
        assert env.action_space.contains(received)
        assert type(given) is type(received)


def test_a_switch_replaces_about_as_often_as_it_says():
    env = robust(EchoEnv(action="discrete", horizon=4000), action=Switch(0.5), nature=Uniform(), trace=True)
    env.reset(seed=0)
    for _ in range(4000):
        env.step(0)
    replaced = np.mean(env.trace.moves["action", "agent_0"].executed != 0)
    assert abs(replaced - 0.5 * 3 / 4) < 0.04  # one of four replacements is the action itself


def test_a_finite_choice_is_drawn_from_its_members_and_leaving_it():
    env = robust(EchoEnv(action="late", horizon=400), action=Finite([3, 5]), nature=Uniform())
    env.reset(seed=0)
    for _ in range(400):
        env.step(2)
    counts = {int(action): env.unwrapped.received.count(action) for action in env.unwrapped.received}
    assert set(counts) == {2, 3, 5}
    assert min(counts.values()) > 90


def test_integer_actions_and_observations_in_float_spaces_are_moved_too():
    env = robust(EchoEnv(), action=Linf(0.3), nature=lambda move: [0.3, -0.3])
    env.reset(seed=0)
    env.step(np.array([0, 0]))
    np.testing.assert_allclose(env.unwrapped.received[0], [0.3, -0.3], rtol=1e-6)


def test_a_joint_worst_case_is_shared_by_all_agents():
    nominal, robustly = play(EchoParallel()), play(robust(EchoParallel(), reward=joint(L2(3.0)), nature=WorstCase()))
    for agent in TEAM:
        drop = np.subtract(rewards(nominal, agent), rewards(robustly, agent))
        np.testing.assert_allclose(drop, 3 / np.sqrt(len(TEAM)))
