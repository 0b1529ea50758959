"""Laws of the channels on the world itself: `dynamics`, `start`, `transition`, in all APIs."""

import pickle
from copy import deepcopy

import cloudpickle
import gymnasium
import numpy as np
import pytest
from glassbox import play, same
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from mpe2 import simple_spread_v3
from pettingzoo.test import api_test, parallel_api_test, seed_test
from pettingzoo.utils import BaseParallelWrapper, aec_to_parallel, parallel_to_aec

from robust_envs import (
    AsAgents,
    Interval,
    Linf,
    Noise,
    Nominal,
    Relative,
    Replay,
    TotalVariation,
    Uniform,
    per_episode,
    per_step,
    robust,
)
from robust_envs.envs import MarkovDecisionEnv, MarkovGameEnv, named_game


def pendulum():
    return gymnasium.make("Pendulum-v1", max_episode_steps=7)


def spread():
    return simple_spread_v3.parallel_env(max_cycles=6, continuous_actions=True)


def turns():
    return simple_spread_v3.env(max_cycles=6, continuous_actions=True)


def lake():
    return MarkovDecisionEnv(named_game("riverswim"), horizon=7)


def game():
    return MarkovGameEnv(named_game("stag-hunt"), horizon=7)


SINGLE = {
    "once": {"dynamics": {"m": Relative(0.3), "g": Linf(1.0)}},
    "values": {"dynamics": {"m": Interval(0.8, 1.3)}},
    "per step": {"dynamics": {"m": per_step(Relative(0.3)), "g": per_step(Linf(1.0))}},
    "budget": {"dynamics": {"m": per_step(per_episode(Linf(0.3)))}},
    "start": {"start": Linf(0.3)},
    "transition": {"transition": Linf(0.05)},
    "all": {
        "dynamics": {"m": per_step(Relative(0.3))},
        "start": Linf(0.3),
        "transition": Linf(0.05),
        "observation": Linf(0.1),
        "action": Linf(0.1),
        "reward": Linf(0.1),
    },
}
TEAM = {
    "once": {"dynamics": {"mass": Relative(0.3), "damping": Linf(0.1)}},
    "per step": {"dynamics": {"mass": per_step(Relative(0.3)), "damping": per_step(Interval(0.2, 0.4))}},
    "start": {"start": {"position": Linf(0.2), "landmarks": Linf(0.2)}},
    "transition": {"transition": {"velocity": Linf(0.1)}},
    "all": {
        "dynamics": {"mass": per_step(Relative(0.3))},
        "start": Linf(0.2),
        "transition": {"velocity": Linf(0.1)},
        "observation": Linf(0.1),
        "action": Linf(0.1),
        "reward": Linf(0.1),
    },
}
CASES = [
    *((pendulum, sets) for sets in SINGLE.values()),
    *((make, sets) for make in (spread, turns) for sets in TEAM.values()),
    (lake, {"transition": TotalVariation(0.2)}),
    (game, {"transition": TotalVariation(0.2)}),
]
COPIES = {
    "deepcopy": deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: cloudpickle.loads(cloudpickle.dumps(env)),
}
IDS = [f"{make.__name__}-{k}" for k, (make, _) in enumerate(CASES)]
cases = pytest.mark.parametrize(("make", "sets"), CASES, ids=IDS)


def shrunk(members):
    """Return the sets at radius 0; an interval of values becomes the nominal value."""
    if isinstance(members, dict):
        return {name: shrunk(one) for name, one in members.items()}
    if isinstance(members, TotalVariation):
        return TotalVariation(0.0)
    inner = getattr(members, "inner", members)
    if isinstance(inner, Interval):
        value = 0.25 if inner.low == 0.2 else 1.0
        members = Interval(value, value)
        return per_step(members)
    return members.scaled(0.0)


