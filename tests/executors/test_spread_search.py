"""A search finds the same wherever its episodes are played."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from robust_envs import Linf
from robust_envs.executors import Executor, Processes
from robust_envs.testing import falsify, returns_at_least


def lean(observation: Any) -> int:
    return int(observation[2] + observation[3] > 0)


def make() -> Any:
    return gymnasium.make("CartPole-v1", max_episode_steps=80)


def hunted(**changes: Any) -> dict[str, Any]:
    usual = {"observation": Linf(0.05), "property": returns_at_least(80), "max_episodes": 60, "seed": 1}
    found = falsify(lean, make, **{**usual, **changes})
    return found.to_json()


@pytest.mark.parametrize("radius", [0.05, 0.3])
def test_what_is_found_and_how_it_is_told_is_the_same(executor: Executor, radius: float) -> None:
    here = hunted(observation=Linf(radius))
    assert here["found"] == (radius == 0.3)
    assert hunted(observation=Linf(radius), executor=executor) == here


@pytest.mark.parametrize("search", ["cem", "signs", "steer", "segments", "noise"])
def test_every_search_that_repeats_itself_is_the_same(search: str) -> None:
    asked = {"search": search, "max_episodes": 30, "shrink_rules": 0, "shrink_traces": 0}
    assert hunted(executor=Here(5), **asked) == hunted(**asked)


class Here:
    """An executor that is none, and counts how many were asked for together."""

    def __init__(self, workers: int) -> None:
        self.workers, self.batches = workers, []

    def run(self, work: Any, tasks: Any, *, hear: Any = None) -> Any:
        raise NotImplementedError

    def open(self, work: Any, *, hear: Any = None) -> Any:
        from contextlib import nullcontext

        def do(tasks: Any) -> Any:
            self.batches.append(len(tasks))
            return [(number, work(task, print)) for number, task in reversed(list(enumerate(tasks)))]

        return nullcontext(do)


def test_natures_are_played_side_by_side_and_none_beyond_the_budget() -> None:
    executor = Here(5)
    hunted(executor=executor, max_episodes=33, search="signs")
    assert executor.batches == [20, 13]
    learning = Here(50)
    hunted(executor=learning, max_episodes=30, search="cem")
    assert learning.batches == [12, 12, 6], "a population at a time"


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    home, once = os.getpid(), tmp_path / "killed"

    def fatal(observation: Any) -> int:
        if os.getpid() != home and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return lean(observation)

    asked = {"observation": Linf(0.3), "property": returns_at_least(80), "max_episodes": 30, "seed": 1}
    found = falsify(fatal, make, executor=Processes(2), **asked).to_json()
    assert once.exists()
    expected = falsify(lean, make, **asked).to_json()
    assert {**found, "counterexample": None} == {**expected, "counterexample": None}
