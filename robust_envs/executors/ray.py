"""Work on a Ray cluster: this machine, or many."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

from robust_envs.executors.base import Do, Hear, Work, check_attempts, freeze, thaw

__all__ = ["Ray"]

_PATIENCE = 0.2  # seconds between two looks at what workers tell


@dataclass(frozen=True)
class Ray:
    """Do tasks on a Ray cluster, one core each. Needs the extra `ray`.

    Where Ray runs already in this process, that cluster is used and left running. Every node needs robust-envs, and
    whatever the policy and the environment are made of; functions of the main script travel along.

    Args:
        address: Of a running cluster, such as ``"127.0.0.1:6379"`` or ``"auto"``; None starts one on this machine,
            without a dashboard and without usage reports, and ends it afterwards.
        options: For ``ray.init``.

    Raises:
        ModuleNotFoundError: If ray is not installed, when used.
        ConnectionError: If no cluster answers, when used.

    Example:
        >>> Ray("127.0.0.1:6379").address
        '127.0.0.1:6379'

    References:
        Philipp Moritz et al., 2018, Ray: A Distributed Framework for Emerging AI Applications.
    """

    address: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def workers(self) -> int:
        """Cores of the cluster."""
        with self._connected() as ray:
            return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def run(self, work: Work, tasks: Sequence[Any], *, hear: Hear | None = None) -> Iterator[tuple[int, Any]]:
        """Do all tasks, see `Executor`."""
        with self.open(work, hear=hear) as do:
            yield from do(tasks)

    @contextmanager
    def open(self, work: Work, *, hear: Hear | None = None) -> Iterator[Do]:
        """Stay connected for several batches of tasks, see `Executor`."""
        frozen = freeze(work)
        with self._connected() as ray:
            told = None if hear is None else _queue(ray)
            shared = ray.put(frozen)
            try:
                yield lambda tasks: _run(ray, shared, told, tasks, hear)
            finally:
                if told is not None:
                    told.shutdown()

    @contextmanager
    def _connected(self) -> Iterator[ModuleType]:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        import ray

        if ray.is_initialized():
            yield ray
            return
        own = {"include_dashboard": False} if self.address is None else {"address": self.address}
        ray.init(**{"log_to_driver": False, "logging_level": "ERROR", **own, **self.options})
        try:
            yield ray
        finally:
            ray.shutdown()


def _queue(ray: ModuleType) -> Any:
    """Return a queue that lives where the caller does: on another node it would die with it."""
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})


def _run(ray: ModuleType, shared: Any, told: Any, tasks: Sequence[Any], hear: Hear | None) -> Iterator[tuple[int, Any]]:
    # Ray would begin a lost task again by itself, and say nothing.
    do = ray.remote(num_cpus=1, max_retries=0)(_do)
    lost = dict.fromkeys(range(len(tasks)), 0)
    running = {do.remote(shared, told, number, task): number for number, task in enumerate(tasks)}
    try:
        while running:
            ended, _ = ray.wait(list(running), timeout=_PATIENCE if hear is not None else None)
            _pass_on(told, hear)
            for reference in ended:
                number = running.pop(reference)
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause if isinstance(error.cause, BaseException) else error) from None
                except ray.exceptions.RayError as error:
                    lost[number] += 1
                    check_attempts(lost[number], type(error).__name__, hear)
                    running[do.remote(shared, told, number, tasks[number])] = number
                else:
                    yield number, result
        _pass_on(told, hear)
    finally:
        for reference in running:
            ray.cancel(reference)  # raises KeyboardInterrupt there: who trains writes a checkpoint


def _pass_on(told: Any, hear: Hear | None) -> None:
    if hear is None:
        return
    with suppress(queue.Empty):
        while True:
            hear(*told.get_nowait())


def _do(frozen: bytes, told: Any, number: int, task: Any) -> Any:
    def tell(text: Any) -> None:
        if told is not None:
            told.put((number, text))

    return _thawed(frozen)(task, tell)


@lru_cache(maxsize=1)
def _thawed(frozen: bytes) -> Work:
    return thaw(frozen)
