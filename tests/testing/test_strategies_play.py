"""Strategies for natures and whole episodes: what they draw plays, replays and shrinks."""

import gymnasium
import hypothesis.strategies as st
import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, play
from hypothesis import HealthCheck, find, given, settings, target

import robust_envs.natures
from robust_envs import L1, L2, Finite, Interval, Linf, Noise, Replay, Switch, joint, per_episode, robust
from robust_envs.natures import (
    AsAgents,
    GradientAttack,
    Mixture,
    Move,
    Nature,
    Nominal,
    Policy,
    Population,
    Scheduled,
    Uniform,
)
from robust_envs.testing.strategies import Follow, Push, natures, traces

quiet = settings(database=None, derandomize=True, max_examples=500)


def many(strategy, n=200):
    drawn = []

    @settings(database=None, derandomize=True, max_examples=n, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def keep(value):
        drawn.append(value)

    keep()
    return drawn


def make():
    return gymnasium.make("CartPole-v1", max_episode_steps=60)


@given(natures("reward", Linf(1.0).bind(1)), st.integers(0, 9))
@settings(max_examples=40)
def test_natures_play_rewards(nature, seed):
    play(robust(EchoEnv(), reward=Linf(1.0), nature=nature), seed)


@given(natures("action"), st.integers(0, 9))
@settings(max_examples=40)
def test_natures_play_discrete_actions(nature, seed):
    play(robust(EchoEnv(action="late"), action=Finite([2, 4]), nature=nature), seed)


def test_natures_leave_out_what_a_set_refuses():
    kinds = {type(nature) for nature in many(natures("observation", L2(1.0).bind(3)))}
    assert Noise not in kinds
    assert {Push, Follow} <= kinds
    assert Noise in {type(nature) for nature in many(natures("observation", Linf(1.0).bind(3)))}
    kinds = {type(nature) for nature in many(natures("action", Finite([2, 4]).bind(gymnasium.spaces.Discrete(5))))}
    assert kinds == {Nominal, Uniform, Push, Follow, Population, Mixture, Scheduled}


def test_natures_of_every_kind_are_drawn():
    drawn = {type(nature) for nature in many(natures("reward", Linf(1.0).bind(1), seen=3), 600)}
    ours = {getattr(robust_envs.natures, name) for name in robust_envs.natures.__all__}
    played = {AsAgents, GradientAttack, Policy, Replay}  # these come with a policy, an episode or a game of their own
    assert drawn == {Push, Follow} | {kind for kind in ours if isinstance(kind, type)} - played - {Move, Nature}


@given(natures("observation", L2(0.5).bind(3), seen=3), st.integers(0, 9))
@settings(max_examples=60)
def test_natures_play_observations(nature, seed):
    play(robust(EchoEnv(), observation=L2(0.5), nature=nature), seed)


def test_a_constant_nature_pushes_where_it_says():
    env = robust(EchoEnv(), observation=Linf(0.5), nature=Push((64, 0, -32)))
    env.reset(seed=0)
    np.testing.assert_allclose(env.last_move["observation", "agent_0"].chosen, [0.5, 0, -0.25])


def test_a_following_nature_goes_with_the_signs_it_sees():
    env = robust(EchoEnv(), observation=Linf(0.5), nature=Follow((64,), 0))
    env.reset(seed=0)
    move = env.last_move["observation", "agent_0"]
    np.testing.assert_array_equal(move.chosen, 0.5 * np.sign(move.nominal))


CHANNELS = [
    {"observation": Linf(0.5), "action": Finite([2, 4]), "reward": L2(1.0)},
    {"observation": per_episode(L2(0.5), horizon=13)},
    {"observation": Interval(0.1, 0.3)},
    {"observation": Finite([[0.0, 0.1], [0.3, 0.0]])},
]


@pytest.mark.parametrize("channels", CHANNELS, ids=repr)
@given(st.data())
@settings(max_examples=20)
def test_traces_replay_what_they_say(channels, data):
    trace = data.draw(traces(EchoEnv("float64", "late"), **channels, horizon=13))
    env = robust(EchoEnv("float64", "late"), **channels, nature=Replay(trace), trace=True)
    play(env, reset_seed=None, seed=trace.seed)
    for key, recorded in env.trace.moves.items():
        planned = trace.moves[key]
        if key[0] == "action":
            assert (recorded.executed.any(axis=1) <= planned.executed[: len(recorded.chosen)].any(axis=1)).all()
        else:
            np.testing.assert_array_equal(recorded.chosen, planned.chosen[: len(recorded.chosen)])


@given(st.data())
@settings(max_examples=20)
def test_traces_of_teams_replay_with_one_set_over_all(data):
    channels = {"reward": joint(L1(2.0)), "observation": {"a_0": Linf(0.5)}}
    trace = data.draw(traces(EchoParallel(), **channels, horizon=5))
    assert set(trace.moves) == {("reward", "*"), ("observation", "a_0")}
    play(robust(EchoParallel(), **channels, nature=Replay(trace)), reset_seed=None, seed=trace.seed)


def test_the_simplest_trace_moves_nothing():
    trace = find(traces(make(), observation=Linf(0.5), horizon=5), lambda trace: True, settings=quiet)
    assert not trace.moves["observation", "agent_0"].chosen.any()


def lean(observation):
    return int(observation[2] + observation[3] > 0)


def falls_at(trace):
    env = robust(make(), observation=Linf(1.0, unit=(0.1, 0.1, 0.3, 0.6)), nature=Replay(trace))
    observation, _ = env.reset(seed=0)
    for step in range(60):
        observation, _, terminated, truncated, _ = env.step(lean(observation))
        if terminated or truncated:
            return step + 1
    return 60


def test_a_trace_that_breaks_a_policy_is_found_by_target_and_shrinks_to_few_events():
    drawn = traces(
        make(), observation=Linf(1.0, unit=(0.1, 0.1, 0.3, 0.6)), horizon=60, seeds=st.just(0), resolution=8, events=3
    )
    broken = []

    @settings(
        database=None,
        derandomize=True,
        max_examples=400,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(drawn)
    def holds(trace):
        length = falls_at(trace)
        target(-float(length))
        if length < 60:
            broken.append(trace)
        assert length == 60

    with pytest.raises(AssertionError):
        holds()
    moved = np.count_nonzero(broken[-1].moves["observation", "agent_0"].chosen)
    assert moved <= min(np.count_nonzero(trace.moves["observation", "agent_0"].chosen) for trace in broken)


@pytest.mark.parametrize(
    ("env", "channels", "said"),
    [
        (EchoEnv(action="discrete"), {"action": Switch(0.5)}, "a trace cannot say when"),
        (EchoEnv(observation="masked", action="discrete"), {"action": Finite([1])}, "which choices will be legal"),
        (EchoEnv(), {}, "at least one channel must be given"),
        (EchoEnv(), {"observation": Linf(1.0), "events": 0}, "events must be >= 1"),
    ],
)
def test_bad_arguments_of_traces_are_refused(env, channels, said):
    with pytest.raises(ValueError, match=said):
        traces(env, **channels, horizon=3)
