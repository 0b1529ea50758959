"""What an executor is, and how one is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

__all__ = ["ATTEMPTS", "Do", "Executor", "Hear", "LostWorkerError", "Work", "check_attempts", "freeze", "make_executor"]

Work = Callable[[Any, Callable[[Any], None]], Any]
"""Takes a task and a function that tells the caller how far it is; gives the result."""
Hear = Callable[[int | None, Any], None]
"""Takes the number of a task (None: the executor itself speaks) and what was told."""

Do = Callable[[Sequence[Any]], Iterator[tuple[int, Any]]]
"""Does a batch of tasks and yields (number of the task, result) as they end."""

ATTEMPTS = 5
"""How often work is begun, where workers die under it, before an executor gives up."""


class LostWorkerError(RuntimeError):
    """Workers died under the same task again and again."""


@runtime_checkable
class Executor(Protocol):
    """Somewhere to do independent tasks. The result of a task may not depend on where or in which order it is done."""

    @property
    def workers(self) -> int:
        """Tasks done at a time."""
        ...

    def run(self, work: Work, tasks: Sequence[Any], *, hear: Hear | None = None) -> Iterator[tuple[int, Any]]:
        """Do all tasks and yield (number of the task, result) as they end; each exactly once.

        A task whose worker died is begun again on another one, and `hear` is told so in words. An exception of the work
        is raised here.
        """
        ...

    def open(self, work: Work, *, hear: Hear | None = None) -> AbstractContextManager[Do]:
        """Get ready for several batches of tasks of one kind: inside, what `run` does is done without a new start."""
        ...


def make_executor(executor: Any) -> Executor | None:
    """Turn what a user said into an executor.

    Args:
        executor: ``None`` (in this process), ``"process"``, ``"ray"``, or an object with `run`, `open` and `workers`.

    Raises:
        ValueError: for a name that is not known.
        TypeError: for anything else.

    Example:
        >>> make_executor("process").workers == (os.cpu_count() or 1)
        True
    """
    from robust_envs.executors.processes import Processes
    from robust_envs.executors.ray import Ray

    if executor is None or (isinstance(executor, Executor) and not isinstance(executor, type)):
        return executor
    if not isinstance(executor, str):
        raise TypeError(
            f"executor must be None, 'process', 'ray' or an object with run, open and workers, got {executor!r}"
        )
    known: dict[str, Callable[[], Executor]] = {"process": Processes, "ray": Ray}
    if executor not in known:
        raise ValueError(f"executor must be None, 'process', 'ray' or an executor, got executor={executor!r}")
    return known[executor]()


def freeze(work: Work) -> bytes:
    """Turn work into bytes that another process can call; functions of the main script travel by value.

    Raises:
        TypeError: when something in it cannot travel.
    """
    import cloudpickle

    try:
        frozen: bytes = cloudpickle.dumps((work, _threads()))
    except Exception as error:  # whatever an object raises that does not want to be copied
        reason = f"{type(error).__name__}: {error}"
        raise TypeError(
            f"policy and environment must be picklable to travel to other processes, got {reason}"
        ) from error
    return frozen


def thaw(frozen: bytes) -> Work:
    """Turn the bytes back, and let torch use as many threads as in the process they come from: sums depend on it."""
    import cloudpickle

    work, threads = cloudpickle.loads(frozen)
    if threads is not None and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    return work  # type: ignore[no-any-return]


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def check_attempts(lost: int, why: str, hear: Hear | None) -> None:
    """Say that a worker was lost; raise LostWorkerError when that happened too often under the same work."""
    if lost >= ATTEMPTS:
        raise LostWorkerError(f"the same work was begun {lost} times, and every time its worker was lost: {why}")
    if hear is not None:
        hear(None, f"a worker was lost ({why}); what it was doing is begun again")


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
