"""A sweep: every run of the grid once, each what it is alone, whatever happens on the way."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from algos.experiments import RunConfig, Sweep, run, sweep
from robust_envs.executors import Processes

SMALL = {"learning_starts": 100, "batch_size": 32, "update_every": 20, "hidden_sizes": [16]}
GRID = {"task": "keep-away", "steps": 200, "trainer": SMALL, "measurement": {"episodes": 1}}


MODULE = sys.modules[sweep.__module__]


def grid(**changes: Any) -> Sweep:
    return Sweep({**GRID, **changes})


def table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "table.csv").read_text())))


def returns(summary: dict[str, Any]) -> Any:
    return summary["nominal_return"], summary["perturbed_return"]


class Blind:
    """An executor whose workers do not see the folder of the sweep."""

    workers = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, work: Any, tasks: Any, *, hear: Any = None) -> Any:
        hidden = self.folder.rename(self.folder.with_name("hidden"))
        done = [(number, work(task, lambda told: None)) for number, task in enumerate(tasks)]
        hidden.rename(self.folder)
        yield from done

    def open(self, work: Any, *, hear: Any = None) -> Any:
        raise NotImplementedError


class Listening:
    """A board that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[int] = []

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        self.steps.append(done)

    def say(self, text: str) -> None:
        self.said.append(text)


def test_the_grid_is_every_combination_of_what_is_listed() -> None:
    cells = grid(algo=["maddpg", "rmaddpg"], level=[0, 1.5], seed=[0, 1, 2], continuous=[False, True]).cells
    assert len(cells) == 24
    assert cells["keep-away/maddpg-level1.5-seed2-continuousTrue"] == replace(
        RunConfig.from_json(GRID), algo="maddpg", level=1.5, seed=2, continuous=True
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"seed": []}, "seed must list at least one value"),
        ({"seed": [1, 1]}, "none twice"),
        ({"sead": [1]}, "config must hold only the names of RunConfig, got .'sead'"),
        ({"level": [0, -1]}, "level must be finite and >= 0, got level=-1"),
        ({"algo": ["maddpg", "dqn"]}, "got algo='dqn'"),
    ],
)
def test_what_is_wrong_in_any_run_is_said_at_once(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Sweep(values)


def test_a_file_is_toml_or_json(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("seed = [0, 1]\n[measurement]\nepisodes = 3\n")
    (tmp_path / "a.json").write_text('{"seed": [0, 1], "measurement": {"episodes": 3}}')
    assert Sweep.load(tmp_path / "a.toml") == Sweep.load(tmp_path / "a.json")
    (tmp_path / "bad.toml").write_text("seed = [0,\n")
    with pytest.raises(ValueError, match="config must be TOML, or JSON when its name says so"):
        Sweep.load(tmp_path / "bad.toml")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ValueError, match="config must hold names and values, got list"):
        Sweep.load(tmp_path / "list.json")


def test_runs_find_what_they_find_alone_and_land_in_one_table(tmp_path: Path) -> None:
    board = Listening()
    ended = sweep(grid(algo=["maddpg", "rmaddpg"]), tmp_path / "all", board=board)
    alone = run(ended[1].config, tmp_path / "alone")
    assert returns(ended[1].summary or {}) == returns(alone)
    rows = table(tmp_path / "all")
    assert [(row["algo"], row["steps"]) for row in rows] == [("maddpg", "200"), ("rmaddpg", "200")]
    assert [row["failure"] for row in rows] == ["", ""]
    assert float(rows[1]["nominal_mean"]) == alone["nominal_return"]["mean"]
    assert board.steps == sorted(board.steps)
    assert board.steps[-1] == 400
    assert board.said[-1].startswith("2 of 2: keep-away/rmaddpg-level1-seed0: nominal return")


def test_what_is_finished_is_never_run_again_and_the_grid_may_grow(tmp_path: Path, monkeypatch: Any) -> None:
    sweep(grid(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")}
    ran: list[int] = []
    monkeypatch.setattr(MODULE, "run", lambda config, *a, **k: ran.append(config.seed) or run(config, *a, **k))
    ended = sweep(grid(seed=[0, 1]), tmp_path)
    assert ran == [1]
    assert [end.summary is not None for end in ended] == [True, True]
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())


def test_a_folder_of_another_configuration_is_refused_before_anything_runs(tmp_path: Path) -> None:
    sweep(grid(), tmp_path)
    with pytest.raises(ValueError, match=r"trainer must be .* as the run in .* was begun with"):
        sweep(grid(trainer={**SMALL, "batch_size": 64}, seed=[0, 7]), tmp_path)
    assert not list(tmp_path.rglob("*seed7*"))


def test_a_run_that_fails_leaves_the_others_alone_and_is_tried_again(tmp_path: Path, monkeypatch: Any) -> None:
    def fragile(config: RunConfig, *arguments: Any, **options: Any) -> Any:
        if config.seed == 0:
            raise RuntimeError("the simulator broke")
        return run(config, *arguments, **options)

    monkeypatch.setattr(MODULE, "run", fragile)
    ended = sweep(grid(seed=[0, 1]), tmp_path)
    assert [end.summary is None for end in ended] == [True, False]
    assert "the simulator broke" in ended[0].failure
    assert table(tmp_path)[0]["failure"] == "RuntimeError: the simulator broke"
    monkeypatch.undo()
    assert all(end.summary for end in sweep(grid(seed=[0, 1]), tmp_path))


def test_a_node_that_does_not_see_the_folder_sends_everything_home(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    ended = sweep(grid(), tmp_path / "home", executor=Blind(tmp_path / "home"))
    folder = tmp_path / "home" / ended[0].name
    assert json.loads((folder / "summary.json").read_text()) == ended[0].summary
    assert (folder / "checkpoints" / "last" / "checkpoint.json").exists()
    assert list((tmp_path / "node").rglob("metrics.csv"))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX knows them")
def test_a_killed_worker_is_replaced_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    config = grid(seed=[0, 1], steps=1500, checkpoint_every=100)
    board = Killing(tmp_path / "killed")
    ended = sweep(config, tmp_path / "killed", executor=Processes(2), board=board)
    assert board.killed
    assert any("a worker was lost" in text for text in board.said)
    assert any("from step" in text for text in board.said), "not from the start"
    for end, quiet in zip(ended, sweep(config, tmp_path / "quiet"), strict=True):
        assert returns(end.summary or {}) == returns(quiet.summary or {})


class Killing(Listening):
    """A board that kills the first worker which has written a checkpoint."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.killed = folder, False

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        import multiprocessing

        if not self.killed and len(list(self.folder.rglob("checkpoint.json"))) == 2:
            self.killed = True
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
        super().update(name, done, value=value)
