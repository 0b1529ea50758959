"""Train an example as long as it says, and print a row of docs/integrations/long_runs.md.

In the environment of its library (tests/interop/stacks.py makes them), from the root of the repository:

    python tests/interop/long_runs.py cleanrl passive
    python tests/interop/long_runs.py cleanrl agents

The returns are those of the team under its nominal reward, per agent, over the first and the last fifth of the episodes
that were played to their end. Training explores and is perturbed, so they are no measure of what was learned.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray reads it when it is imported
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
import pytest
from mpe2._mpe_utils.simple_env import SimpleEnv
from trained import Watched, example

from robust_envs import AsAgents, Uniform

CYCLES = 25


def record(patch: pytest.MonkeyPatch) -> list[list[float]]:
    """Keep the nominal rewards of every world that is stepped, by episode."""
    episodes: list[list[float]] = []
    stepped, reset = SimpleEnv._execute_world_step, SimpleEnv.reset

    def step(self):
        stepped(self)
        self.kept_rewards.append(float(np.mean(list(self.rewards.values()))))

    def begin(self, *args, **options):
        self.kept_rewards = []
        episodes.append(self.kept_rewards)
        return reset(self, *args, **options)

    patch.setattr(SimpleEnv, "_execute_world_step", step)
    patch.setattr(SimpleEnv, "reset", begin)
    return episodes


def main(library: str, nature: str) -> None:
    warnings.filterwarnings("ignore")
    patch = pytest.MonkeyPatch()
    episodes, watched, module = record(patch), Watched(patch), example(library)
    players = Uniform() if nature == "passive" else getattr(module, "NATURES", AsAgents())
    steps = inspect.signature(module.train).parameters["steps"].default
    os.chdir(tempfile.mkdtemp())
    wall, busy = time.perf_counter(), time.process_time()
    watched.train(module, steps, players)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    returns = [sum(episode) for episode in episodes if len(episode) >= CYCLES]
    part = max(len(returns) // 5, 1)
    changed = all(watched.changed_by(optimizer) for optimizer in watched.optimizers)
    print(  # noqa: T201
        f"| {library} | {nature} | {steps} | {sum(map(len, episodes))} | {wall:.0f} | {busy:.0f} "
        f"| {np.mean(returns[:part]):.1f} | {np.mean(returns[-part:]):.1f} | {'all' if changed else 'not all'} |"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
