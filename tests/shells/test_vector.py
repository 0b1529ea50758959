"""Vector environments: what only they have. That they equal vectors of robust environments is tested in laws."""

import pickle
from functools import partial

import cloudpickle
import gymnasium
import numpy as np
import pytest
from glassbox import EchoEnv, all_channels, draw, same
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from robust_envs import (
    L2,
    AsAgents,
    Linf,
    OutsideSetError,
    Replay,
    Switch,
    Trace,
    UncertaintySet,
    Uniform,
    WorstCase,
    per_episode,
    robust,
)
from robust_envs.shells import RobustVectorEnv

TRACE = Trace(seed=0, options=None, depth=0, moves={})
CARTPOLE = partial(gymnasium.make, "CartPole-v1")
VECTORS = {
    "sync": lambda: SyncVectorEnv([CARTPOLE] * 3),
    "same step": lambda: SyncVectorEnv([CARTPOLE] * 3, autoreset_mode=AutoresetMode.SAME_STEP),
    "async": lambda: AsyncVectorEnv([CARTPOLE] * 3),
    "native": lambda: CartPoleVectorEnv(3),
    "echo": lambda: SyncVectorEnv([EchoEnv] * 3),
    "echo, masked": lambda: SyncVectorEnv([partial(EchoEnv, "masked", "discrete")] * 3),
    "echo, no copies": lambda: SyncVectorEnv([EchoEnv] * 3, copy=False),
}


def run(env, seed=0, steps=60):
    rng = np.random.default_rng(3)
    said = [env.reset(seed=seed)]
    for _ in range(steps):
        actions = np.stack([draw(env.single_action_space, rng) for _ in range(env.num_envs)])
        said.append(env.step(actions))
    return [tuple(np.copy(part) if isinstance(part, np.ndarray) else part for part in parts) for parts in said]


def echo(size=3, **how):
    return robust(SyncVectorEnv([EchoEnv] * size), **{"observation": Linf(0.3), "nature": Uniform(), **how})


@pytest.mark.parametrize("vector", VECTORS)
def test_radius_zero_is_the_environment_itself(vector):
    naked = VECTORS[vector]()
    env = robust(VECTORS[vector](), **all_channels(EchoLike(naked), 0.0), nature=Uniform())
    assert repr(run(naked)) == repr(run(env))
    assert all(same(list(a[:4]), list(b[:4])) for a, b in zip(run(naked)[1:], run(env)[1:], strict=True))
    naked.close()
    env.close()


class EchoLike(gymnasium.Env):
    """The single spaces of a vector environment, for `all_channels`."""

    def __init__(self, env):
        self.observation_space, self.action_space = env.single_observation_space, env.single_action_space


@pytest.mark.parametrize("nature", [Uniform(), lambda move: np.zeros(len(move.nominal))], ids=["rows", "function"])
def test_radius_zero_hands_on_the_very_objects(nature):
    class Fixed(CartPoleVectorEnv):
        def step(self, action):
            self.given, self.said = action, super().step(action)
            return self.said

    env = robust(Fixed(2), reward=Linf(0.0), observation=Linf(0.0), action=Switch(0.0), nature=nature)
    env.reset(seed=0)
    actions = np.array([0, 1])
    said = env.step(actions)
    assert env.env.given is actions
    assert all(a is b for a, b in zip(said, env.env.said, strict=True))


@pytest.mark.parametrize("vector", ["sync", "async", "native", "same step"])
def test_the_trajectory_is_not_touched_and_observations_are_within_the_radius(vector):
    naked, env = VECTORS[vector](), robust(VECTORS[vector](), observation=Linf(0.05), nature=Uniform())
    for nominal, perturbed in zip(run(naked), run(env), strict=True):
        delta = np.abs(perturbed[0] - nominal[0])
        assert 0 < delta.max() <= 0.05 + 1e-6
        assert same(list(nominal[1:4]), list(perturbed[1:4]))
        assert perturbed[0].dtype == nominal[0].dtype
    naked.close()
    env.close()


