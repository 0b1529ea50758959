"""Several runs at once, a process each, their progress on one board."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from algos.experiments.config import RunConfig
from algos.experiments.progress import Board, Silent, open_board
from algos.experiments.runs import RunFolder, run

__all__ = ["run_all"]

_PATIENCE = 0.5  # seconds between two looks at whether a silent process is alive


class _Message(NamedTuple):
    """What a process tells: "progress", "text", and at last "done", "stopped" or "failed"."""

    kind: str
    out: str
    value: Any = None


def run_all(
    configs: Mapping[str | os.PathLike[str], RunConfig], *, resume: bool = False, stream: TextIO | None = None
) -> dict[str, dict[str, Any]]:
    """Run several configurations at once, each in a process of its own.

    Args:
        configs: by folder.
        resume: go on with the runs that were begun, as `run` does, and begin the others.
        stream: where to show progress, standard output by default.

    Returns:
        The content of each summary.json, by folder.

    Raises:
        RuntimeError: when a run failed; the others are finished first, and the message holds its traceback.
        KeyboardInterrupt: after Ctrl-C, when every run has written its checkpoint.
    """
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    named = {os.fspath(out): config for out, config in configs.items()}
    processes: dict[str, BaseProcess] = {
        out: context.Process(target=_work, args=(config, out, resume, messages)) for out, config in named.items()
    }
    with open_board({_label(out, named): config.steps for out, config in named.items()}, stream=stream) as board:
        for process in processes.values():
            process.start()
        try:
            ends = _listen(board, named, processes, messages)
        except KeyboardInterrupt:
            _stop(processes)
            _listen(board, named, processes, messages)
            raise
    failed = {out: ends[out].value for out in named if ends[out].kind != "done"}
    if failed:
        raise RuntimeError("\n".join(f"the run in {out} failed: {why}" for out, why in failed.items()))
    return {out: ends[out].value for out in named}


def _label(out: str, named: Mapping[str, RunConfig]) -> str:
    name = named[out].name
    alone = sum(config.name == name for config in named.values()) == 1
    return name if alone else f"{name} ({out})"


def _listen(
    board: Board, named: Mapping[str, RunConfig], processes: Mapping[str, BaseProcess], messages: Any
) -> dict[str, _Message]:
    """Pass messages on to the board until every run has told its end, or died without a word."""
    ends: dict[str, _Message] = {}
    while len(ends) < len(processes):
        try:
            message = messages.get(timeout=_PATIENCE)
        except queue.Empty:
            for out, process in processes.items():
                if not process.is_alive() and out not in ends and messages.empty():
                    ends[out] = _Message("failed", out, f"its process ended with status {process.exitcode}")
            continue
        if message.kind == "progress":
            done, value = message.value
            board.update(_label(message.out, named), done, value=value)
        elif message.kind == "text":
            board.say(message.value)
        else:
            ends[message.out] = message
    for process in processes.values():
        process.join()
    return ends


def _stop(processes: Mapping[str, BaseProcess]) -> None:
    for process in processes.values():
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGINT)


class _Remote(Silent):
    """The board of a process: it sends to the parent's, and gives up when there is no parent any more."""

    def __init__(self, out: str, messages: Any) -> None:
        self._out, self._messages, self._parent = out, messages, os.getppid()

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        if os.getppid() != self._parent:
            raise KeyboardInterrupt
        self._messages.put(_Message("progress", self._out, (done, value)))

    def say(self, text: str) -> None:
        self._messages.put(_Message("text", self._out, text))


def _work(config: RunConfig, out: str, resume: bool, messages: Any) -> None:
    # Out of the terminal's reach: the parent hands Ctrl-C on, once, whoever sent it.
    with suppress(AttributeError, OSError):
        os.setsid()
    try:
        begun = RunFolder(Path(out)).config.exists()
        end = _Message("done", out, run(config, out, resume=resume and begun, board=_Remote(out, messages)))
    except KeyboardInterrupt:
        end = _Message("stopped", out, "it was interrupted")
    except Exception:
        end = _Message("failed", out, traceback.format_exc())
    messages.put(end)