@cases
def test_radius_zero_is_the_environment_bit_for_bit(make, sets):
    zero = {channel: shrunk(members) for channel, members in sets.items()}
    env, naked = robust(make(), **zero, nature=Uniform()), make()
    for seed in (0, 1, None):  # the last goes on with the environment's own stream
        assert same(play(env, 0, reset_seed=seed), play(naked, 0, reset_seed=seed))


@cases
def test_the_nominal_nature_leaves_the_episode_as_it_is(make, sets):
    env, naked = robust(make(), **sets, nature=Nominal()), make()
    said, nominal = play(env, 2), play(naked, 2)
    for one, other in zip(said, nominal, strict=True):
        flat, expected = (np.concatenate([np.ravel(x) for x in _numbers(part)]) for part in (one, other))
        assert np.allclose(flat, expected, atol=1e-12)


def _numbers(part):
    if isinstance(part, dict):
        return [number for one in part.values() for number in _numbers(one)]
    if isinstance(part, tuple | list):
        return [number for one in part for number in _numbers(one)]
    return [] if isinstance(part, str) or part is None else [np.asarray(part, float)]


@cases
def test_nature_changes_the_episode_and_a_trace_replays_it_bit_for_bit(make, sets):
    env = robust(make(), **sets, nature=Uniform(), trace=True)
    said = play(env, 3)
    assert not same(said, play(make(), 3)) or make is game  # one state only: there is nowhere else to go
    assert all(moves.executed.any() for moves in env.trace.moves.values()) or make is game
    again = robust(make(), **sets, nature=Replay(env.trace), trace=True)
    assert same(play(again, 3, reset_seed=None), said)
    assert again.trace == env.trace


@cases
def test_executed_deltas_are_members_and_seeds_decide(make, sets):
    env = robust(make(), **sets, nature=Uniform(), trace=True)
    first = play(env, 4) and env.trace
    assert not first.differences(play(env, 4) and env.trace)
    other = play(env, 5) and env.trace
    assert (
        any(not np.array_equal(first.moves[key].chosen, other.moves[key].chosen) for key in first.moves) or make is game
    )


@cases
def test_another_channel_moves_nobody_elses_noise(make, sets):
    more = {channel: members for channel, members in sets.items() if channel != "reward"}
    one = robust(make(), **more, nature=Uniform(), trace=True)
    two = robust(make(), **more, reward=Linf(0.1), nature=Uniform(), trace=True)
    play(one, 6)
    play(two, 6)
    for key, moves in one.trace.moves.items():
        assert same(moves.executed, two.trace.moves[key].executed)


@cases
@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
def test_copies_play_the_same_episode(make, sets, how):
    env = robust(make(), **sets, nature=Uniform())
    copy = how(env)
    assert same(play(copy, 7), play(env, 7))
    assert same(play(how(env), 8), play(env, 8))  # in the middle of things, too


@pytest.mark.parametrize("name", TEAM)
@pytest.mark.parametrize(
    "nature", [Uniform(), Nominal(), lambda move: move.set.project(np.resize(move.seen, len(move.nominal)))]
)
def test_wrapping_and_converting_commute(name, nature):
    sets = TEAM[name]
    inside, outside = robust(turns(), **sets, nature=nature), robust(spread(), **sets, nature=nature)
    assert same(play(aec_to_parallel(inside), 1), play(outside, 1))
    # in a wrapper, or parallel_to_aec would give back the AEC environment inside, whose first rewards are 0.0 and not 0
    again = robust(BaseParallelWrapper(spread()), **sets, nature=nature)
    if {"start", "transition"} & sets.keys():
        with pytest.raises(ValueError, match=r"goes on saying what was said before: wrap the environment inside"):
            robust(parallel_to_aec(BaseParallelWrapper(spread())), **sets, nature=nature)
        return
    assert same(
        play(parallel_to_aec(again), 2),
        play(robust(parallel_to_aec(BaseParallelWrapper(spread())), **sets, nature=nature), 2),
    )


