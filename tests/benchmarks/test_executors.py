"""What two workers are worth on an evaluation of 10,000 episodes: `python tests/benchmarks/test_executors.py`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import gymnasium
import pytest

from robust_envs import Linf
from robust_envs.evaluation import evaluate
from robust_envs.executors import Executor, Processes, Ray

EPISODES = 10_000


def lean(observation: Any) -> int:
    return int(observation[2] + observation[3] > 0)


def make() -> Any:
    return gymnasium.make("CartPole-v1", max_episode_steps=100)


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    yield Processes(workers)


@contextmanager
def on_ray(workers: int) -> Iterator[Executor]:
    """A cluster that runs already, as clusters do."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        yield Ray()
    finally:
        ray.shutdown()


KINDS: dict[str, Callable[[int], AbstractContextManager[Executor]]] = {"processes": processes, "ray": on_ray}


def seconds(kind: str, workers: int, episodes: int) -> float:
    """Measure by the clock, start and end of the workers included."""
    with KINDS[kind](workers) as executor:
        begun = time.perf_counter()
        evaluate(lean, make, observation=Linf(0.1), levels=(1,), episodes=episodes, executor=executor)
        return time.perf_counter() - begun


def worth(kind: str, episodes: int = EPISODES, rounds: int = 3) -> float:
    """Return how many times as fast two workers are as one: the median of rounds that take turns."""
    found = []
    for _ in range(rounds):
        one, two = (seconds(kind, workers, episodes) for workers in (1, 2))
        found.append(one / two)
    return sorted(found)[rounds // 2]


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two workers need two cores")
@pytest.mark.parametrize("kind", KINDS)
def test_two_workers_are_nearly_twice_as_fast_as_one(kind: str) -> None:
    if kind == "ray":
        pytest.importorskip("ray")
    assert worth(kind, rounds=1) > 1.3  # the goal is 1.6; this is for a machine with other work


if __name__ == "__main__":
    for kind in sys.argv[1:] or KINDS:
        print(f"{kind}: two workers are {worth(kind):.2f} times as fast as one")
