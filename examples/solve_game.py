# Solve a game exactly as nature gets more room, and watch the players leave teamwork at the threshold theory gives.
"""Coordination under risk: working together pays 2 instead of 1, but only working together can break down.

python examples/solve_game.py               (half a minute)
python examples/solve_game.py --episodes 20 (fewer episodes in nature's world)
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from algos.tabular import is_equilibrium, radius_path
from algos.tabular.plots import plot_path
from robust_envs import Contamination
from robust_envs.envs import MarkovGame, MarkovGameEnv, exposure, named_game

NAME = "coordination-under-risk"


def play(world: MarkovGame, policies: tuple[np.ndarray, ...], episodes: int, steps: int) -> tuple[float, float]:
    """Play pure policies in a world; return the first player's mean discounted return and half its 95% interval."""
    env, returns = MarkovGameEnv(world, horizon=steps), np.zeros(episodes)
    for seed in range(episodes):
        observations, _ = env.reset(seed=seed)
        for t in range(steps):
            actions = {a: int(p[observations[a]].argmax()) for a, p in zip(env.agents, policies, strict=True)}
            observations, rewards, *_ = env.step(actions)
            returns[seed] += world.discount**t * rewards["player_0"]
    return returns.mean(), 1.96 * returns.std() / episodes**0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=300, help="episodes played in nature's worst world")
    parser.add_argument("--steps", type=int, default=150, help="longest episode")
    parser.add_argument("--out", type=Path, default=Path("solve_game.png"), help="the picture")
    options = parser.parse_args()

    game, risky = named_game(NAME), exposure(NAME)
    radii = np.unique(np.append(np.linspace(0, 0.2, 11), [1 / 9 - 1e-6, 1 / 9 + 1e-6]))
    path = radius_path(game, radii, transition_set=lambda radius: Contamination(radius * risky))
    together = path.policy(0)[:, 0] > 0.5
    print(f"they work together up to {radii[together].max():.6f}; theory says 1/9 = {1 / 9:.6f}")
    for radius, found in zip(path.radii[::3], path.solutions[::3], strict=True):
        assert is_equilibrium(game, found.policies, transition_set=Contamination(radius * risky), tolerance=1e-8)
        worst = replace(game, transitions=Contamination(radius * risky).worst_case([1.0, 0.0], game.transitions)[1])
        mean, half = play(worst, found.policies, options.episodes, min(options.steps, 150))
        print(
            f"radius {radius:.3f}: worth {found.values[0, 0]:.3f}; played in the worst world {mean:.3f} +- {half:.3f}"
        )
    plot_path(path, options.out, title="Coordination under risk")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
