"""The laws of wrappers, asked of sets, natures and seeds that Hypothesis makes up; nightly 10,000 times each."""

import hypothesis.strategies as st
import numpy as np
import pytest
from glassbox import FAMILY, SPACES, EchoAEC, EchoEnv, EchoParallel, play, same
from gymnasium import spaces
from hypothesis import given, settings

from robust_envs import Replay, Uniform, joint, robust
from robust_envs.sets import Finite, PerEpisode
from robust_envs.testing.strategies import natures, traces, uncertainty_sets

ASKED = settings.default.max_examples
few = settings(max_examples=40 if ASKED <= 100 else ASKED)
seeds = st.integers(0, 2**16)
MOVED = ("float32", "int64", "scalar", "masked", "dict")
MOVES = {name: uncertainty_sets(SPACES[name], nominal=True) for name in MOVED}
BUDGETS = uncertainty_sets(SPACES["float32"], kinds=(PerEpisode,))


def has_no_integers(drawn):
    box = drawn.bounds
    return not drawn.is_zero and max(np.abs(box.low).max(), np.abs(box.high).max()) < 1


@st.composite
def cases(draw):
    """An observation space, a set that fits it, and a nature that may play there."""
    name = draw(st.sampled_from(MOVED))
    drawn = draw(MOVES[name])
    return name, drawn, draw(natures("observation", drawn))


def ulp(values, name):
    space = SPACES[name]
    kind = np.float32 if name in ("masked", "dict") else space.dtype
    return 0.0 if np.dtype(kind).kind in "iu" else np.spacing(np.abs(values).astype(kind)).astype(np.float64)


@given(cases(), seeds)
def test_executed_observation_deltas_lie_in_the_set_and_observations_in_the_space(case, seed):
    name, drawn, nature = case
    if name == "int64" and has_no_integers(drawn):
        return
    env = robust(EchoEnv(name), observation=drawn, nature=nature, trace=True)
    for observation in [said[0] for said in play(env, seed)]:
        assert env.observation_space.contains(observation)
    nominal = np.abs([3.0, 5.0]).max()  # no glass-box observation is larger
    executed = env.trace.moves["observation", "agent_0"].executed
    assert drawn.contains(executed, tolerance=ulp(np.full(executed.shape, nominal), name)).all()


@given(cases(), seeds)
@few
def test_a_recorded_episode_replays_bit_for_bit(case, seed):
    name, drawn, nature = case
    if name == "int64" and has_no_integers(drawn):
        return
    env = robust(EchoEnv(name), observation=drawn, nature=nature, trace=True)
    said = play(env, seed)
    again = play(robust(EchoEnv(name), observation=drawn, nature=Replay(env.trace)), seed)
    assert same(said, again)


@given(cases(), seeds)
@few
def test_a_set_scaled_to_nothing_leaves_the_environment_bit_identical(case, seed):
    name, drawn, nature = case
    wrapped = robust(EchoEnv(name), observation=drawn.scaled(0.0), nature=nature)
    assert same(play(wrapped, seed), play(EchoEnv(name), seed))


@given(uncertainty_sets(1, nominal=True), st.data(), seeds)
def test_executed_reward_deltas_lie_in_the_set(drawn, data, seed):
    nature = data.draw(natures("reward", drawn))
    env = robust(EchoEnv(reward="float64"), reward=drawn, nature=nature, trace=True)
    said, bare = play(env, seed), play(EchoEnv(reward="float64"), seed)
    for after, before in zip(said[1:], bare[1:], strict=True):
        assert drawn.contains([after[1] - before[1]], tolerance=4 * np.spacing(abs(before[1]) + 4.0))
        assert same(after[0], before[0])


@given(uncertainty_sets(spaces.Discrete(4, start=2)), st.data(), seeds)
def test_replaced_actions_are_those_of_the_set_or_the_agents_own(drawn, data, seed):
    nature = data.draw(natures("action", drawn))
    inner, bare = EchoEnv(action="late"), EchoEnv(action="late")
    play(robust(inner, action=drawn, nature=nature), seed)
    play(bare, seed)
    allowed = set(drawn.actions) if isinstance(drawn, Finite) else {2, 3, 4, 5}
    for after, before in zip(inner.received, bare.received, strict=True):
        assert after == before or (after in allowed and not drawn.is_zero)


@given(uncertainty_sets(SPACES["float32"], nominal=True), st.data(), seeds)
@few
def test_observations_of_all_apis_are_perturbed_alike(drawn, data, seed):
    channels = {"observation": {"a_0": drawn}, "nature": data.draw(natures("observation", drawn))}
    parallel, aec = robust(EchoParallel(), **channels), robust(EchoAEC(), **channels)
    observations, _ = parallel.reset(seed=seed)
    aec.reset(seed=seed)
    np.testing.assert_array_equal(observations["a_0"], aec.observe("a_0"))


@given(BUDGETS, st.data(), seeds)
def test_budgets_hold_over_the_episode(drawn, data, seed):
    nature = data.draw(natures("observation", drawn))
    env = robust(EchoEnv(horizon=9), observation=drawn, nature=nature, trace=True)
    play(env, seed)
    executed = env.trace.moves["observation", "agent_0"].executed
    assert drawn.plan_contains(executed, tolerance=1e-5)


@given(uncertainty_sets(9, nominal=True), seeds)
@few
def test_one_set_over_a_family_holds_for_all_together(drawn, seed):
    family = {name: FAMILY[name] for name in ("a_0", "a_1", "a_2")}
    env = robust(EchoParallel(family), observation=joint(drawn), nature=Uniform(), trace=True)
    play(env, seed)
    if drawn.monotone:  # whoever is not there leaves its share out
        assert drawn.contains(env.trace.moves["observation", "*"].executed, tolerance=1e-6).all()


@pytest.mark.parametrize("make", [EchoParallel, EchoAEC])
@given(st.data())
@few
def test_planned_episodes_of_teams_play_without_leaving_their_sets(make, data):
    channels = {
        "observation": {"a_0": data.draw(uncertainty_sets(SPACES["float32"], nominal=True))},
        "reward": joint(data.draw(uncertainty_sets(3, nominal=True))),
        "action": {"b_0": Finite(data.draw(st.lists(st.integers(0, 3), min_size=1, unique=True)))},
    }
    trace = data.draw(traces(make(), **channels, horizon=4))
    play(robust(make(), **channels, nature=Replay(trace)), trace.seed)
