"""Runs that are cut up, killed and resumed give the numbers of a run that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from algos.deep import MADDPG, RMADDPG, CheckpointAtEpisodeEnd, MADDPGConfig, RMADDPGConfig

SMALL = {"hidden_sizes": (8,), "learning_starts": 30, "update_every": 7, "batch_size": 16}
ALGORITHMS = [(MADDPG, MADDPGConfig(**SMALL)), (RMADDPG, RMADDPGConfig(**SMALL))]


@pytest.fixture
def env(toys):
    return toys.mixed_game(horizon=5, terminate=False, deaths={"early": 3})


def everything(model):
    """Return all numbers that a checkpoint of the model would hold."""
    values, tensors = model._state.save(include_buffer=True)
    flat = {f"{group}.{name}": tensor for group, named in tensors.items() for name, tensor in named.items()}
    return values, {name: tensor.detach().clone() for name, tensor in flat.items()}


def assert_same(first, second):
    (values, tensors), (other_values, other_tensors) = everything(first), everything(second)
    np.testing.assert_equal(other_values, values)
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name


def differ(first, second):
    return any(
        not torch.equal(a, b)
        for a, b in zip(everything(first)[1].values(), everything(second)[1].values(), strict=True)
    )


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_one_seed_gives_one_result(env, algorithm, config):
    assert_same(algorithm(env, config, seed=4).learn(100), algorithm(env, config, seed=4).learn(100))


def test_seeds_give_different_results_from_the_first_network_on(env):
    first, second = (MADDPG(env, MADDPGConfig(**SMALL), seed=seed) for seed in (0, 1))
    assert not torch.equal(first._state.stacks["actors"].parameters, second._state.stacks["actors"].parameters)
    assert differ(first.learn(40), second.learn(40))


def test_episode_seeds_come_from_seed_and_number_of_the_episode(toys):
    def seeds(seed, pieces):
        env = toys.mixed_game(horizon=5)
        model = MADDPG(env, MADDPGConfig(**SMALL), seed=seed)
        for steps in pieces:
            model.learn(steps)
        return env.seeds

    assert seeds(0, [30]) == seeds(0, [10, 20])
    assert not set(seeds(0, [30])) & set(seeds(1, [30]))
    assert len(set(seeds(0, [100]))) == 20


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_learning_in_pieces_equals_learning_at_once(env, algorithm, config):
    whole, pieces = algorithm(env, config, seed=1).learn(100), algorithm(env, config, seed=1)
    for steps in (35, 5, 60):
        pieces.learn(steps, reset_num_timesteps=False)
    assert_same(whole, pieces)


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_saved_and_loaded_run_equals_the_uninterrupted_one(env, algorithm, config, tmp_path):
    whole = algorithm(env, config, seed=1).learn(100)
    part = algorithm(env, config, seed=1).learn(50)
    part.save(tmp_path / "c")
    resumed = algorithm.load(tmp_path / "c", env).learn(50, reset_num_timesteps=False)
    assert_same(whole, resumed)


def test_save_from_a_callback_waits_for_the_episode_end(env, tmp_path):
    config = MADDPGConfig(**SMALL)
    model = MADDPG(env, config, seed=1)
    callback = CheckpointAtEpisodeEnd(tmp_path / "c", every=42)
    whole = model.learn(100, callback=callback)
    resumed = MADDPG.load(tmp_path / "c", env)
    assert resumed.num_timesteps == 85  # asked for at 84, the episode ends at 85
    assert_same(whole, resumed.learn(15, reset_num_timesteps=False))


def test_episode_that_is_cut_short_counts_as_truncated_and_the_next_begins_anew(toys):
    env = toys.mixed_game(horizon=5)
    model = MADDPG(env, MADDPGConfig(**SMALL)).learn(8)
    assert model.num_timesteps == 8
    assert len(env.seeds) == 2
    model.learn(5, reset_num_timesteps=False)
    assert (model.num_timesteps, len(env.seeds)) == (13, 3)
    continues = model._state.buffer.layout.read(model._state.buffer.state()["rows"]).continues
    assert continues[:, 7].all()


def test_global_random_generators_are_neither_read_nor_written(env):
    def trained():
        return MADDPG(env, MADDPGConfig(**SMALL), seed=1).learn(60)

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (the global state is what is tested)
    torch.manual_seed(0)
    before = (random.getstate(), np.random.get_state(), torch.get_rng_state().tolist())  # noqa: NPY002
    first = trained()
    after = (random.getstate(), np.random.get_state(), torch.get_rng_state().tolist())  # noqa: NPY002
    np.testing.assert_equal(after, before)
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    assert_same(first, trained())


def test_ctrl_c_waits_for_the_episode_end_and_leaves_a_run_that_resumes_exactly(env, tmp_path):
    def press(local, _):
        if local["self"].num_timesteps == 42:
            os.kill(os.getpid(), signal.SIGINT)
        return True

    config, handler = MADDPGConfig(**SMALL), signal.getsignal(signal.SIGINT)
    model = MADDPG(env, config, seed=1)
    with pytest.raises(KeyboardInterrupt):
        model.learn(100, callback=press)
    assert signal.getsignal(signal.SIGINT) is handler
    assert model.num_timesteps == 45
    model.save(tmp_path / "c")
    resumed = MADDPG.load(tmp_path / "c", env).learn(55, reset_num_timesteps=False)
    assert_same(MADDPG(env, config, seed=1).learn(100), resumed)


def test_second_ctrl_c_does_not_wait(env):
    def press_twice(local, _):
        if local["self"].num_timesteps in (42, 43):
            os.kill(os.getpid(), signal.SIGINT)
        return True

    model = MADDPG(env, MADDPGConfig(**SMALL))
    with pytest.raises(KeyboardInterrupt):
        model.learn(100, callback=press_twice)
    assert model.num_timesteps == 43


def test_interrupt_raised_anywhere_leaves_a_model_that_saves(env, tmp_path):
    def interrupt(local, _):
        if local["self"].num_timesteps == 42:
            raise KeyboardInterrupt
        return True

    model = MADDPG(env, MADDPGConfig(**SMALL))
    with pytest.raises(KeyboardInterrupt):
        model.learn(100, callback=interrupt)
    model.save(tmp_path / "c")
    assert MADDPG.load(tmp_path / "c", env).learn(10, reset_num_timesteps=False).num_timesteps == 52


SCRIPT = """
import sys, torch
from mpe2 import simple_spread_v3
from algos.deep import RMADDPG, RMADDPGConfig, CheckpointAtEpisodeEnd
torch.set_num_threads(1)
config = RMADDPGConfig(hidden_sizes=(16,), learning_starts=50, update_every=10, batch_size=32)
model = RMADDPG(simple_spread_v3.parallel_env(max_cycles=10), config, seed=5)
model.learn(10**9, callback=CheckpointAtEpisodeEnd(sys.argv[1], every=30))
"""


def test_run_killed_by_sigkill_resumes_with_the_numbers_of_an_uninterrupted_one(tmp_path):
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    folder = tmp_path / "c"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 300
        while not (folder.exists() and RMADDPG.load(folder).num_timesteps >= 300):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()  # SIGKILL
        process.wait()
    env = spread.parallel_env(max_cycles=10)
    resumed = RMADDPG.load(folder, env)
    done = resumed.num_timesteps
    assert done % 10 == 0
    resumed.learn(100, reset_num_timesteps=False)
    assert_same(RMADDPG(env, resumed.config, seed=5).learn(done + 100), resumed)
