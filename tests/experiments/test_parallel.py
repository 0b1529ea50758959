"""Several runs at once: one board, all results; failures and Ctrl-C are told, and nothing is lost."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from algos.experiments import Measurement, RunConfig, load_policy, run, run_all

SMALL = {"learning_starts": 100, "batch_size": 32, "update_every": 20, "hidden_sizes": (16,)}


def config(**changes: object) -> RunConfig:
    usual = {"task": "keep-away", "steps": 300, "trainer": SMALL, "measurement": Measurement(episodes=1)}
    return RunConfig(**{**usual, **changes})  # type: ignore[arg-type]


def test_runs_at_once_find_what_they_find_alone(tmp_path: Path) -> None:
    both = {tmp_path / "r": config(), tmp_path / "m": config(algo="maddpg")}
    stream = io.StringIO()
    found = run_all(both, stream=stream)
    assert list(found) == [str(out) for out in both]
    alone = run(config(), tmp_path / "alone")
    for name in ("nominal_return", "perturbed_return"):
        assert found[str(tmp_path / "r")][name] == alone[name]
    lines = stream.getvalue()
    assert "rmaddpg, level 1, seed 0: 300 of 300 steps" in lines
    assert "\nmaddpg, level 1, seed 0: 300 of 300 steps" in lines


def test_a_failure_is_told_and_the_other_run_finishes(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(RuntimeError, match="out must be a new or an empty folder") as failure:
        run_all({tmp_path / "taken": config(), tmp_path / "free": config()}, stream=io.StringIO())
    assert "free" not in str(failure.value)
    assert (tmp_path / "free" / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX knows them")
def test_ctrl_c_lets_every_run_write_its_checkpoint(tmp_path: Path) -> None:
    runs = {tmp_path / name: config(steps=10_000_000, checkpoint_every=100, seed=k) for k, name in enumerate("ab")}

    def press() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if all((out / "checkpoints" / "last" / "checkpoint.json").exists() for out in runs):
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        run_all(runs, stream=io.StringIO())
    reached = {out: load_policy(out).num_timesteps for out in runs}
    assert all(steps % 25 == 0 for steps in reached.values()), "at the end of an episode"

    more = {out: replace(each, steps=reached[out] + 50) for out, each in runs.items()}
    for out, each in more.items():
        each.save(out / "config.json")
    found = run_all({**more, tmp_path / "new": config()}, resume=True, stream=io.StringIO())
    assert [each["steps"] for each in found.values()] == [*(steps + 50 for steps in reached.values()), 300]


def test_no_runs_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="configs must hold at least one run"):
        run_all({})
