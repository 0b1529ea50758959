"""`robust-envs curve`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from robust_envs.commands.evaluate import Natures
from robust_envs.commands.spreading import Cluster, Workers, chosen_executor
from robust_envs.files import write_atomic

if TYPE_CHECKING:
    from algos.experiments import RunConfig

__all__ = ["curve", "same_method"]


def curve(
    runs: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="")
    ],
    /,
    *,
    levels: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0),
    natures: Natures = ("uniform",),
    observation: float = 1.0,
    action: float = 0.4,
    reward: float = 0.0,
    episodes: int = 100,
    seed: int = 10_000,
    random: bool = True,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("curve"),
    workers: Workers = None,
    ray: Cluster = None,
) -> int:
    """Draw how the return of trained runs falls as the world departs from the model, run beside run.

    All runs meet the same starts and the same luck. Runs that differ in nothing but the seed are drawn together, with
    their mean and its interval over seeds. Prints a table; writes curve.csv, curve.json and curve.png, and seeds.csv
    where there are runs to average.

    Args:
        runs: Folders that `robust-envs train` made, of one task.
        levels: Factors on the three sizes below; 0 is the environment itself.
        natures: Who perturbs: uniform (anything within the radius alike) or noise (Gaussian, cut at the radius).
        observation: Radius of the noise on every number observed, at level 1.
        action: Discrete actions: probability of a random one instead. Continuous: radius of the noise. At level 1.
        reward: Radius of the noise on rewards, at level 1. Nominal and perturbed returns are told apart.
        episodes: For each run, nature and level.
        seed: Of the test.
        random: Draw a policy that acts at random as well.
        out: Folder for the files.
        workers: Processes to play in; the numbers are the same.
        ray: Address of a Ray cluster to play on.
    """
    from algos.experiments import Measurement, RunFolder
    from robust_envs.commands.screen import say, show_curve, show_methods, show_progress
    from robust_envs.evaluation import RandomPolicy, over_training_seeds, plot_curve
    from robust_envs.evaluation.results import save_csv

    measurement = Measurement(
        levels=levels,
        natures=natures,
        observation=observation,
        action=action,
        reward=reward,
        episodes=episodes,
        seed=seed,
    )
    configs = [RunFolder(path).read_config() for path in runs]
    _check_one_task(runs, configs)
    policies = _named(runs, configs)
    methods = same_method(policies, configs)
    if random:
        policies["random"] = RandomPolicy(configs[0].make_env())
    executor = chosen_executor(workers, ray)
    with show_progress("episodes") as progress:
        found = measurement.curve(policies, configs[0], executor=executor, progress=progress)
    show_curve(found)
    write_atomic(out / "curve.csv", found.to_csv())
    found.save(out / "curve.json")
    written = [out / "curve.csv", out / "curve.json"]
    if methods:
        points = over_training_seeds(found, methods)
        show_methods(points, title=found.title)
        written.append(save_csv(out / "seeds.csv", points))
    say(f"written: {', '.join(map(str, written))}")
    plot_curve(found, out / "curve.png", methods=methods)
    say(f"written: {out / 'curve.png'}")
    return 0


def _named(runs: Sequence[Path], configs: Sequence[RunConfig]) -> dict[str, Any]:
    """Load the policies, each under its run's name; the folder is added where two runs have one name."""
    from algos.experiments import load_policy

    names = [config.name for config in configs]
    unique = [name if names.count(name) == 1 else f"{name} ({path})" for name, path in zip(names, runs, strict=True)]
    if len(set(unique)) < len(unique):
        raise ValueError(f"runs must be different folders, got {', '.join(map(str, runs))}")
    return {name: load_policy(path) for name, path in zip(unique, runs, strict=True)}


def same_method(names: Iterable[str], configs: Sequence[RunConfig]) -> dict[str, list[str]]:
    """Find the runs that differ in nothing but the seed: for each such method the names of its runs."""
    alike: dict[str, list[tuple[RunConfig, str]]] = {}
    for name, config in zip(names, configs, strict=False):  # behind the runs stands the random policy
        alike.setdefault(str(replace(config, seed=0)), []).append((config, name))
    several = [group for group in alike.values() if len({config.seed for config, _ in group}) == len(group) > 1]
    called = [group[0][0].method for group in several]
    return {
        label if called.count(label) == 1 else f"{label} ({group[0][1]}, ...)": [name for _, name in group]
        for label, group in zip(called, several, strict=True)
    }


def _check_one_task(runs: Sequence[Path], configs: Sequence[RunConfig]) -> None:
    if not runs:
        raise ValueError("runs must name at least one run, got none")
    for path, config in zip(runs, configs, strict=True):
        mine, first = ((each.task, each.env, each.continuous) for each in (config, configs[0]))
        if mine != first:
            raise ValueError(
                f"runs must be of one task, got {first[1] or first[0]} in {runs[0]} and {mine[1] or mine[0]} in {path}"
                + (" (discrete and continuous actions)" if mine[:2] == first[:2] else "")
            )
