"""What nature executes lies in its set, up to one unit in the last place; who cheats is named."""

import gymnasium
import numpy as np
import pytest
from glassbox import FAMILY, SPACES, EchoAEC, EchoEnv, EchoParallel, draw, observations, play, rewards
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robust_envs import (
    L1,
    L2,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    OutsideSetError,
    Policy,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
)

SETS = [
    Linf(0.7),
    Linf(1.0, unit=(0.5, 0.0, 2.0)),
    L1(1.5),
    L2(0.8),
    Interval(-0.2, 0.9),
    Ellipsoid(np.diag([1.0, 0.3, 2.0]), radius=0.9),
    Finite([[0.5, 0.0, 0.0], [0.0, -0.7, 0.1], [0.0, 0.0, 0.0]]),
    per_episode(L2(2.0), horizon=13),
    per_episode(L1(3.0), horizon=13),
]
INTEGER_SETS = [
    Linf(2.5),
    L1(4.0),
    L2(3.0),
    Interval(-1.5, 2.5),
    Interval(1, 2),
    Finite([[1, 0, 0], [0, -2, 0], [0, 0, 0]]),
]


def ulp(nominal, executed, dtype):
    """One unit in the last place of the value's dtype, where nominal and delta live."""
    if np.dtype(dtype).kind in "iu":
        return 0.0
    return np.spacing((np.abs(nominal) + np.abs(executed)).astype(dtype)).astype(np.float64)


def as64(value):
    return np.asarray(value, np.float64).reshape(-1)


class Script(gymnasium.Env):
    """Say what is written in `lines`, keep what was done."""

    def __init__(self, space, lines):
        self.observation_space, self.action_space, self.lines = space, space, lines

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.received = 0, []
        return self.lines[0], {}

    def step(self, action):
        self.at += 1
        self.received.append(action)
        return self.lines[min(self.at, len(self.lines) - 1)], 0.0, False, False, {}


def aims_at(target):
    """A nature that always answers the member nearest to a target."""
    return lambda move: move.set.project(np.broadcast_to(target, move.nominal.shape))


@pytest.mark.parametrize("members", SETS, ids=repr)
@pytest.mark.parametrize(
    "nature", [Uniform(), aims_at(3.0), aims_at(-0.4), Policy(lambda seen: [1.0, -0.3, 0.2])], ids=range(4)
)
def test_executed_observation_deltas_are_members_inside_the_space(members, nature):
    inner = members.inner if hasattr(members, "inner") else members
    nominal, robustly = play(EchoEnv()), play(robust(EchoEnv(), observation=members, nature=nature))
    for before, after in zip(observations(nominal), observations(robustly), strict=True):
        executed = as64(after) - as64(before)
        assert inner.contains(executed, tolerance=ulp(before, executed, np.float32))
        assert SPACES["float32"].contains(after)


@pytest.mark.parametrize("members", INTEGER_SETS, ids=repr)
@pytest.mark.parametrize("nature", [Uniform(), aims_at(1.7)], ids=["Uniform", "function"])
def test_integers_are_moved_by_integers_inside_set_and_space(members, nature):
    space = spaces.Box(-50, 50, (3,), np.int64)
    lines = [draw(space, np.random.default_rng(k)) for k in range(20)]
    env = robust(Script(space, lines), observation=members, nature=nature)
    for before, after in zip(lines, observations(play(env, steps=19)), strict=True):
        assert after.dtype == np.int64
        assert members.contains(as64(after) - as64(before))
        assert space.contains(after)


def test_integers_are_rounded_towards_the_nominal_value():
    space = spaces.Box(0, 255, (4,), np.uint8)
    line = np.array([100, 100, 1, 254], np.uint8)
    env = robust(Script(space, [line]), observation=Linf(5), nature=lambda move: [2.9, -2.9, -2.9, 2.9])
    said, _ = env.reset(seed=0)
    assert said.dtype == np.uint8
    np.testing.assert_array_equal(said, [102, 98, 0, 255])


def test_uniform_moves_integers_at_radius_one():
    env = robust(EchoEnv(observation="int64"), observation=Linf(1), nature=Uniform())
    nominal = play(EchoEnv(observation="int64"))
    moved = [a - b for a, b in zip(observations(play(env)), observations(nominal), strict=True)]
    assert set(np.unique(moved)) == {-1, 0, 1}


