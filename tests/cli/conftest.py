"""Small runs: a few hundred steps, small batches, so that every command can be called for real."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from robust_envs.cli import main

SMALL = ("--set", "learning_starts=100", "batch_size=32", "update_every=20", "hidden_sizes=(16,)")
TINY = ("--steps", "300", "--checkpoint-every", "100", "--episodes", "2", *SMALL)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def tiny() -> Sequence[str]:
    return TINY


@pytest.fixture(scope="session")
def small() -> Sequence[str]:
    return SMALL


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each algorithm, read by many tests and changed by none."""
    folder = tmp_path_factory.mktemp("runs")
    for algo in ("rmaddpg", "maddpg"):
        out = str(folder / algo)
        assert main(["train", "cooperative-navigation", "--algo", algo, "--out", out, *TINY]) == 0
    return {algo: folder / algo for algo in ("rmaddpg", "maddpg")}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command line in a process that ends with the test, in an empty folder, its output in pipes."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "robust_envs.cli", *arguments],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "FORCE_COLOR": "1", "TERM": "xterm-256color"},
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()  # does nothing to one that ended
        process.wait()
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()
