"""Work in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from robust_envs.executors.base import Do, Hear, Work, check_attempts, cores, freeze, thaw
from robust_envs.numbers import whole

__all__ = ["Processes"]


@dataclass(frozen=True)
class Processes:
    """Do tasks in several processes, each started afresh.

    Args:
        workers: Processes at a time, >= 1; as many as there are cores by default.

    Raises:
        ValueError: If workers < 1.
        TypeError: If workers is no whole number.

    Example:
        >>> Processes(2).workers
        2
    """

    workers: int = field(default_factory=cores)

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", whole("workers", self.workers, least=1))

    def run(self, work: Work, tasks: Sequence[Any], *, hear: Hear | None = None) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `Executor`."""
        with self.open(work, hear=hear) as do:
            yield from do(tasks)

    @contextmanager
    def open(self, work: Work, *, hear: Hear | None = None) -> Iterator[Do]:
        """Keep the processes for several batches of tasks, see `Executor`."""
        crew = _Crew(self.workers, freeze(work), hear)
        with _listening(crew.told, hear):
            try:
                yield crew.run
            except BaseException:  # Ctrl-C above all: hand it on, so that who trains writes a checkpoint
                crew.interrupt()
                raise
            finally:
                crew.close()


class _Crew:
    """The processes, started when there is work, and anew when one of them is lost."""

    def __init__(self, workers: int, frozen: bytes, hear: Hear | None) -> None:
        self._context = multiprocessing.get_context("spawn")
        self.told, self._stop = self._context.Queue(), self._context.Event()
        self._workers, self._frozen, self._hear = workers, frozen, hear
        self._pool: ProcessPoolExecutor | None = None

    def run(self, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        left, lost = set(range(len(tasks))), 0
        while left:
            before, pool = len(left), self._started()
            futures = {pool.submit(_do, number, tasks[number]): number for number in sorted(left)}
            for number, result in _ends(futures):
                left.discard(number)
                yield number, result
            if left:  # a pool breaks as a whole, and nobody knows under whom
                self.close()
                lost = 1 if len(left) < before else lost + 1
                check_attempts(lost, "a process was killed, or out of memory", self._hear)

    def interrupt(self) -> None:
        """Stop who works, and let nobody begin."""
        self._stop.set()
        for child in multiprocessing.active_children():
            with suppress(ProcessLookupError):
                os.kill(child.pid or 0, signal.SIGINT)

    def close(self) -> None:
        """End the processes when they have done what they are doing."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            arguments = (self._frozen, self.told, self._stop)
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=self._context, initializer=_start, initargs=arguments
            )
        return self._pool


def _ends(futures: dict[Future[Any], int]) -> Iterator[tuple[int, Any]]:
    """Yield what was done; leave out what was lost with its process."""
    for future in as_completed(futures):
        with suppress(BrokenProcessPool):
            yield futures[future], future.result()


@contextmanager
def _listening(told: Any, hear: Hear | None) -> Iterator[None]:
    """Pass on what workers tell, from a thread; all of it before the end."""
    if hear is None:
        yield
        return
    over = threading.Event()

    def listen() -> None:
        while True:
            try:
                number, text = told.get(timeout=0.1)
            except queue.Empty:
                if over.is_set():
                    return
                continue
            hear(number, text)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Here:
    """What a process of the pool keeps between its tasks."""

    work: Work
    told: Any
    stop: Any
    parent: int


def _start(frozen: bytes, told: Any, stop: Any) -> None:
    with suppress(AttributeError, OSError):
        os.setsid()  # out of the terminal's reach: the parent hands Ctrl-C on, once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but to who works
    _Here.work, _Here.told, _Here.stop, _Here.parent = staticmethod(thaw(frozen)), told, stop, os.getppid()


def _do(number: int, task: Any) -> Any:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _Here.stop.is_set():
            raise KeyboardInterrupt
        return _Here.work(task, lambda text: _tell(number, text))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if _orphaned():  # nobody will ask for anything any more
            os._exit(1)


def _tell(number: int, text: Any) -> None:
    """Tell the parent, or give up as after Ctrl-C where there is none any more."""
    if _orphaned():
        raise KeyboardInterrupt
    _Here.told.put((number, text))


def _orphaned() -> bool:
    return os.getppid() != _Here.parent
