"""A run in a folder: train, checkpoint, resume, test, write down."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.logger import Logger

from algos.deep import SideBySide
from algos.deep.memory import keep_memory
from algos.experiments.algorithms import ALGORITHMS, Trainer
from algos.experiments.config import RunConfig
from algos.experiments.metrics import MetricsFile
from algos.experiments.progress import Board, Silent
from algos.experiments.provenance import provenance
from algos.experiments.watch import LatestReturn, Watch, callbacks_of
from robust_envs.evaluation import Evaluation, Summary
from robust_envs.files import write_json

__all__ = ["RunFolder", "load_policy", "measure", "run", "train"]

_LOG_INTERVAL = 40
_WATCHING = ("eval_every", "eval_episodes", "keep_best")  # training does not notice it
_MAY_CHANGE = ("steps", "device", "threads", "checkpoint_every", "measurement", *_WATCHING)


@dataclass(frozen=True)
class RunFolder:
    """Name the files of a run.

    Args:
        path: of the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """What was asked for."""
        return self.path / "config.json"

    @property
    def provenance(self) -> Path:
        """Where the numbers come from."""
        return self.path / "provenance.json"

    @property
    def metrics(self) -> Path:
        """Numbers over the course of training."""
        return self.path / "metrics.csv"

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint: a folder, replaced atomically."""
        return self.path / "checkpoints" / "last"

    @property
    def best(self) -> Path:
        """The policy with the best robust return so far, where it is kept."""
        return self.path / "checkpoints" / "best"

    @property
    def clock(self) -> Path:
        """Seconds of training by environment steps, for what a resumed run took in all."""
        return self.path / "checkpoints" / "clock.json"

    @property
    def evaluation(self) -> Path:
        """Every return of the final test."""
        return self.path / "evaluation.json"

    @property
    def summary(self) -> Path:
        """The run in a few numbers."""
        return self.path / "summary.json"

    def read_config(self) -> RunConfig:
        """Read the configuration back.

        Raises:
            ValueError: when there is none, or it is damaged.
        """
        if not self.config.is_file():
            raise ValueError(f"run must be a folder that robust-envs train made, got {self.path} without config.json")
        try:
            return RunConfig.load(self.config)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.config} is damaged: {error}") from error

    def check_new(self) -> None:
        """Raise ValueError unless the folder is new or empty."""
        if self.config.exists():
            raise ValueError(f"out must be a new folder, got {self.path} which holds a run: resume it, or name another")
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(f"out must be a new or an empty folder, got {self.path}")

    def check_begun(self, config: RunConfig) -> None:
        """Raise ValueError unless a run was begun here that agrees in all that decides the numbers of training."""
        begun = self.read_config()
        for name in (field.name for field in fields(RunConfig)):
            mine, theirs = getattr(config, name), getattr(begun, name)
            if name not in _MAY_CHANGE and mine != theirs:
                raise ValueError(f"{name} must be {theirs!r}, as the run in {self.path} was begun with, got {mine!r}")
        if config.schedule is not None and config.steps != begun.steps:
            raise ValueError(f"steps must be {begun.steps}, over which the level grows, got steps={config.steps}")
        if config.steps < begun.steps:
            raise ValueError(f"steps must be >= {begun.steps}, as the run was begun with, got steps={config.steps}")

    def seconds_at(self, steps: int) -> float:
        """Tell how long training had taken when a checkpoint was written."""
        if not self.clock.exists():
            return 0.0
        known = json.loads(self.clock.read_text())
        return max((seconds for at, seconds in known.items() if int(at) <= steps), default=0.0)


def run(
    config: RunConfig, out: str | os.PathLike[str], *, resume: bool = False, board: Board | None = None
) -> dict[str, Any]:
    """Train, test, and write everything into a folder.

    Args:
        config: what to run.
        out: the folder, new or empty; with `resume` the folder of a run begun with this configuration.
        resume: go on from the last checkpoint (from the start when there is none yet). The numbers are those of an
            uninterrupted run.
        board: where to show progress.

    Returns:
        The content of summary.json.

    Raises:
        ValueError: for a folder that is not new, a damaged checkpoint, a device that is not there, and so on.
        KeyboardInterrupt: after Ctrl-C, at the end of the episode, with a checkpoint written.
    """
    train(config, out, resume=resume, board=board)
    return measure(out)


def train(
    config: RunConfig, out: str | os.PathLike[str], *, resume: bool = False, board: Board | None = None
) -> Trainer:
    """Train as `run` does, without the test at the end."""
    folder, board = RunFolder(Path(out)), Silent() if board is None else board
    if resume:
        folder.check_begun(config)
    else:
        folder.check_new()
    torch.set_num_threads(config.threads)
    keep_memory()
    trainer = make_trainer(config, folder)
    # Written only now: what cannot be made leaves no folder behind.
    config.save(folder.config)
    at = f"from step {trainer.num_timesteps:,} to" if trainer.num_timesteps else "for"
    board.say(f"{config.env or config.task}: {config.name}, {at} {config.steps:,} steps, into {folder.path}")
    write_provenance(config, folder, trainer)
    latest = LatestReturn(config.find_task().team or agents_of(trainer.env))
    metrics = MetricsFile(folder.metrics, until=trainer.num_timesteps)
    trainer.set_logger(Logger(folder=None, output_formats=[metrics, latest]))
    _learn(trainer, config, folder, latest, board)
    return trainer


def _learn(trainer: Trainer, config: RunConfig, folder: RunFolder, latest: LatestReturn, board: Board) -> None:
    before, began = folder.seconds_at(trainer.num_timesteps), time.perf_counter()

    def checkpoint() -> None:
        known = json.loads(folder.clock.read_text()) if folder.clock.exists() else {}
        known[str(trainer.num_timesteps)] = before + time.perf_counter() - began
        write_json(folder.clock, known)
        trainer.save(folder.checkpoint)

    watch = Watch(board, config.name, latest, every=config.checkpoint_every, checkpoint=checkpoint)
    if trainer.num_timesteps >= config.steps:
        return
    learn_and_keep(trainer, config, folder.best, watch, checkpoint)


def learn_and_keep(trainer: Any, config: RunConfig, best: Path, watch: Watch, checkpoint: Callable[[], None]) -> None:
    """Train up to the configured steps and write a checkpoint at the end, after Ctrl-C too."""
    left = config.steps - trainer.num_timesteps
    callbacks = [watch, *callbacks_of(config, best)]
    try:
        trainer.learn(left, callback=callbacks, log_interval=log_interval(config), reset_num_timesteps=False)
    except KeyboardInterrupt:
        # A second Ctrl-C breaks into an episode, where nothing can be resumed from: the last checkpoint stays.
        if watch.between_episodes:
            checkpoint()
        raise
    checkpoint()


def measure(out: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Test a trained run as its configuration says, and write evaluation.json and summary.json.

    Args:
        out: the run's folder.
        progress: called with (episodes done, episodes in all).

    Returns:
        The content of summary.json.
    """
    folder = RunFolder(Path(out))
    config = folder.read_config()
    trainer = load_policy(out, device=config.device)
    found = config.measurement.evaluate(trainer, config, progress=progress)
    found.save(folder.evaluation)
    summary = _summary(config, trainer, found, folder.seconds_at(trainer.num_timesteps))
    write_json(folder.summary, summary)
    return summary


