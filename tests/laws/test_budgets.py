"""A budget for the episode holds over the episode: every channel, every nature, with a horizon and without."""

import numpy as np
import pytest
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, play
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_envs import L1, L2, Interval, Linf, Noise, Policy, Switch, Uniform, WorstCase, joint, per_episode, robust

NORMS = {L1: lambda d: np.abs(d).sum(), L2: np.linalg.norm, Linf: lambda d: np.abs(d).max(initial=0)}


def greedy(move):
    """Take all that is left at once."""
    return move.set.worst(np.ones(len(move.nominal)))


def thrifty(move):
    """Take half of what is left."""
    return 0.5 * np.asarray(move.set.worst(np.ones(len(move.nominal))))


def executed(env, channel, agent):
    return env.trace.moves[channel, agent].executed


@pytest.mark.parametrize("ball", NORMS, ids=lambda ball: ball.__name__)
@pytest.mark.parametrize("horizon", [5, 13, 40])
@pytest.mark.parametrize("radius", [0.01, 1.0, 30.0])
def test_a_planned_episode_stays_within_its_budget(ball, horizon, radius):
    for channel in ("observation", "action", "reward"):
        members = per_episode(ball(radius), horizon=horizon)
        env = robust(EchoEnv(), **{channel: members}, nature=Uniform(), trace=True)
        for seed in range(3):
            play(env, seed)
            spent = NORMS[ball](executed(env, channel, "agent_0").reshape(-1))
            assert 0 < spent <= radius * (1 + 1e-6) + 1e-6
            assert len(executed(env, channel, "agent_0")) >= 12


@pytest.mark.parametrize("ball", NORMS, ids=lambda ball: ball.__name__)
@pytest.mark.parametrize(
    "nature", [greedy, thrifty, Policy(lambda seen: [1.0, 0.3, -1.0])], ids=["greedy", "thrifty", "Policy"]
)
def test_without_a_horizon_natures_are_shown_what_is_left(ball, nature):
    env = robust(EchoEnv(), observation=per_episode(ball(0.9)), nature=nature, trace=True)
    play(env)
    spent = NORMS[ball](executed(env, "observation", "agent_0").reshape(-1))
    assert 0.4 < spent <= 0.9 + 1e-5


def test_what_the_space_clips_away_is_not_paid_for():
    # The action is clipped to half of what was chosen: the other half is left for later.
    members = per_episode(L1(1.0))
    env = robust(EchoEnv(), action=members, nature=lambda move: move.set.project([9.0, 0.0]), trace=True)
    env.reset(seed=0)
    left = []
    for _ in range(3):
        env.step(np.float32([0.5, 0.0]))
        left.append(float(np.abs(executed(env, "action", "agent_0")).sum()))
    assert left == [0.5, 1.0, 1.0]


def test_a_new_episode_has_a_new_budget():
    env = robust(EchoEnv(), observation=per_episode(L2(0.9)), nature=greedy, trace=True)
    for _ in range(3):
        play(env)
        assert np.linalg.norm(executed(env, "observation", "agent_0")[0]) > 0.4


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_the_worst_case_of_a_sum_spreads_evenly_and_spends_all(kind):
    env = robust(kind(), reward=per_episode(L2(2.0), horizon=12), nature=WorstCase(), trace=True)
    play(env)
    np.testing.assert_allclose(executed(env, "reward", "a_0"), -2 / np.sqrt(12), rtol=1e-9)
    assert len(executed(env, "reward", "a_0")) == 12


def test_the_worst_case_of_an_absolute_budget_is_all_at_once():
    env = robust(EchoParallel(), reward=per_episode(L1(2.0)), nature=WorstCase(), trace=True)
    play(env)
    np.testing.assert_allclose(executed(env, "reward", "a_0")[:, 0], [-2.0] + [0.0] * 11, atol=1e-12)


def test_the_largest_norm_needs_no_plan():
    env = robust(EchoParallel(), reward=per_episode(Linf(0.5)), nature=WorstCase(), trace=True)
    play(env)
    np.testing.assert_allclose(executed(env, "reward", "a_0"), -0.5)
    play(robust(EchoParallel(), reward=per_episode(Linf(0.5)), nature=Uniform()))
    play(robust(EchoParallel(), reward=per_episode(Linf(0.5)), nature=Noise()))


def test_moves_beyond_the_horizon_are_nominal():
    env = robust(EchoEnv(), observation=per_episode(L2(1.0), horizon=4), nature=Uniform(), trace=True)
    play(env)
    moves = executed(env, "observation", "agent_0")
    assert np.all(np.any(moves[:4] != 0, axis=1))
    assert not np.any(moves[4:])


@pytest.mark.parametrize("ball", [L1, L2])
@pytest.mark.parametrize("nature", [Uniform(), WorstCase()], ids=repr)
def test_one_budget_over_all_agents_and_steps_holds_while_agents_come_and_go(ball, nature):
    env = robust(EchoParallel(FAMILY), reward=joint(per_episode(ball(3.0), horizon=12)), nature=nature, trace=True)
    play(env)
    assert 0 < NORMS[ball](executed(env, "reward", "*").reshape(-1)) <= 3.0 + 1e-6


@settings(max_examples=60)
@given(
    st.lists(st.floats(-1, 1), min_size=13, max_size=13),
    st.sampled_from([L1, L2]),
    st.just(0.0) | st.floats(0.001, 3.0),
)
def test_no_sequence_of_wishes_breaks_a_budget(wishes, ball, radius):
    nature = lambda move: move.set.project(np.full(3, wishes[move.step]))  # noqa: E731
    env = robust(EchoEnv(), observation=per_episode(ball(radius)), nature=nature, trace=True)
    play(env)
    assert NORMS[ball](executed(env, "observation", "agent_0").reshape(-1)) <= radius + 1e-5


@pytest.mark.parametrize("members", [Interval(0, 1), Switch(0.1)], ids=repr)
def test_only_norm_balls_are_budgets(members):
    with pytest.raises(ValueError, match="per_episode must hold L1, L2 or Linf"):
        per_episode(members)
