"""Evaluation while training goes on: what is measured, what is kept, and that training does not notice."""

import json

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import ConvertCallback
from stable_baselines3.common.logger import configure

from algos.deep import MADDPG, CheckpointAtEpisodeEnd, EvaluateAtEpisodeEnd, MADDPGConfig
from robust_envs import Linf, Noise, Uniform, WorstCase
from robust_envs.evaluation import evaluate

SMALL = MADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=5, batch_size=16)
PAYOFF = [[1, 0, 0], [0, 0, 3], [0, 1, 0]]


@pytest.fixture
def make(toys):
    return lambda: toys.matrix_game(PAYOFF, horizon=5, terminate=False)


def watcher(make, **options):
    return EvaluateAtEpisodeEnd(make, **{"every": 20, "episodes": 2, "reward": Linf(0.5), **options})


def test_nominal_and_robust_return_are_those_of_evaluate(make):
    watch = watcher(make, natures={"worst": WorstCase(), "uniform": Uniform()})
    model = MADDPG(make(), SMALL).learn(60, callback=watch)
    options = {"reward": Linf(0.5), "episodes": 2, "seed": 10_000, "levels": (0.0, 1.0)}
    found = evaluate(model, make, natures={"worst": WorstCase(), "uniform": Uniform()}, **options)
    (told,) = watch.latest
    assert told["nominal_return"] == found.summary("worst", 0.0).mean
    assert told["return_worst"] == found.summary("worst", 1.0, reward="perturbed").mean
    assert told["robust_return"] == told["return_worst"] == pytest.approx(told["nominal_return"] - 2 * 5 * 0.5)
    assert told["return_worst"] < told["return_uniform"]


def test_log_gets_a_line_at_every_interval_and_tensorboard_the_same(make, tmp_path):
    model = MADDPG(make(), SMALL)
    model.set_logger(configure(str(tmp_path), ["csv", "json", "tensorboard"]))
    model.learn(100, callback=watcher(make, every=40))
    model.logger.close()
    lines = [json.loads(line) for line in (tmp_path / "progress.json").read_text().splitlines()]
    told = [line for line in lines if "eval/robust_return" in line]
    assert [line["time/total_timesteps"] for line in told] == [40, 80]
    assert all(line["eval/best"] >= line["eval/robust_return"] for line in told)
    assert "eval/nominal_return" in (tmp_path / "progress.csv").read_text()
    assert list(tmp_path.glob("events.*"))


def test_training_does_not_notice_that_it_is_measured(make):
    plain = MADDPG(make(), SMALL, seed=3).learn(100)
    watched = MADDPG(make(), SMALL, seed=3).learn(100, callback=watcher(make, observation=Linf(0.1)))
    for run in (plain, watched):
        run.notes().clear()
    (values, tensors), (others, other_tensors) = (run._state.save(include_buffer=True) for run in (plain, watched))
    np.testing.assert_equal(values, others)
    for group, named in tensors.items():
        assert all(torch.equal(tensor, other_tensors[group][name]) for name, tensor in named.items())


def test_best_policy_is_kept_and_is_the_one_that_was_measured(make, tmp_path):
    best, history = tmp_path / "best", []
    watch = watcher(make, best=best, judge="nominal")

    def look(local, _):
        if watch.latest:
            history.append(watch.latest[0]["nominal_return"])
        return True

    model = MADDPG(make(), MADDPGConfig(hidden_sizes=(32,), learning_starts=50, update_every=2, batch_size=32, tau=0.1))
    model.learn(400, callback=[watch, ConvertCallback(look)])
    history.append(watch.latest[0]["nominal_return"])
    kept = MADDPG.load(best, make())
    assert kept.notes()["best"] == max(history) > history[0]
    again = evaluate(kept, make, episodes=2, seed=10_000, levels=(0.0,))
    assert again.summary("uniform", 0.0).mean == max(history)


def test_each_seed_keeps_a_best_of_its_own(make, tmp_path):
    watch = watcher(make, best=tmp_path)
    model = MADDPG([make(), make()], SMALL, seeds=[4, 9]).learn(60, callback=watch)
    assert len(watch.latest) == 2
    for run, seed in enumerate(model.seeds):
        kept = MADDPG.load(tmp_path / f"seed{seed}", make())
        assert kept.seeds == (seed,)
        assert kept.notes()["best"] == model.notes(run)["best"]


def test_resumed_run_knows_its_best_and_measures_what_an_uninterrupted_one_does(make, tmp_path):
    def run(folder, stop_at=None):
        watch = watcher(make, best=folder / "best")
        stop = ConvertCallback(lambda local, _: local["self"].num_timesteps != stop_at)
        calls = [watch, CheckpointAtEpisodeEnd(folder / "c", every=30), stop]
        return watch, calls

    watch, calls = run(tmp_path / "whole")
    whole = MADDPG(make(), SMALL, seed=1).learn(120, callback=calls)
    _, cut = run(tmp_path / "cut", stop_at=73)
    MADDPG(make(), SMALL, seed=1).learn(120, callback=cut)
    resumed = MADDPG.load(tmp_path / "cut" / "c", make())
    assert resumed.num_timesteps == 60
    assert "best" in resumed.notes()
    again, calls = run(tmp_path / "cut")
    resumed.learn(60, callback=calls, reset_num_timesteps=False)
    assert again.latest == watch.latest
    assert resumed.notes() == whole.notes()
    first, second = (MADDPG.load(tmp_path / name / "best") for name in ("whole", "cut"))
    assert torch.equal(first._state.stacks["actors"].parameters, second._state.stacks["actors"].parameters)


def test_without_a_set_the_robust_return_is_the_nominal_one(make):
    watch = EvaluateAtEpisodeEnd(make, every=10, episodes=1)
    MADDPG(make(), SMALL).learn(10, callback=watch)
    assert watch.latest[0]["robust_return"] == watch.latest[0]["nominal_return"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "every must be >= 1"),
        ({"episodes": 0}, "episodes must be >= 1"),
        ({"seed": -1}, "seed must be >= 0"),
        ({"judge": "both"}, "judge must be one of 'robust', 'nominal'"),
    ],
)
def test_argument_out_of_range_is_refused(make, options, said):
    with pytest.raises(ValueError, match=said):
        watcher(make, **options)


def test_fault_of_the_environment_of_an_evaluation_leaves_the_checkpoint(make, tmp_path):
    def broken():
        raise RuntimeError("no such world")

    calls = [CheckpointAtEpisodeEnd(tmp_path / "c", every=20), EvaluateAtEpisodeEnd(broken, every=20)]
    with pytest.raises(RuntimeError, match="no such world"):
        MADDPG(make(), SMALL).learn(60, callback=calls)
    assert MADDPG.load(tmp_path / "c").num_timesteps == 20


def test_noise_is_the_same_in_every_evaluation(make):
    watch = watcher(make, reward=Linf(0.3), natures=Noise())
    model = MADDPG(make(), SMALL).learn(20, callback=watch)
    assert watch._measure(model, 0) == watch.latest[0]
    assert watch.latest[0]["robust_return"] != watch.latest[0]["nominal_return"]
