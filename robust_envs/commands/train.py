"""`robust-envs train`."""

from __future__ import annotations

import ast
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from algos.experiments import RunConfig

__all__ = ["train"]

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff]


def train(
    task: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="TASK", help_behavior_hint="")] = None,
    /,
    *,
    algo: Literal["rmaddpg", "maddpg", "matd3", "m3ddpg", "rmaac", "iql", "vdn", "qmix"] = "rmaddpg",
    level: float = 1.0,
    steps: int = 100_000,
    seed: int = 0,
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(help_behavior_hint="")] = (),
    backend: Literal["mpe2", "vmas"] = "mpe2",
    games: int = 128,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None,
    resume: Flag = False,
    env: Annotated[str | None, tyro.conf.arg(metavar="MODULE:FUNCTION", help_behavior_hint="")] = None,
    continuous: Flag = False,
    device: str = "auto",
    threads: int = 1,
    checkpoint_every: Annotated[int, tyro.conf.arg(metavar="STEPS")] = 25_000,
    schedule: Annotated[str | None, tyro.conf.arg(metavar="SHAPE", help_behavior_hint="")] = None,
    eval_every: Annotated[int, tyro.conf.arg(metavar="STEPS")] = 0,
    keep_best: Flag = False,
    compile: Flag = False,  # noqa: A002 - the flag's name
    precision: Literal["float32", "bfloat16"] = "float32",
    episodes: int = 100,
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE", help_behavior_hint="")] = (),  # noqa: A002 - the flag's name
) -> int:
    """Train a team of agents whose rewards are noisy, then test it in worlds that depart from the model.

    The run's folder gets config.json, provenance.json, metrics.csv, checkpoints, evaluation.json and summary.json.
    Ctrl-C writes a checkpoint at the end of the episode and says how to resume; so does a run that was killed, from
    its last checkpoint, with the numbers of a run that never stopped.

    Args:
        task: cooperative-navigation, keep-away, physical-deception or predator-prey.
        algo: The trainer; each has a page in the documentation.
        level: How noisy rewards are in training: standard deviation of a Gaussian cut at twice it; 0 for none.
        steps: Environment steps.
        seed: Of everything random.
        seeds: Several seeds, trained together in this process; each gets a folder of its own in --out.
        backend: One game of mpe2, as in the papers, or many of VMAS at once (its worlds differ a little).
        games: Games at once with VMAS, for each seed.
        out: Folder of the run; runs/TASK/ALGO-levelLEVEL-seedSEED by default.
        resume: Go on with a run from its last checkpoint; --out alone says which.
        env: Train on an environment of your own: package.module:function that builds a PettingZoo ParallelEnv.
        continuous: Continuous actions, on the tasks that have both.
        device: cpu, cuda, or auto.
        threads: Of torch; networks this small are fastest with 1.
        checkpoint_every: Environment steps between two checkpoints.
        schedule: How the level grows to --level: linear:0:1:0.5, cosine:0:1 or stairs:0:0.5:1, factors over the run.
        eval_every: Environment steps between evaluations of nominal and robust return; 0 for none.
        keep_best: Keep the policy with the best robust return in checkpoints/best.
        compile: Have torch.compile make the update; it needs a C++ compiler and minutes.
        precision: Of the products in an update.
        episodes: Of the test at the end, at each of three levels.
        set: Settings of the algorithm, e.g. --set nature=regression actor_learning_rate=0.001.
    """
    from algos.experiments import TASKS, Measurement, RunConfig, find_task

    given = {
        "task": task,
        "env": env,
        "algo": algo,
        "level": level,
        "steps": steps,
        "seed": seed,
        "continuous": continuous,
        "backend": backend,
        "games": games,
        "device": device,
        "threads": threads,
        "checkpoint_every": checkpoint_every,
        "schedule": schedule,
        "eval_every": eval_every,
        "keep_best": keep_best,
        "trainer": {**_faster(compile, precision), **_settings(set)},
        "measurement": Measurement(episodes=episodes),
    }
    if task is None and env is None and not (resume and out is not None):
        raise ValueError(f"TASK must be given: {', '.join(TASKS)}, or an environment of your own with --env")
    label = None if task is None and env is None else find_task(task, env=env).name
    which = f"seeds{'-'.join(map(str, seeds))}" if seeds else f"seed{seed}"
    kind = algo if backend == "mpe2" else f"{algo}-{backend}"
    folder = Path("runs", str(label).replace(":", "-"), f"{kind}-level{level:g}-{which}") if out is None else out
    begun = folder / f"seed{seeds[0]}" if seeds else folder
    config = _resumed(given, begun) if resume else RunConfig(**{**given, "task": label})  # type: ignore[arg-type]
    return _run_together(config, seeds, folder, resume=resume) if seeds else _run(config, folder, resume=resume)


