"""Several runs at once, a process each, their progress on one board."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from algos.experiments.config import RunConfig
from algos.experiments.progress import Teller, open_board
from algos.experiments.runs import RunFolder, run
from robust_envs.executors import Processes

__all__ = ["run_all"]


def run_all(
    configs: Mapping[str | os.PathLike[str], RunConfig], *, resume: bool = False, stream: TextIO | None = None
) -> dict[str, dict[str, Any]]:
    """Run several configurations at once, each in a process of its own.

    A run whose process is lost goes on from its last checkpoint in another one.

    Args:
        configs: by folder, at least one.
        resume: go on with the runs that were begun, as `run` does, and begin the others.
        stream: where to show progress, standard output by default.

    Returns:
        The content of each summary.json, by folder.

    Raises:
        ValueError: when there are no configurations.
        RuntimeError: when a run failed; the others are finished first, and the message holds its traceback.
        KeyboardInterrupt: after Ctrl-C, when every run has written its checkpoint.
    """
    named = {os.fspath(out): config for out, config in configs.items()}
    if not named:
        raise ValueError("configs must hold at least one run, got {}")
    labels = [_label(out, named) for out in named]
    tasks = [_Task(out, config, resume or not _begun(out)) for out, config in named.items()]
    steps = {label: config.steps for label, config in zip(labels, named.values(), strict=True)}
    with open_board(steps, stream=stream) as board:

        def hear(number: int | None, told: Any) -> None:
            if number is None or isinstance(told, str):
                board.say(told)
            else:
                board.update(labels[number], told[0], value=told[1])

        ends = dict(Processes(len(tasks)).run(_work, tasks, hear=hear))
    failed = [f"the run in {task.out} failed: {ends[k].why}" for k, task in enumerate(tasks) if ends[k].why]
    if failed:
        raise RuntimeError("\n".join(failed))
    return {task.out: ends[k].summary for k, task in enumerate(tasks)}


class _Task(NamedTuple):
    out: str
    config: RunConfig
    resume: bool  # whether what is in the folder is ours to go on with


class _End(NamedTuple):
    summary: dict[str, Any]
    why: str


def _work(task: _Task, tell: Callable[[Any], None]) -> _End:
    """Run, or go on with, one configuration."""
    try:
        return _End(run(task.config, task.out, resume=task.resume and _begun(task.out), board=Teller(tell)), "")
    except Exception:  # one run that fails must not end the others
        return _End({}, traceback.format_exc())


def _begun(out: str) -> bool:
    return RunFolder(Path(out)).config.exists()


def _label(out: str, named: Mapping[str, RunConfig]) -> str:
    name = named[out].name
    alone = sum(config.name == name for config in named.values()) == 1
    return name if alone else f"{name} ({out})"
