"""The laws, for messages, delays, losses and partners: every nature that can choose, in every API."""

import copy
import pickle
from functools import partial

import cloudpickle
import numpy as np
import pytest
from carried_cases import KINDS, NATURES, SENTENCES, ZEROS, channels
from glassbox import EchoAEC, EchoEnv, EchoParallel, Player, play, same
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.utils import aec_to_parallel, parallel_to_aec
from ragged import Ragged, assert_commutes

from robust_envs import Delay, Linf, Nominal, Replay, Trace, Uniform, robust

PAIRS = [(kind, sentence) for kind in KINDS for sentence in SENTENCES if channels(KINDS[kind], sentence)]


def wrapped(kind, sentence, nature, **options):
    return robust(KINDS[kind](), **channels(KINDS[kind], sentence), nature=nature, **options)


def several(env, seeds=(5, None, 6)):
    return [play(env, seed=5 if seed is None else seed, reset_seed=seed) for seed in seeds]


@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("nature", [Uniform(), NATURES["function"]], ids=["uniform", "function"])
@pytest.mark.parametrize("kind", KINDS)
def test_radius_zero_is_the_environment(kind, nature, zero):
    if channels(KINDS[kind], zero) is None:
        pytest.skip("a Gymnasium environment has no partners")
    naked, env = KINDS[kind](), wrapped(kind, zero, nature)
    assert same(several(naked), several(env))
    assert same(naked.received, env.unwrapped.received)


@pytest.mark.parametrize(
    ("kind", "sentence"), [pair for pair in PAIRS if "fixed" not in pair[1] and pair[1] != "late actions"]
)
def test_the_nominal_nature_is_the_environment_where_nothing_is_always_there(kind, sentence):
    naked, env = KINDS[kind](), wrapped(kind, sentence, Nominal())
    assert same(several(naked), several(env))
    assert same(naked.received, env.unwrapped.received)


PLAYED = [(*pair, nature) for pair in PAIRS for nature in NATURES if nature == "uniform" or pair[0] in ("gym", "turns")]


@pytest.mark.parametrize(("kind", "sentence", "nature"), PLAYED)
def test_every_episode_replays_bit_for_bit_and_leaves_the_environments_stream_alone(kind, sentence, nature, tmp_path):
    naked, env = KINDS[kind](), wrapped(kind, sentence, NATURES[nature], trace=True)
    play(naked, seed=3), play(env, seed=3)
    said = play(env, seed=5)
    received = env.unwrapped.received
    play(naked, seed=5)
    assert naked.np_random.bit_generator.state == env.unwrapped.np_random.bit_generator.state
    trace = Trace.load(env.trace.save(tmp_path / "trace.npz"))
    again = wrapped(kind, sentence, Replay(trace), trace=True)
    assert same(said, play(again, seed=5, reset_seed=None))
    assert same(received, again.unwrapped.received)
    assert again.trace == trace, again.trace.differences(trace)
    if nature == "uniform":
        assert any(moves.executed.any() for moves in trace.moves.values())


@pytest.mark.parametrize(("kind", "sentence"), PAIRS)
def test_the_same_seed_gives_the_same_episodes_recorded_or_not(kind, sentence):
    first, again = wrapped(kind, sentence, Uniform()), wrapped(kind, sentence, Uniform(), trace=True)
    assert same(several(first), several(again))
    assert same(first.unwrapped.received, again.unwrapped.received)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(cloudpickle.dumps(env))])
@pytest.mark.parametrize("sentence", [sentence for kind, sentence in PAIRS if kind == "gym"])
def test_copies_in_the_middle_of_an_episode_go_on_alike(sentence, duplicate):
    env = wrapped("gym", sentence, Uniform(), trace=True)
    play(env, seed=2), play(env, seed=3, steps=5)
    twin = duplicate(env)
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 2)).astype(np.float32)
    assert same(*([one.step(action) for action in actions] for one in (env, twin)))
    assert same(env.unwrapped.received, twin.unwrapped.received)
    assert env.trace == twin.trace


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("sentence", [sentence for kind, sentence in PAIRS if kind == "gym"])
def test_wrapping_and_vectorising_commute(sentence, mode):
    assert_commutes(Ragged, mode, {**channels(EchoEnv, sentence), "nature": Uniform()})
    assert_commutes(Ragged, mode, {**channels(EchoEnv, sentence), "nature": NATURES["scheduled"]})


@pytest.mark.parametrize("observation", ["masked", "dict", "tuple", "uint8", "scalar"])
@pytest.mark.parametrize("given", [{"delay": Delay(2)}, {"delay": Delay(2, of="action")}], ids=["seen", "done"])
def test_wrapping_and_vectorising_commute_for_values_of_any_kind(observation, given):
    make = partial(Ragged, observation, "discrete", masked=observation != "masked")
    assert_commutes(make, AutoresetMode.SAME_STEP, {**given, "nature": Uniform()})


DYING = {"a_0": Player(), "a_1": Player(dies=4, reward="float32"), "b_0": Player("masked", "discrete", dies=7)}


@pytest.mark.parametrize("players", [None, DYING], ids=["all live", "some die"])
@pytest.mark.parametrize("sentence", [sentence for kind, sentence in PAIRS if kind == "aec"])
def test_wrapping_and_converting_commute(sentence, players):
    given = {**channels(lambda: EchoAEC(players), sentence), "nature": Uniform()}
    inside = aec_to_parallel(robust(EchoAEC(players), **given))
    outside = robust(aec_to_parallel(EchoAEC(players)), **given)
    assert same(play(inside, 1), play(outside, 1))
    assert same(inside.unwrapped.received, outside.unwrapped.received)
    inside = parallel_to_aec(robust(EchoParallel(players), **given))
    outside = robust(parallel_to_aec(EchoParallel(players)), **given)
    assert same(play(inside, 1), play(outside, 1))


@pytest.mark.parametrize("sentence", [sentence for kind, sentence in PAIRS if kind == "parallel"])
def test_a_channel_more_moves_nobody_elses_noise(sentence):
    given = channels(EchoParallel, sentence)
    alone = robust(EchoParallel(), **given, nature=Uniform(), trace=True)
    together = robust(EchoParallel(), **given, reward=Linf(0.5), nature=Uniform(), trace=True)
    play(alone, seed=4), play(together, seed=4)
    for key, moves in alone.trace.moves.items():
        if key[0] != "observation":
            assert same(tuple(moves), tuple(together.trace.moves[key]))


def test_a_vector_environment_keeps_what_is_late_apart():
    env = robust(SyncVectorEnv([EchoEnv] * 3), delay=Delay([1]), nature=Uniform())
    before, _ = env.reset(seed=0)
    after, *_ = env.step(np.zeros((3, 2), np.float32))
    assert same(np.array(before), np.array(after))