def test_sub_environments_have_noise_of_their_own():
    env = echo()
    env.reset(seed=0)
    executed = env.last_move["observation", "agent_0"].chosen
    assert len(np.unique(executed)) == executed.size


def test_the_executed_delta_is_what_was_added_and_lies_in_the_set():
    members, size = L2(0.7).bind(3), 3
    env = robust(
        SyncVectorEnv([partial(EchoEnv, horizon=99)] * size),
        observation=L2(0.7),
        reward=Linf(0.2),
        action=Linf(0.4),
        nature=Uniform(),
    )
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(30):
        actions = np.stack([draw(env.single_action_space, rng) for _ in range(size)])
        observation, reward, *_ = env.step(actions)
        seen, paid, done = (env.last_move[channel, "agent_0"] for channel in ("observation", "reward", "action"))
        assert np.allclose(seen.nominal + seen.executed, observation, atol=1e-7)
        assert members.contains(seen.executed, tolerance=1e-6).all()
        assert (np.abs(observation) <= 1).all()
        assert np.allclose(paid.nominal + paid.executed, reward[:, None], atol=1e-12)
        assert (done.nominal == actions).all()
        played = np.stack([one.received[-1] for one in env.env.envs])
        assert np.allclose(actions + done.executed, played, atol=1e-7)
        assert 0 < np.abs(done.executed).max() <= 0.4 + 1e-6


def test_next_step_leaves_the_resetting_sub_environment_alone():
    env = robust(
        SyncVectorEnv([partial(EchoEnv, horizon=2), EchoEnv]), reward=WorstCaseSet, nature=WorstCase(), trace=True
    )
    env.reset(seed=0)
    actions = np.zeros((2, 2), np.float32)
    for _ in range(2):
        env.step(actions)
    assert len(env.trace[0]) == 2
    rewards = env.step(actions)[1]
    assert rewards[0] == 0.0
    assert len(env.trace[0]) == 0
    assert len(env.trace[1]) == 3
    last = env.last_move["reward", "agent_0"]
    assert (last.executed[:, 0] == [0.0, -0.5]).all()


WorstCaseSet = L2(0.5)


def test_same_step_perturbs_the_last_observation_and_the_first_of_the_next_episode():
    def make():
        return SyncVectorEnv([partial(EchoEnv, horizon=1), EchoEnv], autoreset_mode=AutoresetMode.SAME_STEP)

    naked, env = make(), robust(make(), observation=Linf(0.01), nature=Uniform())
    for one in (naked, env):
        one.reset(seed=0)
    a, b = (one.step(np.zeros((2, 2), np.float32)) for one in (naked, env))
    final, perturbed = a[4]["final_obs"], b[4]["final_obs"]
    assert final[1] is None is perturbed[1]
    for nominal, moved in ((final[0], perturbed[0]), (a[0][0], b[0][0]), (a[0][1], b[0][1])):
        assert 0 < np.abs(moved - nominal).max() <= 0.011
    assert not np.allclose(perturbed[0] - final[0], b[0][0] - a[0][0])


def test_a_partial_reset_leaves_the_others_as_they_were_told():
    env = robust(
        SyncVectorEnv([EchoEnv] * 3, autoreset_mode=AutoresetMode.DISABLED), observation=Linf(0.3), nature=Uniform()
    )
    env.reset(seed=0)
    before = env.step(np.zeros((3, 2), np.float32))[0]
    after = env.reset(options={"reset_mask": np.array([False, True, False])})[0]
    assert (before[[0, 2]] == after[[0, 2]]).all()
    assert (before[1] != after[1]).any()


def test_where_the_radius_is_zero_nothing_is_chosen_and_the_others_still_move():
    env = echo()
    env.reset(seed=0)
    some = np.array([False, True, False])
    env.reset(options={"radius": 0.0, "reset_mask": some.copy()})
    env.step(np.zeros((3, 2), np.float32))
    move = env.last_move["observation", "agent_0"]
    for deltas in (move.chosen, move.executed):
        assert (deltas.any(axis=1) == ~some).all()


