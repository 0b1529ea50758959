"""The command line as its users meet it: in a pipe, on a terminal, interrupted, killed."""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from algos.experiments.metrics import read_metrics

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals as POSIX knows them")

LONG = ("--steps", "3000", "--checkpoint-every", "250", "--episodes", "2")
FOREVER = ("--steps", "10000000", "--checkpoint-every", "250", "--episodes", "2")


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str], *, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def numbers(run: Path) -> dict[str, Any]:
    """All that a run found, without the clock."""
    networks = next((run / "checkpoints" / "last").glob("networks-*")).read_bytes()
    metrics = [
        {key: value for key, value in row.items() if "fps" not in key and "elapsed" not in key}
        for row in read_metrics(run / "metrics.csv")
    ]
    return {"networks": networks, "metrics": metrics, "evaluation": (run / "evaluation.json").read_bytes()}


def finish(process: subprocess.Popen[str], *, seconds: float = 300.0) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, small: Sequence[str]) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole")
    command = [
        sys.executable,
        "-m",
        "robust_envs.cli",
        "train",
        "cooperative-navigation",
        "--out",
        "run",
        *LONG,
        *small,
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return numbers(folder / "run")


def test_piped_output_is_plain_lines(start: Any, tiny: Sequence[str]) -> None:
    status, out, err = finish(start("train", "keep-away", "--out", "run", *tiny))
    assert (status, err) == (0, "")
    assert re.search(r"\A[\x20-\x7e\n]*\Z", out), "no control characters, although FORCE_COLOR asks for them"
    assert re.search(r"300 of 300 steps \(100%\), [\d,]+ steps/s, .*done", out)
    assert "summary.json" in out


def test_piped_tables_are_not_folded_or_coloured(start: Any, runs: dict[str, Path]) -> None:
    status, out, _ = finish(start("curve", *map(str, runs.values()), "--episodes", "1"))
    assert status == 0
    assert "\x1b" not in out
    header = next(line for line in out.splitlines() if "level" in line and "random" in line)
    assert all(name in header for name in ("rmaddpg, level 1, seed 0", "maddpg, level 1, seed 0"))


def test_a_terminal_shows_a_bar_with_speed_return_and_remaining_time(start: Any, small: Sequence[str]) -> None:
    master, slave = pty.openpty()
    arguments = ("train", "keep-away", "--out", "run", *LONG, *small)
    process = start(*arguments, stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    shown = "".join(screen(master))
    process.wait(timeout=300)
    assert process.returncode == 0
    assert "\x1b[" in shown
    assert "━" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"\d+% +[\d,]+ steps/s +return -\d+\.\d +\d:\d\d:\d\d left", plain)
    assert "\x1b[?25h" in shown, "the cursor is given back"


def screen(master: int) -> Iterator[str]:
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            return
        if not data:
            return
        yield data.decode(errors="replace")


def test_a_killed_run_resumes_with_the_numbers_of_one_that_never_stopped(
    start: Any, small: Sequence[str], tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    process = start("train", "cooperative-navigation", "--out", "run", *LONG, *small)
    metrics = tmp_path / "run" / "metrics.csv"
    wait_for(lambda: metrics.exists() and len(read_metrics(metrics)) >= 1, process)
    process.kill()
    process.communicate(timeout=300)
    assert not (tmp_path / "run" / "summary.json").exists(), "it was killed too late to show anything"
    status, out, err = finish(start("train", "--resume", "--out", "run"))
    assert (status, err) == (0, "")
    assert re.search(r"from step [1-9][\d,]* to 3,000 steps", out)
    assert numbers(tmp_path / "run") == uninterrupted


@pytest.mark.slow
def test_killed_before_its_first_checkpoint_a_run_starts_over(start: Any, small: Sequence[str], tmp_path: Path) -> None:
    arguments = ("--steps", "600", "--checkpoint-every", "100000", "--episodes", "1", *small)
    process = start("train", "keep-away", "--out", "run", *arguments)
    wait_for(lambda: (tmp_path / "run" / "provenance.json").exists(), process)
    process.kill()
    process.communicate(timeout=300)
    status, out, _ = finish(start("train", "--resume", "--out", "run"))
    assert status == 0
    assert "for 600 steps" in out
    assert (tmp_path / "run" / "summary.json").exists()


def test_ctrl_c_writes_a_checkpoint_and_says_the_command_that_resumes(
    start: Any, small: Sequence[str], tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    process = start("train", "cooperative-navigation", "--out", "run", *LONG, *small)
    checkpoint = tmp_path / "run" / "checkpoints" / "last" / "checkpoint.json"
    wait_for(checkpoint.exists, process)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert status == 130
    assert err == "robust-envs: interrupted\n"
    command = re.search(r"to go on: (.*)", out)
    assert command is not None
    program, *arguments = shlex.split(command[1])
    assert [program, *arguments][:4] == ["python", "-m", "robust_envs.cli", "train"]
    status, out, _ = finish(start(*arguments[2:]))
    assert status == 0
    assert numbers(tmp_path / "run") == uninterrupted


def test_ctrl_c_on_a_terminal_leaves_the_screen_in_order(start: Any, small: Sequence[str], tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = start("train", "keep-away", "--out", "run", *FOREVER, *small, stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    wait_for((tmp_path / "run" / "checkpoints" / "last" / "checkpoint.json").exists, process)
    process.send_signal(signal.SIGINT)
    shown = "".join(screen(master))
    process.wait(timeout=300)
    assert process.returncode == 130
    assert shown.rindex("\x1b[?25h") < shown.rindex("to go on: python -m robust_envs.cli train --resume --out run")
    assert "Traceback" not in shown


def test_lines_come_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from algos.experiments import progress

    now = [0.0]
    stream = io.StringIO()
    board = progress._Lines({"a": 100, "b": 100}, "steps", stream, 10.0, clock=lambda: now[0])
    for done in range(0, 101, 2):
        board.update("a", done, value=-float(done))
        now[0] += 1.0
    lines = stream.getvalue().splitlines()
    assert lines == [
        "a: 20 of 100 steps (20%), 2 steps/s, return -20.0, 0:00:40 left",
        "a: 40 of 100 steps (40%), 2 steps/s, return -40.0, 0:00:30 left",
        "a: 60 of 100 steps (60%), 2 steps/s, return -60.0, 0:00:20 left",
        "a: 80 of 100 steps (80%), 2 steps/s, return -80.0, 0:00:10 left",
        "a: 100 of 100 steps (100%), 2 steps/s, return -100.0, done",
    ]
