"""What the test of a cluster runs in a process of its own: `two_nodes.py ADDRESS same|SECONDS`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gymnasium

from robust_envs import Linf
from robust_envs.evaluation import evaluate
from robust_envs.executors import Ray


def lean(observation: Any) -> int:
    return int(observation[2] + observation[3] > 0)


def make() -> Any:
    return gymnasium.make("CartPole-v1", max_episode_steps=60)


def work(task: float, tell: Any) -> str:
    import ray

    tell("began")
    time.sleep(task)
    return str(ray.get_runtime_context().get_node_id())


def say(*words: Any) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(address: str, what: str) -> None:
    if what == "same":
        asked: dict[str, Any] = {"observation": Linf(1.0), "levels": (0, 1), "episodes": 20}
        there, here = (evaluate(lean, make, executor=executor, **asked) for executor in (Ray(address), None))
        say(json.dumps([Ray(address).workers, there == here]))
        return
    found = dict(Ray(address).run(work, [float(what)] * 2, hear=lambda number, told: say(number, told)))
    say(json.dumps([len(found), len(set(found.values()))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
