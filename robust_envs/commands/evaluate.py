"""`robust-envs evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from robust_envs.commands.spreading import Cluster, Workers, chosen_executor
from robust_envs.files import write_atomic

__all__ = ["evaluate"]

Natures = tuple[Literal["uniform", "noise"], ...]


def evaluate(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    levels: tuple[float, ...] = (0.0, 0.5, 1.0),
    natures: Natures = ("uniform",),
    observation: float = 1.0,
    action: float = 0.4,
    reward: float = 0.0,
    episodes: int = 100,
    seed: int = 10_000,
    agents: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None,
    workers: Workers = None,
    ray: Cluster = None,
) -> int:
    """Test a trained run: its return, as observations, actions and rewards depart from the model.

    Prints a table and writes it to evaluate.csv, with every episode's return in evaluate.json.

    Args:
        run: Folder that `robust-envs train` made.
        levels: Factors on the three sizes below; 0 is the environment itself.
        natures: Who perturbs: uniform (anything within the radius alike) or noise (Gaussian, cut at the radius).
        observation: Radius of the noise on every number observed, at level 1.
        action: Discrete actions: probability of a random one instead. Continuous: radius of the noise. At level 1.
        reward: Radius of the noise on rewards, at level 1. Nominal and perturbed returns are told apart.
        episodes: For each nature and level.
        seed: Of the test; the same seed gives every policy the same starts and the same luck.
        agents: Show every agent, not only the team.
        out: Folder for the files, instead of the run's.
        workers: Processes to play in; the numbers are the same.
        ray: Address of a Ray cluster to play on.
    """
    from algos.experiments import Measurement, RunFolder, load_policy
    from robust_envs.commands.screen import say, show_evaluation, show_progress
    from robust_envs.evaluation import TEAM

    measurement = Measurement(
        levels=levels,
        natures=natures,
        observation=observation,
        action=action,
        reward=reward,
        episodes=episodes,
        seed=seed,
    )
    config, policy = RunFolder(run).read_config(), load_policy(run)
    executor = chosen_executor(workers, ray)
    with show_progress("episodes") as progress:
        found = measurement.evaluate(policy, config, executor=executor, progress=progress)
    rows = found.table(agents=None if agents else (TEAM,))
    if reward == 0:
        rows = tuple(row for row in rows if row.reward == "nominal")
    show_evaluation(rows, title=f"{config.env or config.task}: {config.name}, {episodes} episodes")
    folder = run if out is None else out
    write_atomic(folder / "evaluate.csv", found.to_csv())
    found.save(folder / "evaluate.json")
    say(f"written: {folder / 'evaluate.csv'}, {folder / 'evaluate.json'}")
    return 0