def load_policy(out: str | os.PathLike[str], *, device: str = "cpu") -> Trainer:
    """Load the last checkpoint of a run.

    Args:
        out: the run's folder.
        device: where the networks go.

    Returns:
        The trainer: `predict` takes and gives dicts by agent.

    Raises:
        ValueError: when there is no run, no checkpoint yet, or a damaged one.
    """
    folder = RunFolder(Path(out))
    kind, _ = ALGORITHMS[folder.read_config().algo]
    if not folder.checkpoint.exists():
        raise ValueError(f"run must have a checkpoint, got {folder.path} which has none yet")
    return kind.load(folder.checkpoint, device=device)


def make_trainer(config: RunConfig, folder: RunFolder, *, seeds: Sequence[int] = ()) -> Trainer:
    """Make the trainer of a run, or of several seeds together, or load it from the folder's checkpoint."""
    kind, settings = ALGORITHMS[config.algo]
    envs = [config.make_training_env() for _ in seeds or [config.seed]]
    env: Any = envs if seeds else envs[0]
    if seeds and config.backend == "vmas":
        env = SideBySide(envs)
    if folder.checkpoint.exists():
        return kind.load(folder.checkpoint, env, device=config.device)
    try:
        chosen = settings(**config.trainer)
    except TypeError as error:
        known = ", ".join(field.name for field in fields(settings()))
        raise ValueError(
            f"trainer must hold settings of {config.algo} ({known}), got {dict(config.trainer)}"
        ) from error
    return kind(env, chosen, seeds=list(seeds) or [config.seed], device=config.device)


def agents_of(env: Any) -> Sequence[str]:
    """Name the agents of an environment or of many games."""
    return tuple(getattr(env, "possible_agents", None) or env.agents)


def log_interval(config: RunConfig) -> int:
    """Tell after how many episodes a line is logged: a wave of many games is one of them."""
    return 1 if config.backend == "vmas" else _LOG_INTERVAL


def write_provenance(config: RunConfig, folder: RunFolder, trainer: Trainer) -> None:
    found = provenance(config, device=str(trainer.device))
    if folder.provenance.exists():
        begun = json.loads(folder.provenance.read_text())
        found = {**begun, "resumed": [*begun.get("resumed", []), {"steps": trainer.num_timesteps, **found}]}
    write_json(folder.provenance, found)


def _summary(config: RunConfig, trainer: Trainer, found: Evaluation, seconds: float) -> dict[str, Any]:
    nature, (lowest, *_, highest) = found.natures[0], found.levels
    return {
        "format": "robust-envs/summary",
        "version": 1,
        "task": config.task,
        "env": config.env,
        "algo": config.algo,
        "level": config.level,
        "seed": config.seed,
        "steps": trainer.num_timesteps,
        "wall_seconds": round(seconds, 3),
        "env_steps_per_second": round(trainer.num_timesteps / seconds, 1) if seconds > 0 else None,
        "device": str(trainer.device),
        "team": list(found.team),
        "test": {"channels": dict(found.channels), "nature": nature, "seed": found.seed},
        "nominal_return": _numbers(found.summary(nature, lowest)),
        "perturbed_return": _numbers(found.summary(nature, highest, reward="perturbed")),
    }


def _numbers(row: Summary) -> dict[str, Any]:
    return {
        "level": row.level,
        "mean": row.mean,
        "interval_95": [row.low, row.high],
        "cvar_10": row.cvar,
        "worst": row.worst,
        "episodes": row.episodes,
    }
