"""Q-learners cut up, killed and resumed give the numbers of a run that was not; so do seeds trained together."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from algos.deep import IQL, QMIX, VDN, CheckpointAtEpisodeEnd, IQLConfig, QMIXConfig, VDNConfig
from algos.deep.q_heads import EpsilonGamesHead, EpsilonHead
from robust_envs.envs import MarkovGameEnv, named_game

SMALL = {"hidden_sizes": (16,), "learning_starts": 30, "update_every": 7, "batch_size": 16, "epsilon_steps": 60}
SETS = {"transition_set": "TotalVariation(0.2)", "reward_set": {"a": "Linf(0.1)"}}
ALGORITHMS = [
    (IQL, IQLConfig(**SMALL, **SETS)),
    (VDN, VDNConfig(**SMALL, **SETS)),
    (QMIX, QMIXConfig(**SMALL, **SETS)),
]


@pytest.fixture
def env(toys):
    return game(toys)


def game(toys):
    seats = toys.team_of(
        a=(toys.box(3), spaces.Discrete(3, start=5)),
        b=(spaces.Dict({"observation": toys.box(2), "action_mask": spaces.MultiBinary(4)}), spaces.Discrete(4)),
    )
    worth = {"a": 1.0, "b": 0.5}
    return toys.Toy(*seats, lambda actions: worth, horizon=5, terminate=False, deaths={"a": 3})


def everything(model, run=0):
    """Return all numbers that a checkpoint of one run would hold."""
    values, tensors = model._state.save(run, include_buffer=True)
    flat = {f"{group}.{name}": tensor for group, named in tensors.items() for name, tensor in named.items()}
    return values, {name: tensor.detach().clone() for name, tensor in flat.items()}


def assert_same(first, second, runs=(0, 0)):
    (values, tensors), (other_values, other_tensors) = everything(first, runs[0]), everything(second, runs[1])
    np.testing.assert_equal(other_values, values)
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_saved_and_loaded_run_equals_the_uninterrupted_one(env, algorithm, config, tmp_path):
    whole = algorithm(env, config, seed=1).learn(100)
    part = algorithm(env, config, seed=1).learn(50)
    part.save(tmp_path / "c")
    resumed = algorithm.load(tmp_path / "c", env)
    assert resumed.config == config
    assert_same(whole, resumed.learn(50, reset_num_timesteps=False))


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_save_from_a_callback_waits_for_the_episode_end(env, algorithm, config, tmp_path):
    whole = algorithm(env, config, seed=1).learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=42))
    resumed = algorithm.load(tmp_path / "c", env)
    assert resumed.num_timesteps == 85
    assert_same(whole, resumed.learn(15, reset_num_timesteps=False))


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_seeds_trained_together_are_bit_for_bit_what_each_is_alone(toys, algorithm, config, tmp_path):
    seeds = [5, 0, 3]
    together = algorithm([game(toys) for _ in seeds], config, seeds=seeds).learn(150)
    for run, seed in enumerate(seeds):
        alone = algorithm(game(toys), config, seed=seed).learn(150)
        assert_same(together, alone, (run, 0))
        observations = game(toys).reset()[0]
        assert together.predict(observations, run=run) == alone.predict(observations)
    together.save(tmp_path / "c")
    resumed = algorithm.load(tmp_path / "c", [game(toys) for _ in seeds]).learn(50, reset_num_timesteps=False)
    together.learn(50, reset_num_timesteps=False)
    for run in range(3):
        assert_same(together, resumed, (run, run))


def test_state_of_the_environment_is_stored_and_resumed(tmp_path):
    env = MarkovGameEnv(named_game("grid-soccer"), horizon=5)
    config = QMIXConfig(**SMALL)
    whole, part = QMIX(env, config, seed=1).learn(100), QMIX(env, config, seed=1).learn(50)
    part.save(tmp_path / "c")
    assert_same(whole, QMIX.load(tmp_path / "c", env).learn(50, reset_num_timesteps=False))
    batch = whole._state.buffer.sample(64, torch.device("cpu"))
    assert torch.equal(batch.state, batch.observation[0])  # both players see the state, one-hot
    assert torch.equal(batch.next_state, batch.next_observation[0])
    plain = VDN(env, VDNConfig(**SMALL), seed=1).learn(50)
    assert plain._state.buffer.sample(4, torch.device("cpu")).state is None


def test_environment_with_another_state_is_refused():
    model = QMIX(MarkovGameEnv(named_game("stag-hunt"), horizon=5), QMIXConfig(**SMALL))
    env = MarkovGameEnv(named_game("stag-hunt"), horizon=5)
    env.state_space = spaces.Discrete(4)
    with pytest.raises(ValueError, match="env must have a state of 1 numbers, got 4"):
        model.set_env(env)


def test_state_that_is_no_number_is_refused_with_the_step():
    env = MarkovGameEnv(named_game("stag-hunt"), horizon=5)
    env.state_space = spaces.Box(0.0, 1.0, (1,))
    env.state = lambda: np.array([np.nan if env._steps == 2 else 0.0])
    with pytest.raises(ValueError, match=r"state must be 1 finite numbers, got .*step 2 of episode 0"):
        QMIX(env, QMIXConfig(**SMALL)).learn(10)


SCRIPT = """
import sys, torch
from mpe2 import simple_spread_v3
from algos.deep import QMIX, QMIXConfig, CheckpointAtEpisodeEnd
torch.set_num_threads(1)
config = QMIXConfig(hidden_sizes=(16,), learning_starts=50, batch_size=32, transition_set="TotalVariation(0.1)")
model = QMIX(simple_spread_v3.parallel_env(max_cycles=10), config, seed=5)
model.learn(10**9, callback=CheckpointAtEpisodeEnd(sys.argv[1], every=30))
"""


def test_run_killed_by_sigkill_resumes_with_the_numbers_of_an_uninterrupted_one(tmp_path):
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    folder = tmp_path / "c"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 300
        while not (folder.exists() and QMIX.load(folder).num_timesteps >= 200):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()  # SIGKILL
        process.wait()
    env = spread.parallel_env(max_cycles=10)
    resumed = QMIX.load(folder, env)
    done = resumed.num_timesteps
    assert done % 10 == 0
    resumed.learn(60, reset_num_timesteps=False)
    assert_same(QMIX(env, resumed.config, seed=5).learn(done + 60), resumed)


def test_chance_of_a_random_action_is_epsilon_and_random_actions_are_legal_and_even(toys):
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    team = IQL(game(toys), IQLConfig(**SMALL))._team
    values = np.array([[3.0, 2.0, 1.0, 9.0], [1.0, 2.0, 3.0, 9.0]], np.float32)
    legal = np.array([[True, True, True, False], [True, True, True, False]])
    numpy_head = EpsilonHead(lambda: 0.3)
    played = np.mean([numpy_head.sample(values, legal, rng) for _ in range(4000)], axis=0)
    torch_head = EpsilonGamesHead(team, torch.device("cpu"), runs=1, epsilon=lambda: 0.3)
    many = torch.from_numpy(values)[:, None].expand(2, 4000, 4)
    batched = torch_head.sample(many, torch.from_numpy(legal)[:, None].expand(2, 4000, 4), [generator]).mean(1)
    expected = [[0.8, 0.1, 0.1, 0.0], [0.1, 0.1, 0.8, 0.0]]
    np.testing.assert_allclose(played, expected, atol=0.03)
    np.testing.assert_allclose(batched.numpy(), expected, atol=0.03)
    assert torch.equal(torch_head.uniform(many, None, [generator])[0, :, 3], torch.zeros(4000))  # "a" has three actions


def test_exploration_follows_the_schedule(env):
    model = IQL(env, IQLConfig(**SMALL, epsilon_end=0.0), seed=0).learn(65)
    assert model._epsilon() == 0.0
    total, count = model._state.means.state()["train/epsilon"]
    assert 0.0 < total / count < 1.0
    observations, _ = env.reset()
    greedy = model.predict(observations)
    assert all(model.predict(observations, deterministic=False) == greedy for _ in range(20))
