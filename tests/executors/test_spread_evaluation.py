"""An evaluation is the same wherever its episodes are played."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from robust_envs import L2, Linf, Noise, Uniform, per_episode, scheduled
from robust_envs.evaluation import evaluate
from robust_envs.evaluation.spreading import shares
from robust_envs.executors import Executor, Processes

NATURES = {
    "uniform": Uniform(),
    # counts the episodes before it: a worker that begins in the middle must count those of others
    "growing": scheduled(Noise(), curriculum=[(0, 0.1), (8, 1.0)]),
}


def lean(observation: Any) -> int:
    return int(observation[2] + observation[3] > 0)


def make() -> Any:
    return gymnasium.make("CartPole-v1", max_episode_steps=60)


def measured(**changes: Any) -> Any:
    usual = {
        "observation": Linf(1.5),
        "reward": Linf(1.0),
        "natures": NATURES,
        "levels": (0, 1),
        "episodes": 9,
        "seed": 3,
    }
    return evaluate(lean, make, **{**usual, **changes})


def test_returns_are_those_of_one_process(executor: Executor) -> None:
    assert measured(executor=executor) == measured()


def test_a_budget_over_the_episode_and_a_fixed_start_travel_too() -> None:
    asked = {"reward": None, "observation": per_episode(L2(3.0), horizon=60), "natures": Uniform(), "env_seed": 5}
    assert measured(executor=Processes(2), **asked) == measured(**asked)


def test_a_worker_killed_in_the_middle_changes_nothing(executor: Executor, tmp_path: Path) -> None:
    once = tmp_path / "killed"

    def fatal(observation: Any) -> int:
        if not once.exists() and os.getpid() != home:
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return lean(observation)

    home = os.getpid()
    asked = {"observation": Linf(1.5), "levels": (0, 1), "episodes": 6}
    found = evaluate(fatal, make, executor=executor, **asked)
    assert once.exists()
    assert found == evaluate(lean, make, **asked)


def test_progress_counts_every_episode_once(executor: Executor) -> None:
    seen: list[tuple[int, int]] = []
    measured(executor=executor, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (27, 27)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("episodes", [1, 7, 100])
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_shares_cover_every_episode_once_and_in_order(episodes: int, workers: int) -> None:
    places = [("", 0.0), ("uniform", 1.0)]
    found = [
        (name, level, k) for name, level, first, stop in shares(places, episodes, workers) for k in range(first, stop)
    ]
    assert found == [(*place, k) for place in places for k in range(episodes)]
