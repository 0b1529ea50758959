"""Seeds trained together, each in a folder of its own, from Python and from the command line."""

import json

import pytest
import torch

from algos.experiments import Measurement, RunConfig, load_policy, seed_folders, train, train_seeds
from robust_envs.cli import main

SMALL = {"hidden_sizes": (64, 64), "learning_starts": 50, "update_every": 25, "batch_size": 16}
TEST = Measurement(episodes=2, levels=(0.0, 1.0))


@pytest.fixture(autouse=True)
def _installed():
    pytest.importorskip("mpe2")


def config(**options):
    return RunConfig(**{"steps": 150, "trainer": SMALL, "measurement": TEST, "checkpoint_every": 75, **options})


def networks(folder):
    return load_policy(folder)._state.stacks["critics"].parameters


@pytest.mark.parametrize("backend", ["mpe2", "vmas"])
def test_runs_together_are_the_runs_alone(tmp_path, backend):
    if backend == "vmas":
        pytest.importorskip("vmas")
    chosen = config(backend=backend, games=4, steps=200)
    train_seeds(chosen, [3, 1], tmp_path / "both")
    for folder, seed in zip(seed_folders(tmp_path / "both", [3, 1]), (3, 1), strict=True):
        alone = train(config(backend=backend, games=4, steps=200, seed=seed), tmp_path / f"alone{seed}")
        assert torch.equal(networks(folder.path), alone._state.stacks["critics"].parameters.detach())
        assert folder.read_config().seed == seed
        mine, theirs = folder.metrics.read_text(), (tmp_path / f"alone{seed}" / "metrics.csv").read_text()
        assert len(mine.splitlines()) == len(theirs.splitlines()) > 0 or backend == "mpe2"


def test_runs_resume_where_they_stopped(tmp_path):
    whole = train_seeds(config(steps=225), [0, 1], tmp_path / "whole")
    train_seeds(config(steps=150), [0, 1], tmp_path / "parts")
    resumed = train_seeds(config(steps=225), [0, 1], tmp_path / "parts", resume=True)
    for name, stack in whole._state.stacks.items():
        assert torch.equal(stack.parameters, resumed._state.stacks[name].parameters)
    with pytest.raises(ValueError, match="level must be"):
        train_seeds(config(steps=225, level=0.5), [0, 1], tmp_path / "parts", resume=True)
    with pytest.raises(ValueError, match="out must be"):
        train_seeds(config(), [0, 1], tmp_path / "parts")


def test_command_line_trains_seeds_and_backends(tmp_path, monkeypatch, capsys):
    pytest.importorskip("vmas")
    pytest.importorskip("tyro")
    monkeypatch.chdir(tmp_path)
    settings = ["--steps", "150", "--episodes", "2", "--set", "learning_starts=50", "batch_size=16"]
    task = "cooperative-navigation"
    assert (
        main(["train", task, "--backend", "vmas", "--games", "4", "--seeds", "0", "1", "--device", "cpu", *settings])
        == 0
    )
    for seed in (0, 1):
        folder = tmp_path / "runs" / task / "rmaddpg-vmas-level1-seeds0-1" / f"seed{seed}"
        summary = json.loads((folder / "summary.json").read_text())
        assert (summary["seed"], summary["steps"]) == (seed, 152)
        assert summary["env_steps_per_second"] > 0
    assert "of all seeds" in capsys.readouterr().out
    again = ["--resume", "--seeds", "0", "1", "--steps", "200", "--out", str(folder.parent)]
    assert main(["train", *again]) == 0
    assert json.loads((folder / "summary.json").read_text())["steps"] == 200


def test_backend_that_does_not_have_the_task_is_refused():
    with pytest.raises(ValueError, match=r"backend must be mpe2 for mpe2\.simple_spread_v3:parallel_env"):
        config(env="mpe2.simple_spread_v3:parallel_env", backend="vmas")
    with pytest.raises(ValueError, match="backend must be mpe2 or vmas"):
        config(backend="unreal")
