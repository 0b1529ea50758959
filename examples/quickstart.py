# Train two teams under noisy rewards; test both, and chance, in worlds that depart from the model, on the same luck.
"""Trains R-MADDPG and MADDPG on cooperative navigation in two processes, then draws how their returns fall.

python examples/quickstart.py              (some three minutes on two cores)
python examples/quickstart.py --steps 5000 (to see it run)
"""

import argparse
from pathlib import Path

from algos.experiments import RunConfig, load_policy, open_board, run_all
from robust_envs import Linf, Switch
from robust_envs.evaluation import RandomPolicy, paired_difference, plot_curve, robustness_curve

# Level 1: every observation is off by up to 1, and four actions in ten are random. Level 2: twice that.
DEPARTURE = {"observation": Linf(1.0), "action": Switch(0.4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150_000, help="environment steps of training, for each algorithm")
    parser.add_argument("--episodes", type=int, default=100, help="episodes behind each point of the curve")
    parser.add_argument("--out", type=Path, default=Path("quickstart"), help="folder for the results")
    options = parser.parse_args()

    runs = {
        options.out / algo: RunConfig(task="cooperative-navigation", algo=algo, level=1.0, steps=options.steps)
        for algo in ("rmaddpg", "maddpg")
    }
    try:
        run_all(runs, resume=True)
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on from here") from None

    make_env = next(iter(runs.values())).make_env
    policies = {config.algo: load_policy(folder) for folder, config in runs.items()}
    policies["random"] = RandomPolicy(make_env())
    title = f"cooperative navigation, trained for {options.steps:,} steps under reward noise of level 1"
    levels = (0.0, 0.5, 1.0, 1.5, 2.0)
    settings = {"levels": levels, "episodes": options.episodes, "title": title, **DEPARTURE}
    with open_board({"test": len(policies) * len(levels) * options.episodes}, unit="episodes") as board:
        curve = robustness_curve(policies, make_env, progress=lambda done, _: board.update("test", done), **settings)

    print(f"\n{title}\n{curve}\n")
    for name in ("maddpg", "random"):
        gaps = paired_difference(curve.evaluations["rmaddpg"], curve.evaluations[name])
        shown = ", ".join(f"{gap.mean:+.1f} [{gap.low:+.1f}, {gap.high:+.1f}]" for gap in gaps)
        print(f"rmaddpg minus {name}, level by level: {shown}")
    curve.save(options.out / "curve.json")
    plot_curve(curve, options.out / "curve.png")
    print(f"written: {options.out / 'curve.json'}, {options.out / 'curve.png'}")


if __name__ == "__main__":
    main()