VECTOR = [(mode, name) for mode in AutoresetMode for name in SINGLE if mode is not AutoresetMode.DISABLED]
VECTOR = [(mode, name) for mode, name in VECTOR if mode is AutoresetMode.NEXT_STEP or name not in ("all", "transition")]


@pytest.mark.parametrize(("mode", "name"), VECTOR)
@pytest.mark.parametrize("nature", [Uniform(), lambda m: m.set.project(np.resize(m.seen, len(m.nominal)))])
def test_wrapping_and_vectorising_commute(mode, name, nature):
    sets = SINGLE[name]
    fns = [lambda: gymnasium.make("Pendulum-v1", max_episode_steps=5), pendulum]
    one = robust(SyncVectorEnv(fns, autoreset_mode=mode), **sets, nature=nature)
    two = SyncVectorEnv([lambda f=f: robust(f(), **sets, nature=nature) for f in fns], autoreset_mode=mode)
    assert np.array_equal(one.reset(seed=3)[0], two.reset(seed=3)[0])
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-2, 2, (2, 1)).astype(np.float32)
        (seen, paid, *_), (seen2, paid2, *_) = one.step(action), two.step(action)
        assert np.array_equal(seen, seen2)
        assert np.array_equal(paid, paid2)
    assert all(move.executed.shape[0] == 2 for move in one.last_move.values())
    one.close()
    assert all(inner.unwrapped.m == 1.0 for inner in one.unwrapped.envs)


def test_tabular_games_vectorise():
    sets = {"transition": TotalVariation(0.2)}
    one = robust(SyncVectorEnv([lake] * 2), **sets, nature=Uniform())
    two = SyncVectorEnv([lambda: robust(lake(), **sets, nature=Uniform())] * 2)
    assert np.array_equal(one.reset(seed=3)[0], two.reset(seed=3)[0])
    for _ in range(20):
        assert np.array_equal(one.step(np.ones(2, int))[0], two.step(np.ones(2, int))[0])


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_gymnasium_check_env(name):
    check_env(robust(gymnasium.make("Pendulum-v1"), **SINGLE[name], nature=Uniform()), skip_render_check=True)
    again = gymnasium.make(robust(pendulum(), **SINGLE[name], nature=Uniform()).spec)
    assert same(play(again, 0), play(robust(pendulum(), **SINGLE[name], nature=Uniform()), 0))


@pytest.mark.parametrize("name", TEAM)
@pytest.mark.parametrize("nature", [Uniform(), AsAgents()], ids=["inside", "agents"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pettingzoo_suites(name, nature):
    sets = TEAM[name]
    api_test(robust(turns(), **sets, nature=nature), num_cycles=30)
    if nature == Uniform():
        seed_test(lambda: robust(turns(), **sets, nature=nature), num_cycles=10)
    if nature == Uniform() or "start" not in sets:
        parallel_api_test(robust(spread(), **sets, nature=nature), num_cycles=30)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_stable_baselines3_trains_the_adversary_of_the_world():
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="stable_baselines3 is not installed")
    team = lambda seen: np.zeros(1, np.float32)  # noqa: E731
    for sets in (SINGLE["once"], SINGLE["per step"], SINGLE["start"], SINGLE["transition"]):
        checker.check_env(robust(pendulum(), **sets, nature=AsAgents(team=team)))


def test_noise_of_a_parameter_is_that_of_its_stream_whatever_else_is_uncertain():
    alone = robust(pendulum(), dynamics={"m": Linf(0.1)}, nature=Noise(), trace=True)
    alone.reset(seed=0)
    among = robust(pendulum(), dynamics={"m": Linf(0.1)}, start=Linf(0.1), nature=Noise(), trace=True)
    among.reset(seed=0)
    assert same(alone.trace.moves["dynamics", "*"].executed, among.trace.moves["dynamics", "*"].executed)
