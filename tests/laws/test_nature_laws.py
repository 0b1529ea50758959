"""Every law, for every nature that draws, looks, or is made of others, in every API."""

import copy
import pickle

import cloudpickle
import numpy as np
import pytest
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, EchoTurns, play, same
from nature_cases import NATURES, channels, look
from pettingzoo.utils import aec_to_parallel

import robust_envs
from robust_envs import (
    L1,
    L2,
    Ellipsoid,
    Linf,
    Mixture,
    Nominal,
    Population,
    Replay,
    Trace,
    Uniform,
    joint,
    per_episode,
    robust,
    scheduled,
)

KINDS = {
    "gym": EchoEnv,
    "parallel": EchoParallel,
    "born": lambda: EchoParallel(FAMILY),
    "aec": EchoAEC,
    "turns": EchoTurns,
}


@pytest.fixture(params=NATURES)
def nature(request):
    return NATURES[request.param]


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def wrapped(kind, nature, radius=0.7, **options):
    return robust(kind(), **channels(kind(), nature, radius), nature=nature, **options)


def several(env, seeds=(5, None, 6)):
    """Play several episodes, with and without a seed of their own."""
    return [play(env, seed=5 if seed is None else seed, reset_seed=seed) for seed in seeds]


def test_radius_zero_is_the_environment(kind, nature):
    naked = kind()
    env = wrapped(kind, nature, radius=0.0)
    assert same(several(naked), several(env))
    assert same(naked.received, env.unwrapped.received)


def test_the_stream_of_the_environment_is_left_alone(kind, nature):
    naked, env = kind(), wrapped(kind, nature)
    several(naked), several(env)
    assert naked.np_random.bit_generator.state == env.unwrapped.np_random.bit_generator.state


def test_the_same_seed_gives_the_same_episodes_and_another_gives_others(kind, nature):
    # made anew: a curriculum counts episodes
    first, again, other = several(wrapped(kind, nature)), several(wrapped(kind, nature)), wrapped(kind, nature)
    assert same(first, again)
    assert not same(first[0], play(other, seed=9))


def test_every_episode_replays_bit_for_bit(kind, nature, tmp_path):
    env = wrapped(kind, nature, trace=True)
    play(env, seed=3)  # not the first: natures that count episodes have moved on
    said = play(env, seed=5)
    trace = Trace.load(env.trace.save(tmp_path / "trace.npz"))
    again = robust(kind(), **channels(kind(), nature, 0.7), nature=Replay(trace), trace=True)
    assert same(said, play(again, seed=5, reset_seed=None))
    assert again.trace == trace


def test_recording_changes_nothing(kind, nature):
    assert same(several(wrapped(kind, nature)), several(wrapped(kind, nature, trace=True)))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(cloudpickle.dumps(env))])
def test_copies_in_the_middle_of_an_episode_go_on_alike(nature, duplicate):
    env = wrapped(EchoEnv, nature, trace=True)
    play(env, seed=2), play(env, seed=3, steps=5)
    twin = duplicate(env)
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 2)).astype(np.float32)
    assert same(*([one.step(action) for action in actions] for one in (env, twin)))
    assert env.trace == twin.trace


@pytest.mark.parametrize("name", NATURES)
def test_every_effect_is_real_and_in_the_set(name):
    env = wrapped(EchoEnv, NATURES[name], trace=True)
    play(env, seed=1), play(env, seed=2)
    for key, recorded in env.trace.moves.items():
        assert recorded.executed.any(), key
        assert np.abs(recorded.executed).max() <= 0.7 + 1e-6


SETS = {
    "L2": L2(0.6),
    "L1": L1(1.0),
    "ellipsoid": Ellipsoid(np.diag([1.0, 0.3, 2.0]), radius=0.9),
    "budget": per_episode(Linf(0.5), horizon=13),
}


@pytest.mark.parametrize("members", SETS.values(), ids=SETS)
@pytest.mark.parametrize("name", [name for name in NATURES if "Noise" not in repr(NATURES[name])])  # its sets are boxes
def test_every_delta_lies_in_the_set_whatever_its_shape(name, members):
    env = robust(EchoEnv(), observation=members, nature=NATURES[name], trace=True)
    play(env, seed=1), play(env, seed=2)
    inner = getattr(members, "inner", members)
    assert inner.contains(env.trace.moves["observation", "agent_0"].executed, tolerance=1e-6).all()


def test_agents_do_not_share_their_luck(nature):
    env = robust(EchoParallel(), observation=Linf(0.5), nature=nature, trace=True)
    moves = [play(env, seed) and env.trace.moves for seed in (1, 2, 3)]
    first, second = ([one["observation", agent].chosen for one in moves] for agent in ("a_0", "a_1"))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_natures_commute_with_conversion(nature):
    inside, outside = (
        aec_to_parallel(wrapped(EchoAEC, nature)),
        robust(aec_to_parallel(EchoAEC()), **channels(EchoAEC(), nature, 0.7), nature=nature),
    )
    for seed in (0, 1):
        assert same(play(inside, seed), play(outside, seed))


ALONE = [name for name, one in NATURES.items() if "Noise" not in repr(one)]


@pytest.mark.parametrize("name", ALONE)
def test_joint_sets_hold_over_the_agents(name):
    env = robust(EchoParallel(FAMILY), observation=joint(L2(0.9)), nature=NATURES[name], trace=True)
    for seed in (0, 1):
        play(env, seed)
    executed = env.trace.moves["observation", "*"].executed
    assert executed.any()
    assert (np.linalg.norm(executed, axis=1) <= 0.9 + 1e-6).all()


# Values print themselves.


@pytest.mark.parametrize("name", [name for name, one in NATURES.items() if "function" not in repr(one)])
def test_a_nature_prints_as_the_code_that_makes_it(name):
    assert eval(repr(NATURES[name]), dict(vars(robust_envs))) == NATURES[name]


@pytest.mark.parametrize("name", NATURES)
def test_natures_are_hashable_picklable_and_frozen(name):
    twin = pickle.loads(pickle.dumps(NATURES[name]))
    assert twin == NATURES[name]
    assert hash(twin) == hash(NATURES[name])
    with pytest.raises(AttributeError):
        twin.start = 3


# A nature made of others that changes nothing is what it is made of.

FRAMES = {
    "scheduled": scheduled,
    "Mixture": lambda inner: Mixture(1.0, inner),
    "Population": lambda inner: Population([inner]),
    "by move": lambda inner: Population([inner, Nominal()], weights=[1, 0], each="move"),
}


# Not for parts that toss coins themselves, which would come later in the same stream; nor beyond the first episode of a
# seed, where `Uniform` goes on with what it had drawn ahead.
@pytest.mark.parametrize("inner", [Uniform(), NATURES["walk"], look], ids=["Uniform", "RandomWalk", "function"])
@pytest.mark.parametrize("around", FRAMES.values(), ids=FRAMES)
def test_a_trivial_frame_is_what_is_inside(inner, around, kind):
    seeds = (5, 6, 7)
    assert same(several(wrapped(kind, around(inner)), seeds), several(wrapped(kind, inner), seeds))
