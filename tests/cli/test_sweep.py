"""`robust-envs sweep`: a file in, folders, a table and pictures out; again, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from robust_envs.cli import main

GRID = """
task = "keep-away"
algo = ["maddpg", "rmaddpg"]
seed = [0, 1]
steps = 100

[trainer]
learning_starts = 1000
hidden_sizes = [8]

[measurement]
episodes = 1
"""


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    return path


def test_a_sweep_runs_a_grid_and_leaves_alone_what_is_finished(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(grid), "--workers", "2"]) == 0
    told = capsys.readouterr().out
    assert "4 runs into sweeps/grid" in told
    assert "4 of 4: keep-away/" in told
    assert "rmaddpg, level 1" in told, "means over seeds"
    folder = Path("sweeps/grid")
    assert len((folder / "table.csv").read_text().splitlines()) == 5
    assert (folder / "keep-away" / "curve.png").stat().st_size > 10_000
    assert "rmaddpg, level 1" in (folder / "keep-away" / "seeds.csv").read_text()

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("summary.json")}
    assert main(["sweep", str(grid), "--workers", "1"]) == 0
    assert "4 of 4 runs are finished already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("summary.json")} == before


def test_a_run_that_fails_is_told_at_the_end(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace("seed = [0, 1]", "seed = 0").replace("[trainer]", "[trainer]\nbatch_size = 8"))
    folder = Path("sweeps/grid/keep-away/maddpg-level1-seed0")
    folder.mkdir(parents=True)
    (folder / "something").touch()  # not a run: it is not overwritten
    assert main(["sweep", str(grid), "--workers", "1"]) == 1
    told = capsys.readouterr().out
    assert "maddpg-level1-seed0 failed" in told
    assert "out must be a new or an empty folder" in told
    assert "rmaddpg-level1-seed0: nominal return" in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--workers", "2", "--ray", "auto"], "workers and ray must not be given both"),
        (["--workers", "0"], "workers"),
    ],
)
def test_bad_input_is_one_sentence(
    grid: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", str(grid), *arguments]) == 2
    assert reason in capsys.readouterr().err
    assert not Path("sweeps").exists()
