"""Schedules, evaluations and the best policy, asked for on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from algos.deep import RMADDPG
from algos.experiments import RunConfig, RunFolder, load_policy, train
from algos.experiments.metrics import read_metrics
from robust_envs.cli import main

WATCHED = ("--schedule", "linear:0:1", "--eval-every", "100", "--keep-best")


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("mpe2")


def test_run_with_a_schedule_and_evaluations_writes_them_down(tmp_path: Path, tiny: Sequence[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "cooperative-navigation", "--level", "0.5", "--out", str(out), *WATCHED, *tiny]) == 0
    lines = [row for row in read_metrics(out / "metrics.csv") if "eval/robust_return" in row]
    assert [int(row["time/total_timesteps"]) for row in lines] == [100, 200, 300]
    radii = [float(row["uncertainty/radius_reward"]) for row in lines]
    assert radii == pytest.approx([0.5 * 2 * steps / 300 for steps in (75, 175, 275)], abs=0.1)
    best = RMADDPG.load(out / "checkpoints" / "best")
    assert best.notes()["best"] == pytest.approx(max(float(row["eval/robust_return"]) for row in lines))
    assert json.loads((out / "config.json").read_text())["schedule"] == "linear:0:1"


def config(**options: object) -> RunConfig:
    settings = {"hidden_sizes": (16,), "learning_starts": 50, "update_every": 25, "batch_size": 16}
    asked = {"steps": 200, "trainer": settings, "checkpoint_every": 50, "schedule": "stairs:0:1", "eval_every": 50}
    return RunConfig(**{**asked, "eval_episodes": 1, **options})  # type: ignore[arg-type]


def test_run_with_everything_resumes_with_the_numbers_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(config(keep_best=True), tmp_path / "whole")
    with monkeypatch.context() as patch:
        learn = RMADDPG.learn

        def cut(self: RMADDPG, steps: int, **options: object) -> RMADDPG:
            callbacks = options.pop("callback")
            return learn(self, steps // 2, callback=callbacks, **options)  # type: ignore[arg-type]

        patch.setattr(RMADDPG, "learn", cut)
        train(config(keep_best=True), tmp_path / "cut")
    resumed = train(config(keep_best=True), tmp_path / "cut", resume=True)
    for name, stack in whole._state.stacks.items():
        assert torch.equal(stack.parameters, resumed._state.stacks[name].parameters)
    assert whole.notes() == resumed.notes()


def test_every_seed_keeps_its_best(tmp_path: Path, tiny: Sequence[str]) -> None:
    watched = ("--eval-every", "150", "--keep-best")
    assert main(["train", "cooperative-navigation", "--seeds", "0", "1", "--out", str(tmp_path), *watched, *tiny]) == 0
    for seed in (0, 1):
        best = RMADDPG.load(tmp_path / "checkpoints" / "best" / f"seed{seed}")
        assert best.seeds == (seed,)
        rows = read_metrics(RunFolder(tmp_path / f"seed{seed}").metrics)
        assert any("eval/best" in row for row in rows)


def test_faster_arithmetic_reaches_the_trainer(tmp_path: Path, tiny: Sequence[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "cooperative-navigation", "--precision", "bfloat16", "--out", str(out), *tiny]) == 0
    assert load_policy(out).config.precision == "bfloat16"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--schedule", "sine:0:1"), "schedule must be linear:START:END"),
        (("--schedule", "linear:0:1", "--level", "0"), "schedule must have a level above 0"),
        (("--keep-best",), "keep_best must have evaluations to choose by"),
        (("--eval-every", "-5"), "eval_every must be"),
    ],
)
def test_option_that_makes_no_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], said: str
) -> None:
    assert main(["train", "cooperative-navigation", "--out", str(tmp_path / "run"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_curriculum_keeps_the_length_it_was_begun_with(tmp_path: Path) -> None:
    train(config(), tmp_path / "run")
    with pytest.raises(ValueError, match="steps must be 200, over which the level grows, got steps=400"):
        train(config(steps=400), tmp_path / "run", resume=True)
