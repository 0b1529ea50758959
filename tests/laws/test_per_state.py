"""A radius that depends on state and action: what it is asked, what it allows, and that nothing else changes."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoAEC, EchoEnv, EchoParallel, EchoTurns, observations, play, rewards, same
from gymnasium import spaces

from robust_envs import (
    L2,
    AsAgents,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    Nominal,
    OutsideSetError,
    Policy,
    Product,
    Replay,
    Switch,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    per_state,
    robust,
)

KINDS = [EchoEnv, EchoParallel, EchoAEC, EchoTurns]


def numbers(value):
    if isinstance(value, dict):
        return np.concatenate([numbers(part) for part in value.values()] or [np.zeros(1)])
    return np.asarray(0 if value is None else value, float).reshape(-1)


def by_both(observation, action):
    return float(np.abs(numbers(observation)).mean() + 2 * np.abs(numbers(action)).mean())


def sometimes(observation, action):
    return 0.3 if numbers(observation)[0] > 0 else 0.0


def one(observation, action):
    return 1.0


def never(observation, action):
    return 0


def boundary(move):
    return move.set.worst(np.cos(np.arange(move.set.dim) + move.step))


def everywhere(env, members, rule):
    """Arguments that put the set on all channels which hold deltas."""
    if isinstance(env, gymnasium.Env):
        return {channel: per_state(members, radius=rule) for channel in ("reward", "observation", "action")}
    boxes = [agent for agent in env.possible_agents if isinstance(env.action_space(agent), spaces.Box)]
    scaled = per_state(members, radius=rule)
    return {"reward": scaled, "observation": scaled, "action": dict.fromkeys(boxes, scaled)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nature", [Uniform(), Noise(), Nominal(), boundary])
def test_radius_one_everywhere_is_the_set_itself(kind, nature):
    scaled = everywhere(kind(), Linf(0.4), one)
    plain = {
        key: dict.fromkeys(given, Linf(0.4)) if isinstance(given, dict) else Linf(0.4) for key, given in scaled.items()
    }
    assert same(play(robust(kind(), **scaled, nature=nature)), play(robust(kind(), **plain, nature=nature)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nature", [Uniform(), boundary])
def test_radius_zero_everywhere_is_the_environment_bit_for_bit(kind, nature):
    assert same(play(robust(kind(), **everywhere(kind(), L2(0.4), never), nature=nature)), play(kind()))


@pytest.mark.parametrize("members", [Linf(0.5), L2(0.5), Interval(-0.1, 0.3), Interval(0.1, 0.2)])
def test_uniform_draws_are_those_for_radius_one_scaled(members):
    plain = robust(EchoEnv(observation="float64"), observation=members, nature=Uniform(), trace=True)
    given = per_state(members, radius=by_both)
    scaled = robust(EchoEnv(observation="float64"), observation=given, nature=Uniform(), trace=True)
    nominal = observations(play(EchoEnv(observation="float64")))
    play(plain), play(scaled)
    factors = np.array([by_both(state, None) for state in nominal])[:, None]
    (drawn,), (taken,) = plain.trace.moves.values(), scaled.trace.moves.values()
    np.testing.assert_allclose(taken.chosen, factors * drawn.chosen, rtol=1e-12)


def test_a_state_of_radius_zero_is_untouched_and_shifts_nobody_elses_noise():
    env = lambda: EchoEnv(observation="float64")  # noqa: E731
    nominal = observations(play(env()))
    always = observations(play(robust(env(), observation=Linf(0.3), nature=Uniform())))
    now_and_then = observations(play(robust(env(), observation=per_state(Linf(1.0), sometimes), nature=Uniform())))
    moved = [sometimes(state, None) > 0 for state in nominal]
    assert 0 < sum(moved) < len(moved)
    for before, all_of_them, after, there in zip(nominal, always, now_and_then, moved, strict=True):
        if there:
            np.testing.assert_allclose(after, all_of_them, rtol=1e-12)
        else:
            assert same(after, before)


def test_a_reward_is_perturbed_by_the_state_and_the_action_that_earned_it():
    asked = []

    def rule(observation, action):
        asked.append((observation, action))
        return by_both(observation, action)

    env = EchoEnv()
    said = play(robust(env, reward=per_state(L2(1.0), radius=rule), nature=WorstCase()))
    nominal = play(EchoEnv())
    states = observations(nominal)[:-1]
    assert same([pair[0] for pair in asked], states)
    assert same([pair[1] for pair in asked], env.received)
    lost = [by_both(*pair) for pair in asked]
    np.testing.assert_allclose(rewards(said), np.array(rewards(nominal)) - lost, rtol=1e-12)


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_in_a_game_each_agent_has_its_own_state_and_action(kind):
    asked = []

    def rule(observation, action):
        asked.append(action)
        return by_both(observation, action)

    env = robust(kind(), reward={"a_1": per_state(L2(1.0), radius=rule)}, nature=WorstCase(), trace=True)
    play(env)
    taken = env.trace.actions["a_1"]
    earned = [action for action in asked if action is not None]
    np.testing.assert_array_equal(np.array(earned), taken[: len(earned)])
    assert len(earned) == len(taken)


def test_a_joint_set_is_told_about_all_agents():
    asked = []

    def rule(observation, action):
        asked.append((sorted(observation), None if action is None else sorted(action)))
        return 0.5

    members = per_state(joint(L2(1.0)), radius=rule)
    assert members == joint(per_state(L2(1.0), radius=rule))
    env = robust(EchoParallel(), reward=members, nature=WorstCase())
    said, nominal = play(env), play(EchoParallel())
    assert all(pair == (["a_0", "a_1", "b_0"], ["a_0", "a_1", "b_0"]) for pair in asked)
    gap = np.array([[step[1][agent] for agent in ("a_0", "a_1", "b_0")] for step in said[1:]])
    gap -= np.array([[step[1][agent] for agent in ("a_0", "a_1", "b_0")] for step in nominal[1:]])
    np.testing.assert_allclose(np.linalg.norm(gap, axis=-1), 0.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nature", [Uniform(), boundary, Policy(lambda seen: np.tanh(np.resize(seen, 3)))])
@pytest.mark.parametrize("rule", [by_both, sometimes])
def test_traces_replay_bit_for_bit(kind, nature, rule):
    if isinstance(nature, Policy) and kind is not EchoEnv:
        pytest.skip("its agents act in different spaces")
    sets = everywhere(kind(), L2(0.7), rule)
    env = robust(kind(), **sets, nature=nature, trace=True)
    said = play(env, seed=5)
    again = robust(kind(), **sets, nature=Replay(env.trace), trace=True)
    assert same(said, play(again, seed=5, reset_seed=None))
    assert again.trace.moves.keys() == env.trace.moves.keys()


def test_nature_may_not_leave_the_set_of_the_moment():
    env = robust(EchoEnv(), observation=per_state(Linf(1.0), sometimes), nature=lambda move: np.full(3, 0.31))
    with pytest.raises(OutsideSetError, match=r"must answer a member of Linf\(0\.3, dim=3\)"):
        play(env)


def test_executed_deltas_stay_inside_their_space_and_their_set():
    members = Ellipsoid([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    env = robust(EchoEnv(), observation=per_state(members, by_both), nature=Uniform(), trace=True)
    said = play(env)
    (moves,) = env.trace.moves.values()
    for state, delta in zip(observations(play(EchoEnv())), moves.executed, strict=True):
        assert members.bind(3).scaled(by_both(state, None)).contains(delta, 1e-7)
    assert all(env.observation_space.contains(state) for state in observations(said))


def test_parts_and_integers_are_scaled_too():
    parts = per_state(
        Product({"position": Linf(1.0)}), radius=lambda observation, action: observation["position"][0] ** 2
    )
    env = robust(EchoEnv(observation="dict"), observation=parts, nature=boundary, trace=True)
    play(env)
    (moves,) = env.trace.moves.values()
    states = observations(play(EchoEnv(observation="dict")))
    size = np.array([float(state["position"][0]) ** 2 for state in states])
    np.testing.assert_allclose(np.abs(moves.chosen).max(-1), size, rtol=1e-6)
    by_first = per_state(Linf(1.0), radius=lambda observation, action: abs(observation[0]))
    whole = robust(EchoEnv(observation="int64"), observation=by_first, nature=boundary)
    assert all(state.dtype == np.int64 for state in observations(play(whole)))


def test_the_radius_of_an_environment_multiplies():
    env = robust(EchoEnv(), reward=per_state(L2(1.0), radius=by_both), nature=WorstCase(), trace=True)
    play(env)
    (once,) = env.trace.moves.values()
    play(env, options={"radius": 2.0})
    (twice,) = env.trace.moves.values()
    np.testing.assert_allclose(twice.chosen, 2 * once.chosen)


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), -0.5])
def test_a_radius_that_is_none_is_refused_by_name(bad):
    env = robust(EchoEnv(), observation=per_state(L2(1.0), lambda observation, action: bad), nature=Uniform())
    with pytest.raises(ValueError, match=r"channel 'observation'.*radius\(.*\) must be finite and >= 0"):
        env.reset(seed=0)


@pytest.mark.parametrize("bad", [None, "0.1", np.zeros(2), True])
def test_a_radius_that_is_no_number_is_refused_by_name(bad):
    env = robust(EchoEnv(), reward=per_state(L2(1.0), lambda observation, action: bad), nature=Uniform())
    env.reset(seed=0)
    with pytest.raises(TypeError, match=r"channel 'reward'.*radius\(observation, action\) must be a number"):
        env.step(np.zeros(2, np.float32))


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(TypeError, match="radius must be a function"):
        per_state(L2(1.0), radius=0.5)
    with pytest.raises(TypeError, match="must hold an uncertainty set"):
        per_state(0.5, radius=one)
    for members in (Switch(0.5), per_episode(L2(1.0)), per_state(L2(1.0), one)):
        with pytest.raises(ValueError, match="cannot hold a"):
            per_state(members, radius=one)
    with pytest.raises(ValueError, match="Discrete"):
        robust(EchoEnv(action="discrete"), action=per_state(Finite([0, 1]), radius=one), nature=Uniform())
    with pytest.raises(ValueError, match=r"AsAgents\(\) acts before"):
        robust(EchoParallel(), reward=per_state(L2(1.0), radius=one), nature=AsAgents())
