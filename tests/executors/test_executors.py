"""Work done elsewhere: all of it, each part once, whatever happens to workers."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from robust_envs.executors import Executor, LostWorkerError, Processes, make_executor
from robust_envs.executors.base import freeze, thaw


def squared(task: int, tell: Any) -> int:
    tell(f"squaring {task}")
    return task * task


def test_every_task_is_done_once_and_what_it_tells_is_heard(executor: Executor) -> None:
    heard: list[tuple[int | None, Any]] = []
    found = list(executor.run(squared, [5, 6, 7], hear=lambda number, told: heard.append((number, told))))
    assert sorted(found) == [(0, 25), (1, 36), (2, 49)]
    assert sorted(heard, key=str) == [(0, "squaring 5"), (1, "squaring 6"), (2, "squaring 7")]


def test_what_closes_over_something_travels_by_value(executor: Executor) -> None:
    offset = 10
    assert sorted(executor.run(lambda task, tell: task + offset, [1, 2])) == [(0, 11), (1, 12)]


def test_an_exception_of_the_work_is_raised_here(executor: Executor) -> None:
    def work(task: int, tell: Any) -> None:
        raise ValueError(f"no {task}")

    with pytest.raises(ValueError, match="no 3"):
        list(executor.run(work, [3]))


def test_a_worker_killed_in_the_middle_is_replaced_and_said(executor: Executor, tmp_path: Path) -> None:
    def work(task: int, tell: Any) -> int:
        if task == 1 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    heard: list[tuple[int | None, Any]] = []
    found = list(executor.run(work, [0, 1, 2, 3], hear=lambda *told: heard.append(told)))
    assert sorted(found) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert any(number is None and "a worker was lost" in told for number, told in heard)


def test_work_that_kills_every_worker_is_given_up(executor: Executor) -> None:
    def work(task: int, tell: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(LostWorkerError, match="begun 5 times"):
        list(executor.run(work, [0]))


def test_what_cannot_travel_is_said_before_anything_starts(executor: Executor) -> None:
    lock = threading.Lock()
    with pytest.raises(TypeError, match="picklable to travel to other processes"):
        list(executor.run(lambda task, tell: lock, [0]))


def test_ctrl_c_reaches_who_works_and_nothing_new_begins(tmp_path: Path) -> None:
    def work(task: int, tell: Any) -> None:
        tell("began")
        try:
            threading.Event().wait(60)
        except KeyboardInterrupt:
            (tmp_path / f"stopped {task}").touch()
            raise

    def press(number: int | None, told: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        list(Processes(1).run(work, [0, 1, 2], hear=press))
    assert [path.name for path in tmp_path.iterdir()] == ["stopped 0"]


def test_executors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_executor(None) is None
    assert make_executor("process") == Processes()
    mine = Processes(3)
    assert make_executor(mine) is mine
    with pytest.raises(
        ValueError, match="executor must be None, 'process', 'ray' or an executor, got executor='slurm'"
    ):
        make_executor("slurm")
    with pytest.raises(
        TypeError, match="executor must be None, 'process', 'ray' or an object with run, open and workers"
    ):
        make_executor(Processes)
    with pytest.raises(ValueError, match="workers must be >= 1, got workers=-1"):
        Processes(-1)


def test_work_is_thawed_with_the_threads_of_where_it_comes_from() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        frozen = freeze(lambda task, tell: task + 1)
        torch.set_num_threads(1)
        assert thaw(frozen)(1, print) == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
