"""Several seeds of one run, trained together in one process, each with a folder of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.logger import Logger

from algos.deep.memory import keep_memory
from algos.experiments.algorithms import Trainer
from algos.experiments.config import RunConfig
from algos.experiments.metrics import MetricsFile
from algos.experiments.progress import Board, Silent
from algos.experiments.runs import RunFolder, agents_of, learn_and_keep, make_trainer, measure, write_provenance
from algos.experiments.watch import LatestReturn, Watch
from robust_envs.files import write_json

__all__ = ["measure_seeds", "seed_folders", "train_seeds"]


def seed_folders(out: str | os.PathLike[str], seeds: Sequence[int]) -> list[RunFolder]:
    """Name the folders of the runs in the folder of them all."""
    return [RunFolder(Path(out) / f"seed{seed}") for seed in seeds]


def train_seeds(
    config: RunConfig,
    seeds: Sequence[int],
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    board: Board | None = None,
) -> Trainer:
    """Train the same run with several seeds at once, networks of all seeds in one stack.

    Each run is the one that `train` would give with that seed, bit for bit on one thread of a CPU. One checkpoint in
    `out` holds them all, so that resuming is exact wherever a kill fell; each run's own folder gets its config,
    metrics and policy.

    Args:
        config: of the runs; its seed is not used.
        seeds: one or more, all different.
        out: the folder, new or empty; with `resume` one that this made.
        resume: go on from the last checkpoint (from the start when there is none yet).
        board: where to show progress.

    Returns:
        The trainer of all runs.

    Raises:
        ValueError: for seeds that repeat, a folder that is not new, another configuration than the runs began with.
        KeyboardInterrupt: after Ctrl-C, at the end of the episode, with a checkpoint written.
    """
    whole, board = RunFolder(Path(out)), Silent() if board is None else board
    configs = [replace(config, seed=seed) for seed in seeds]
    folders = seed_folders(out, seeds)
    if resume:
        for folder, own in zip(folders, configs, strict=True):
            folder.check_begun(own)
    else:
        whole.check_new()
    torch.set_num_threads(config.threads)
    keep_memory()
    trainer = make_trainer(config, whole, seeds=seeds)
    if list(trainer.seeds) != list(seeds):
        raise ValueError(f"seeds must be {list(trainer.seeds)}, as the runs in {whole.path} began, got {list(seeds)}")
    for folder, own in zip(folders, configs, strict=True):
        own.save(folder.config)
        write_provenance(own, folder, trainer)
    latest = LatestReturn(config.find_task().team or agents_of(trainer.env))
    files = [MetricsFile(folder.metrics, until=trainer.num_timesteps) for folder in folders]
    loggers = [Logger(folder=None, output_formats=[file]) for file in files]
    trainer.set_logger(Logger(folder=None, output_formats=[latest]), runs=loggers)
    _learn(trainer, config, whole, folders, latest, board)
    return trainer


def _learn(
    trainer: Trainer,
    config: RunConfig,
    whole: RunFolder,
    folders: Sequence[RunFolder],
    latest: LatestReturn,
    board: Board,
) -> None:
    before, began = whole.seconds_at(trainer.num_timesteps), time.monotonic()
    if trainer.num_timesteps >= config.steps:
        return

    def checkpoint() -> None:
        # A run's share of the clock: all runs step together.
        seconds = before + (time.monotonic() - began) / len(folders)
        for folder in (whole, *folders):
            known = json.loads(folder.clock.read_text()) if folder.clock.exists() else {}
            write_json(folder.clock, {**known, str(trainer.num_timesteps): seconds})
        trainer.save(whole.checkpoint)
        for run, folder in enumerate(folders):
            trainer.save(folder.checkpoint, include_buffer=False, run=run)

    name = f"{config.algo}, level {config.level:g}, {len(folders)} seeds"
    watch = Watch(board, name, latest, every=config.checkpoint_every, checkpoint=checkpoint)
    learn_and_keep(trainer, config, whole.best, watch, checkpoint)


def measure_seeds(
    out: str | os.PathLike[str], seeds: Sequence[int], *, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Test every run as `measure` does, and return the content of each summary.json."""
    return [measure(folder.path, progress=progress) for folder in seed_folders(out, seeds)]