@pytest.mark.parametrize("kind", ["float", "float32", "float64"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("nature", [Uniform(), Noise(), WorstCase()], ids=repr)
def test_rewards_move_by_members_at_every_scale(kind, scale, nature):
    members, dtype = Linf(0.3 * scale), np.dtype("float64" if kind == "float" else kind)
    nominal = play(EchoEnv(reward=kind))
    robustly = play(robust(EchoEnv(reward=kind), reward=members, nature=nature))
    for before, after in zip(rewards(nominal), rewards(robustly), strict=True):
        executed = as64(after) - as64(before)
        assert members.contains(executed, tolerance=ulp(as64(before), executed, dtype))


numbers = st.floats(-2.0, 2.0, width=32)


@settings(max_examples=200)
@given(
    arrays(np.float32, 3, elements=numbers), arrays(np.float64, 3, elements=st.floats(-3, 3)), st.sampled_from(SETS[:7])
)
def test_clipping_keeps_membership_and_never_moves_further_than_nature(nominal, target, members):
    env = robust(Script(SPACES["float32"], [nominal]), observation=members, nature=aims_at(target))
    said, _ = env.reset(seed=0)
    move = env.last_move["observation", "agent_0"]
    executed = as64(said) - as64(nominal)
    np.testing.assert_array_equal(move.executed, executed)
    assert members.contains(executed, tolerance=ulp(nominal, executed, np.float32))
    low, high = np.minimum(nominal, -1), np.maximum(nominal, 1)  # a nominal value outside its space is not pulled in
    assert np.all((said >= low) & (said <= high))
    if isinstance(members, Linf | L1 | L2 | Interval | Ellipsoid):
        assert np.all(np.abs(executed) <= np.abs(move.chosen) + ulp(nominal, move.chosen, np.float32))
        assert np.all(executed * move.chosen >= 0)
    still = move.chosen == 0
    if isinstance(members, Linf | L1 | L2 | Interval):
        assert np.all(said[still] == nominal[still])


@settings(max_examples=100)
@given(
    arrays(np.int64, 3, elements=st.integers(-60, 60)),
    arrays(np.float64, 3, elements=st.floats(-9, 9)),
    st.sampled_from(INTEGER_SETS[:4]),
)
def test_integers_outside_their_space_are_not_moved_further_out(nominal, target, members):
    env = robust(Script(spaces.Box(-50, 50, (3,), np.int64), [nominal]), observation=members, nature=aims_at(target))
    said, _ = env.reset(seed=0)
    assert members.contains(as64(said - nominal))
    assert np.all((said >= np.minimum(nominal, -50)) & (said <= np.maximum(nominal, 50)))


@settings(max_examples=100)
@given(st.data())
def test_executed_actions_are_members_inside_the_action_space(data):
    space = spaces.Box(np.float32([-1, -np.inf, 0]), np.float32([1, np.inf, 3]))
    action = data.draw(arrays(np.float32, 3, elements=st.floats(-4, 4, width=32)))
    members = data.draw(st.sampled_from(SETS[:6]))
    env = robust(Script(space, [np.zeros(3, np.float32)]), action=members, nature=aims_at(data.draw(numbers)))
    env.reset(seed=0)
    env.step(action)
    executed = as64(env.unwrapped.received[0]) - as64(action)
    assert members.contains(executed, tolerance=ulp(action, executed, np.float32))
    if space.contains(action):
        assert space.contains(env.unwrapped.received[0])


@pytest.mark.parametrize("members", [L2(2.0), L1(2.0), Linf(0.5)], ids=repr)
@pytest.mark.parametrize("nature", [Uniform(), WorstCase()], ids=repr)
def test_the_joint_ball_holds_while_agents_die_and_are_born(members, nature):
    nominal = play(EchoParallel(FAMILY))
    robustly = play(robust(EchoParallel(FAMILY), reward=joint(members), nature=nature))
    for before, after in zip(nominal[1:], robustly[1:], strict=True):
        executed = as64(list(after[1].values())) - as64(list(before[1].values()))
        slack = ulp(as64(list(before[1].values())), executed, np.float32)
        assert members.contains(executed, tolerance=slack)
        assert np.any(executed)


def test_a_joint_observation_ball_holds_over_all_agents():
    nominal = play(EchoParallel(FAMILY))
    robustly = play(robust(EchoParallel(FAMILY), observation=joint(L2(0.9)), nature=aims_at(1.0)))
    for before, after in zip(nominal, robustly, strict=True):
        executed = [np.subtract(_plain(after[0][a]), _plain(before[0][a]), dtype=np.float64) for a in before[0]]
        assert np.linalg.norm(np.concatenate(executed)) <= 0.9 + 1e-6


def _plain(observation):
    return observation["observation"] if isinstance(observation, dict) else observation


CHEATS = [
    (lambda move: np.full(3, 0.11), "member"),
    (lambda move: [0.2], "3 numbers"),
    (lambda move: [np.nan, 0.0, 0.0], "member"),
    (lambda move: np.full(3, np.inf), "member"),
    (lambda move: None, "3 numbers"),
    (lambda move: "far", "3 numbers"),
]


@pytest.mark.parametrize(("cheat", "words"), CHEATS)
@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_a_cheating_nature_is_named_with_channel_agent_and_step(cheat, words, kind):
    agent = "agent_0" if kind is EchoEnv else "a_1"

    def fair_at_first(move):
        return cheat(move) if move.step == 3 else np.zeros(3)

    env = robust(kind(), observation={agent: Linf(0.1)}, nature=fair_at_first)
    with pytest.raises(
        OutsideSetError, match=f"'observation', agent '{agent}', step 3 must answer .*{words}"
    ) as caught:
        play(env)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [1, 7, -1, 2.5, None, [1, 2]])
def test_a_discrete_cheat_is_named_too(answer):
    env = robust(EchoEnv(action="late"), action=Finite([3, 4]), nature=lambda move: answer)
    env.reset(seed=0)
    with pytest.raises(OutsideSetError, match="'action', agent 'agent_0', step 0 must answer one of"):
        env.step(2)


def test_a_list_given_as_an_action_arrives_in_the_dtype_of_its_space():
    env = robust(EchoEnv(), action=Linf(0.1), nature=Uniform())
    env.reset(seed=0)
    env.step([0.5, -0.5])
    assert env.unwrapped.received[0] in env.action_space


def test_an_answer_on_the_boundary_in_single_precision_is_fair():
    env = robust(EchoEnv(), observation=Linf(0.1), nature=lambda move: np.full(3, 0.1, np.float32))
    play(env)
    assert env.last_move["observation", "agent_0"].chosen.max() <= 0.1 + 1e-8


@pytest.mark.parametrize("members", [Interval(0.3, 0.4), Finite([[0.5, 0.5, 0.5]])], ids=repr)
def test_where_no_member_fits_the_value_is_the_point_of_the_space_nearest_to_what_nature_chose(members):
    line = np.float32([1.0, 0.9, 0.0])
    env = robust(Script(SPACES["float32"], [line]), observation=members, nature=Uniform())
    observation, _ = env.reset(seed=0)
    move = env.last_move["observation", "agent_0"]
    wanted = np.clip(line + move.chosen, -1, 1)
    assert np.allclose(observation, wanted, atol=1e-6)
    assert np.array_equal(observation[:2], np.ones(2, np.float32))


@pytest.mark.parametrize("members", [Interval(2.5, 3.0), Finite([[-2.5, -2.5, -2.5]])], ids=repr)
def test_a_set_whose_members_are_all_wider_than_the_space_is_refused(members):
    with pytest.raises(ValueError, match="observation of agent_0: no member of the set fits into"):
        robust(EchoEnv(), observation=members, nature=Uniform())


def test_masked_actions_are_only_replaced_by_legal_ones():
    env = robust(
        EchoEnv(observation="masked", action="discrete", horizon=200), action=Finite([0, 1, 2, 3]), nature=Uniform()
    )
    nominal = EchoEnv(observation="masked", action="discrete", horizon=200)
    said = play(nominal, steps=200)
    play(env, steps=200)
    masks = [observation["action_mask"] for observation in observations(said)]
    assert all(mask[action] for mask, action in zip(masks, env.unwrapped.received, strict=False))
    assert nominal.received != env.unwrapped.received
