# A test that looks for the smallest perturbation which breaks a policy, keeps it in a file, and plays it again.
"""Breaks a hand-written policy for CartPole, replays what broke it, and asks whether better sensors would allow it.

python examples/robust_test.py             (some ten seconds)
python examples/robust_test.py --episodes 4
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from robust_envs import Linf
from robust_envs.testing import (
    NotRobustError,
    assert_robust,
    load_counterexample,
    relative_return,
    replay_counterexample,
)


@dataclass(frozen=True)
class Lean:
    """Push towards where the pole falls."""

    rate: float

    def __call__(self, observation: Any) -> int:
        return int(observation[2] + self.rate * observation[3] > 0)


def make_env() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("CartPole-v1", max_episode_steps=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100, help="budget of the search")
    parser.add_argument("--out", type=Path, default=Path("counterexamples"), help="folder for what is found")
    options, _ = parser.parse_known_args()  # all examples are run with the same arguments

    # Sensors off by at most 0.05 m, 0.05 m/s, 0.1 rad and 0.5 rad/s.
    sensors = Linf(1.0, unit=(0.05, 0.05, 0.1, 0.5))
    holds = relative_return(0.9)  # of what the same start gives without perturbation
    searching = {"observation": sensors, "property": holds, "max_episodes": options.episodes, "folder": options.out}
    try:
        print(assert_robust(Lean(1.0), make_env, **searching))
    except NotRobustError as error:
        print(error)
        kept = load_counterexample(error.path)
        again = {"policy": Lean(1.0), "env_fn": make_env, "property": holds}
        print("\nplayed again:  ", replay_counterexample(kept, **again))
        print("better sensors:", replay_counterexample(kept, **again, channels={"observation": sensors.scaled(0.1)}))


if __name__ == "__main__":
    main()