def _run_together(config: RunConfig, seeds: Sequence[int], out: Path, *, resume: bool) -> int:
    from algos.experiments import measure_seeds, open_board, train_seeds
    from robust_envs.commands.screen import say, show_progress

    name = f"{config.algo}, level {config.level:g}, {len(seeds)} seeds"
    try:
        with open_board({name: config.steps}) as board:
            train_seeds(config, seeds, out, resume=resume, board=board)
        with show_progress("test") as progress:
            summaries = measure_seeds(out, seeds, progress=progress)
    except KeyboardInterrupt:
        say(f"stopped; to go on: {_resume_command(out, seeds)}")
        raise
    for seed, summary in zip(seeds, summaries, strict=True):
        nominal, perturbed = (summary[name]["mean"] for name in ("nominal_return", "perturbed_return"))
        say(f"seed {seed}: nominal return {nominal:.1f}, perturbed {perturbed:.1f}")
    say(f"{summaries[0]['env_steps_per_second']:,} steps/s of all seeds; all numbers in {out}")
    return 0


def _resumed(given: dict[str, Any], out: Path) -> RunConfig:
    """Take the run's own configuration, changed by what was said otherwise than by default."""
    from algos.experiments import RunConfig, RunFolder

    begun = RunFolder(out).read_config()
    usual = {**vars(RunConfig()), "task": None}
    return replace(begun, **{name: value for name, value in given.items() if value != usual[name]})


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise ValueError(f"set must be written NAME=VALUE, got {pair!r}")
        try:
            found[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            found[name] = text
    return found


def _faster(compiled: bool, precision: str) -> dict[str, Any]:
    asked = {"compile": compiled, "precision": precision}
    usual = {"compile": False, "precision": "float32"}
    return {name: value for name, value in asked.items() if value != usual[name]}


def _run(config: RunConfig, out: Path, *, resume: bool) -> int:
    from algos.experiments import measure, open_board
    from algos.experiments import train as train_run
    from robust_envs.commands.screen import say, show_progress

    try:
        with open_board({config.name: config.steps}) as board:
            train_run(config, out, resume=resume, board=board)
        with show_progress("test") as progress:
            summary = measure(out, progress=progress)
    except KeyboardInterrupt:
        say(f"stopped; to go on: {_resume_command(out)}")
        raise
    for name in ("nominal_return", "perturbed_return"):
        found = summary[name]
        low, high = found["interval_95"]
        say(f"{name.replace('_', ' ')} (level {found['level']:g}): {found['mean']:.1f} [{low:.1f}, {high:.1f}]")
    say(f"{summary['env_steps_per_second']:,} steps/s; all numbers in {out / 'summary.json'}")
    return 0


def _resume_command(out: Path, seeds: Sequence[int] = ()) -> str:
    program = ["robust-envs"] if Path(sys.argv[0]).stem == "robust-envs" else ["python", "-m", "robust_envs.cli"]
    several = ["--seeds", *map(str, seeds)] if seeds else []
    return shlex.join([*program, "train", "--resume", *several, "--out", str(out)])