def test_options_of_the_caller_are_left_alone():
    env, mask = echo(), np.array([True, False, True])
    env.reset(seed=0)
    options = {"reset_mask": mask, "radius": 0.1}
    env.reset(options=options)
    assert list(options) == ["reset_mask", "radius"]
    assert mask.tolist() == [True, False, True]
    assert env.env.envs[0].options == {}


def test_a_function_that_cheats_is_named_with_its_sub_environment():
    def cheat(move):
        return np.full(3, 0.2 if move.nominal[0] > 0.5 else 0.0)

    env = echo(observation=Linf(0.1), nature=cheat)
    with pytest.raises(OutsideSetError, match=r"sub-environment \d: nature of channel 'observation'"):
        run(env)


def test_a_native_environment_keeps_its_single_precision_rewards():
    env = robust(CartPoleVectorEnv(4), reward=Linf(0.3), nature=Uniform())
    env.reset(seed=0)
    rewards = env.step(np.zeros(4, np.int64))[1]
    assert rewards.dtype == np.float32
    assert (np.abs(rewards - 1) <= 0.3 + 1e-6).all()
    assert len(set(rewards)) == 4


def test_integer_rewards_become_floats():
    class Integers(CartPoleVectorEnv):
        def step(self, action):
            observation, reward, *rest = super().step(action)
            return observation, reward.astype(np.int64), *rest

    for nature in (Uniform(), lambda move: move.rng.uniform(-0.1, 0.1, 1)):
        env = robust(Integers(4), reward=Linf(0.3), nature=nature)
        env.reset(seed=0)
        rewards = env.step(np.zeros(4, np.int64))[1]
        assert rewards.dtype == np.float64
        assert (rewards != 1).all()


@pytest.mark.parametrize("nature", [Uniform(), lambda move: move.rng.uniform(-0.3, 0.3, 2)], ids=["rows", "function"])
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "list"])
def test_actions_of_any_kind_arrive_as_in_single_environments(kind, nature):
    given = np.array([[0, 1], [1, 0], [0, 0]])
    given = list(given.astype(np.float32)) if kind == "list" else given.astype(kind)
    how = {"action": Linf(0.3), "nature": nature}
    inside = SyncVectorEnv([lambda: robust(EchoEnv(), **how)] * 3)
    outside = robust(SyncVectorEnv([EchoEnv] * 3), **how)
    for env in (inside, outside):
        env.reset(seed=0)
        env.step(given)
    received = [one.unwrapped.received[0] for one in inside.envs], [one.received[0] for one in outside.env.envs]
    assert all(map(same, *received))
    assert not np.allclose(received[0], given)


def test_numbers_in_infos_have_one_shape_and_a_mask():
    env = echo(reward=Linf(0.2), info="numeric")
    for infos in (env.reset(seed=0)[1], env.step(np.zeros((3, 2), np.float32))[4]):
        assert infos["robust_observation_delta"].shape == (3, 3)
        assert infos["robust_reward_delta"].shape == (3, 1)
        assert infos["_robust_reward_delta"].tolist() == [True] * 3
    assert infos["robust_reward_delta"].all()


def test_radius_is_read_and_set_for_all_sub_environments():
    env = echo(reward=Linf(0.2))
    env.reset(seed=0)
    assert env.radius == {"observation": 0.3, "reward": 0.2}
    env.radius = {"observation": 0.0}
    env.step(np.zeros((3, 2), np.float32))
    assert not env.last_move["observation", "agent_0"].executed.any()
    env.radius = 5.0
    assert env.radius == {"observation": 5.0, "reward": 5.0}
    env.step(np.zeros((3, 2), np.float32))
    assert (np.abs(env.last_move["reward", "agent_0"].executed) > 0.2).any()


