"""Training on many games at once: what a run is, alone and beside others, killed and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import KVWriter, Logger

from algos.deep import MADDPG, RMADDPG, CheckpointAtEpisodeEnd, MADDPGConfig, RMADDPGConfig, SideBySide, VmasGames
from robust_envs import Linf, Noise, robust

SMALL = {"hidden_sizes": (16, 16), "learning_starts": 40, "update_every": 10, "batch_size": 32}
ALGORITHMS = [(MADDPG, MADDPGConfig(**SMALL)), (RMADDPG, RMADDPGConfig(**SMALL))]


def everything(model, run=0):
    """Return all numbers that a checkpoint of one run would hold."""
    values, tensors = model._state.save(run, include_buffer=True)
    return values, {f"{group}/{name}": t for group, part in tensors.items() for name, t in part.items()}


def assert_same(one, other, runs=(0, 0)):
    (values, tensors), (others, other_tensors) = everything(one, runs[0]), everything(other, runs[1])
    means, other_means = values.pop("means"), others.pop("means")  # for people to read: their sums may round otherwise
    assert means.keys() == other_means.keys()
    for name, entry in means.items():
        assert entry == pytest.approx(other_means[name], rel=1e-4, abs=1e-5), name
    assert values == others
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name


def noisy(vmas_env, **options):
    return VmasGames(robust(vmas_env(**options), reward=Linf(2.0), nature=Noise()))


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_seeds_trained_together_are_bit_for_bit_what_each_is_alone(counting, algorithm, config):
    seeds = [5, 0, 3]
    together = algorithm(SideBySide([counting() for _ in seeds]), config, seeds=seeds).learn(200)
    for run, seed in enumerate(seeds):
        assert_same(together, algorithm(counting(), config, seed=seed).learn(200), (run, 0))


@pytest.mark.parametrize("hidden", [(8,), (5, 7), ()], ids=str)
def test_seeds_with_small_layers_are_bit_for_bit_what_each_is_alone(counting, hidden):
    config = RMADDPGConfig(**{**SMALL, "hidden_sizes": hidden})
    together = RMADDPG(SideBySide([counting() for _ in range(3)]), config, seeds=[5, 0, 3]).learn(200)
    for run, seed in enumerate([5, 0, 3]):
        assert_same(together, RMADDPG(counting(), config, seed=seed).learn(200), (run, 0))


@pytest.mark.parametrize("continuous", [False, True])
def test_seeds_on_vmas_are_bit_for_bit_what_each_is_alone(vmas_env, continuous):
    config, seeds = RMADDPGConfig(**{**SMALL, "batch_size": 1024, "hidden_sizes": (64, 64)}), [4, 1]
    games = [noisy(vmas_env, continuous_actions=continuous) for _ in seeds]
    together = RMADDPG(SideBySide(games), config, seeds=seeds).learn(240)
    for run, seed in enumerate(seeds):
        alone = RMADDPG(noisy(vmas_env, continuous_actions=continuous), config, seed=seed).learn(240)
        assert_same(together, alone, (run, 0))


@pytest.mark.parametrize("continuous", [False, True])
def test_seeds_on_one_game_each_are_bit_for_bit_what_each_is_alone(continuous):
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    config, seeds = RMADDPGConfig(**{**SMALL, "batch_size": 1024, "hidden_sizes": (64, 64)}), [4, 1]

    def make():
        env = spread.parallel_env(max_cycles=25, continuous_actions=continuous)
        return robust(env, reward=Linf(2.0), nature=Noise())

    together = RMADDPG([make() for _ in seeds], config, seeds=seeds).learn(150)
    for run, seed in enumerate(seeds):
        assert_same(together, RMADDPG(make(), config, seed=seed).learn(150), (run, 0))


def test_seeds_differ(counting):
    model = MADDPG(SideBySide([counting(), counting()]), MADDPGConfig(**SMALL), seeds=[0, 1]).learn(60)
    first, second = (everything(model, run)[1] for run in (0, 1))
    assert not torch.equal(first["networks/actors.parameters"], second["networks/actors.parameters"])
    assert not torch.equal(first["replay/rows"], second["replay/rows"])


def test_a_run_of_several_is_saved_as_the_one_it_would_be_alone(counting, tmp_path):
    config = RMADDPGConfig(**SMALL)
    together = RMADDPG(SideBySide([counting(), counting()]), config, seeds=[2, 7]).learn(120)
    together.save(tmp_path / "second", run=1)
    loaded = RMADDPG.load(tmp_path / "second", counting())
    assert loaded.seeds == (7,)
    alone = RMADDPG(counting(), config, seed=7).learn(120)
    assert_same(loaded, alone)
    assert_same(loaded.learn(48, reset_num_timesteps=False), alone.learn(48, reset_num_timesteps=False))


def test_policy_of_each_run_predicts_what_it_would_alone(counting):
    together = MADDPG(SideBySide([counting(), counting()]), MADDPGConfig(**SMALL), seeds=[2, 7]).learn(60)
    alone = MADDPG(counting(), MADDPGConfig(**SMALL), seed=7).learn(60)
    observations = {"a": np.array([0.5, 1.0], np.float32), "b": np.array([2.0], np.float32)}
    np.testing.assert_equal(together.predict(observations, run=1)[0], alone.predict(observations)[0])


@pytest.mark.parametrize("runs", [1, 2])
def test_saved_and_loaded_games_go_on_as_the_uninterrupted_ones(counting, tmp_path, runs):
    def games():
        return SideBySide([counting() for _ in range(runs)])

    config, seeds = RMADDPGConfig(**SMALL), list(range(runs))
    whole = RMADDPG(games(), config, seeds=seeds).learn(192)
    RMADDPG(games(), config, seeds=seeds).learn(96).save(tmp_path / "c")
    resumed = RMADDPG.load(tmp_path / "c", games()).learn(96, reset_num_timesteps=False)
    for run in range(runs):
        assert_same(whole, resumed, (run, run))


def test_checkpoint_asked_for_in_a_wave_is_written_at_its_end(counting, tmp_path):
    config = MADDPGConfig(**SMALL)
    whole = MADDPG(counting(), config, seed=1)
    whole.learn(96, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=50))
    resumed = MADDPG.load(tmp_path / "c", counting())
    assert resumed.num_timesteps == 72  # waves are 6 steps of 4 games; 50 is passed in the third
    assert_same(whole, resumed.learn(24, reset_num_timesteps=False))


def test_one_round_for_every_so_many_steps_of_all_games(counting):
    model, rounds = MADDPG(counting(num_envs=40), MADDPGConfig(**SMALL)), []
    update = model._update
    model._update = lambda batch: rounds.append(1) or update(batch)
    model.learn(400)
    assert len(rounds) == 400 // 10 - 40 // 10 + 40 // 10  # learning starts with the step that fills the buffer


def test_wave_begins_with_a_seed_of_its_own_and_games_that_end_begin_by_themselves(counting):
    games = counting()
    model = MADDPG(games, MADDPGConfig(**SMALL), seed=3).learn(4 * 12)
    assert len(games.seeds) == 2
    assert games.seeds[0] != games.seeds[1]
    means = model._state.means.state()
    assert means["rollout/ep_len_mean"] == [4 * 12, 16.0]  # four games, four episodes of three steps each
    assert model._state.buffer.layout.read(model._state.buffer.state()["rows"]).continues.all()


def test_what_is_stored_is_what_happened(counting):
    games = counting()
    model = MADDPG(games, MADDPGConfig(**SMALL)).learn(4 * 6)
    batch = model._state.buffer.layout.read(model._state.buffer.state()["rows"])
    step, game = torch.arange(24) // 4, torch.arange(24) % 4
    assert torch.equal(batch.observation[0, :, 0], (step % 3).float())
    assert torch.equal(batch.next_observation[0, :, 0], (step % 3 + 1).float())  # the last one, not the next first
    played = torch.cat(games.played)
    assert torch.equal(batch.action[:, 0].argmax(-1).float(), played[:, 0, 0])
    torch.testing.assert_close(batch.action[:, 1, :2] * 3.0 + 1.0, played[:, 1, :2])
    torch.testing.assert_close(batch.reward[0], game + 0.1 * played[:, 0, 0])


class Lines(KVWriter):
    def __init__(self):
        self.lines = []

    def write(self, key_values, key_excluded, step=0):
        self.lines.append(dict(key_values))

    def close(self):
        pass


def test_each_run_has_a_log_of_its_own_and_the_common_one_is_their_mean(counting):
    common, first, second = Lines(), Lines(), Lines()
    model = MADDPG(SideBySide([counting(), counting()]), MADDPGConfig(**SMALL), seeds=[0, 1])
    loggers = [Logger(None, [writer]) for writer in (first, second)]
    model.set_logger(Logger(None, [common]), runs=loggers)
    model.learn(96, log_interval=1)
    last = [writer.lines[-1] for writer in (common, first, second)]
    assert last[1]["train/critic_loss"] != last[2]["train/critic_loss"]
    for name in ("train/critic_loss", "rollout/ep_rew_mean"):
        assert last[0][name] == pytest.approx((last[1][name] + last[2][name]) / 2)


@pytest.mark.parametrize("what", ["reward", "observation"])
def test_number_that_is_none_is_named_with_agent_game_and_step(counting, what, tmp_path):
    def fault(step, outcome):
        if step == 9 and what == "reward":
            outcome.reward[2, 1] = float("nan")
        if step == 9 and what == "observation":
            outcome.following.observation[2, 1, 0] = float("inf")
        return outcome

    model = MADDPG(counting(fault=fault), MADDPGConfig(**SMALL), seed=8)
    with pytest.raises(
        ValueError, match=rf"agent 'b' must get a finite {what}, got .*game 2, step 3 of wave 1, seed 8"
    ):
        model.learn(96)
    model.save(tmp_path / "c")
    assert MADDPG.load(tmp_path / "c").num_timesteps == 32


def test_run_that_diverges_is_named_with_agent_and_seed(counting):
    def fault(step, outcome):
        return outcome._replace(reward=outcome.reward + 1e30)

    games = SideBySide([counting(), counting(fault=fault)])
    with pytest.raises(FloatingPointError, match=r"critic_loss of agent 'a' is inf after \d+ steps of seed 9"):
        MADDPG(games, MADDPGConfig(**SMALL), seeds=[1, 9]).learn(200)


@pytest.mark.parametrize(
    ("seeds", "said"), [([], "at least one"), ([1, 1], "all different"), ([1, 2, 3], "one for each of 3 seeds, got 2")]
)
def test_seeds_that_do_not_fit_are_refused(counting, seeds, said):
    with pytest.raises(ValueError, match=said):
        MADDPG(SideBySide([counting(), counting()]), MADDPGConfig(**SMALL), seeds=seeds)


def test_parts_that_differ_are_refused(counting):
    with pytest.raises(ValueError, match="parts must agree in wave, got 6 and 7"):
        SideBySide([counting(), counting(wave=7)])
    with pytest.raises(ValueError, match="equally many games"):
        SideBySide([counting(4), counting(5)])


SCRIPT = """
import sys, torch, vmas
from algos.deep import RMADDPG, RMADDPGConfig, CheckpointAtEpisodeEnd, SideBySide, VmasGames
from robust_envs import Linf, Noise, robust
torch.set_num_threads(1)
def games():
    env = vmas.make_env("simple_spread", num_envs=6, max_steps=5, seed=0, terminated_truncated=True)
    return VmasGames(robust(env, reward=Linf(2.0), nature=Noise()))
config = RMADDPGConfig(hidden_sizes=(16, 16), learning_starts=40, update_every=10, batch_size=32)
model = RMADDPG(SideBySide([games(), games()]), config, seeds=[5, 6])
model.learn(10**9, callback=CheckpointAtEpisodeEnd(sys.argv[1], every=30))
"""


def test_games_killed_by_sigkill_resume_with_the_numbers_of_uninterrupted_ones(vmas_env, tmp_path):
    folder = tmp_path / "c"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder)], cwd=Path(__file__).parents[2]
    )
    try:
        deadline = time.monotonic() + 120
        while not (folder.exists() and RMADDPG.load(folder).num_timesteps >= 300):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def games():
        return SideBySide([noisy(vmas_env), noisy(vmas_env)])

    resumed = RMADDPG.load(folder, games())
    done = resumed.num_timesteps
    resumed.learn(90, reset_num_timesteps=False)
    whole = RMADDPG(games(), resumed.config, seeds=[5, 6]).learn(done + 90)
    for run in range(2):
        assert_same(whole, resumed, (run, run))