@pytest.mark.parametrize("action", [Linf(0.1), per_episode(Linf(0.1))], ids=["rows", "budget"])
@pytest.mark.parametrize("seed", [None, 4])
def test_copies_of_an_unseeded_environment_draw_afresh_and_seeded_ones_go_on(seed, action):
    env = echo(reward=Linf(0.2), action=action)
    env.reset(seed=seed)
    for _ in range(5):
        env.step(np.zeros((3, 2), np.float32))
    for dumps, loads in ((cloudpickle.dumps, cloudpickle.loads), (pickle.dumps, pickle.loads)):
        copies = [loads(dumps(env)) for _ in range(2)]
        for one in copies:
            one.step(np.zeros((3, 2), np.float32))
        for key in copies[0].last_move:
            first, second = (one.last_move[key].chosen for one in copies)
            assert (first == second).all() == (seed is not None)


def test_wrappers_of_gymnasium_go_outside_and_inside():
    env = RecordEpisodeStatistics(echo())
    assert isinstance(env.env, RobustVectorEnv)
    run(env)
    inside = robust(RecordEpisodeStatistics(SyncVectorEnv([EchoEnv] * 3)), observation=Linf(0.3), nature=Uniform())
    assert any("episode" in parts[-1] for parts in run(inside))


def test_layers_inside_sub_environments_and_outside_do_not_share_noise():
    def make():
        return robust(EchoEnv(), reward=Linf(0.3), nature=Uniform())

    env = robust(SyncVectorEnv([make] * 2), reward=Linf(0.3), nature=Uniform())
    env.reset(seed=0)
    env.step(np.zeros((2, 2), np.float32))
    inner = [one.last_move["reward", "agent_0"].chosen[0] for one in env.env.envs]
    assert not np.isin(env.last_move["reward", "agent_0"].chosen[:, 0], inner).any()


def test_trace_needs_to_be_asked_for_and_counts_the_current_episode():
    with pytest.raises(AttributeError, match="trace=True"):
        echo().trace  # noqa: B018
    env = echo(trace=True)
    env.reset(seed=4)
    env.step(np.zeros((3, 2), np.float32))
    assert [trace.seed for trace in env.trace] == [4, 5, 6]
    assert [len(trace) for trace in env.trace] == [2, 2, 2]
    assert env.trace[0].actions["agent_0"].shape == (1, 2)


class Silent(VectorEnv):
    """A vector environment that does not say how it resets."""

    num_envs = 2
    single_observation_space = single_action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    observation_space = action_space = batch_space(single_observation_space, 2)


def test_an_environment_that_does_not_say_how_it_resets_is_warned_about():
    with pytest.warns(UserWarning, match="NEXT_STEP is assumed"):
        robust(Silent(), reward=Linf(0.1), nature=Uniform())


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"nature": AsAgents()}, "AsAgents.* cannot join a VectorEnv"),
        (
            {"nature": Replay((TRACE, TRACE))},
            "one trace for each of 3 sub-environments, got 2",
        ),
        ({"observation": L2(0.1, unit=(1.0, 2.0))}, "observation"),
        ({"info": "all"}, "info must be None or 'numeric'"),
        ({"observation": None}, "at least one channel"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_at_construction(how, error):
    with pytest.raises(ValueError, match=error):
        echo(**how)


def test_as_agents_is_refused_by_the_class_too():
    with pytest.raises(ValueError, match="Wrap single environments"):
        RobustVectorEnv(SyncVectorEnv([EchoEnv]), reward=Linf(0.1), nature=AsAgents())


@pytest.mark.parametrize(
    ("reset", "error"),
    [
        ({"seed": [1, 2]}, "seed must be an integer or have 3 entries"),
        ({"options": {"reset_mask": [True, False, True]}}, "reset_mask"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, "reset_mask"),
        ({"options": {"radius": -1}}, "radius"),
        ({"options": {"radius": {"rewards": 1}}}, "radius names channel 'rewards'"),
    ],
    ids=str,
)
def test_bad_resets_say_what_is_wrong(reset, error):
    with pytest.raises(ValueError, match=error):
        echo().reset(**reset)


def test_sets_are_bound_for_each_sub_environment():
    env = echo()
    seats = [perturber.only("observation") for perturber in env._perturbers]
    assert all(isinstance(seat.members, UncertaintySet) and seat.members.dim == 3 for seat in seats)
    assert len({id(seat.rng) for seat in seats}) == 3
