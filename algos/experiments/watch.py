"""What goes on beside training: progress is shown, checkpoints are written, the clock is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter

from algos.deep import EvaluateAtEpisodeEnd, UncertaintySchedule
from algos.deep.schedules import read_schedule
from algos.experiments.config import RunConfig
from algos.experiments.measurement import nature_named
from algos.experiments.progress import Board

__all__ = ["LatestReturn", "Watch", "callbacks_of"]

_SHOW_EVERY = 0.1  # seconds: the eye sees no more


class LatestReturn(KVWriter):
    """Remember the team's nominal return in the latest line of the log."""

    def __init__(self, team: Sequence[str]) -> None:
        self._names = [f"rollout/ep_rew_mean/{agent}" for agent in team]
        self.value: float | None = None

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Take the return out of a line."""
        if all(name in key_values for name in self._names):
            self.value = sum(float(key_values[name]) for name in self._names)

    def close(self) -> None:
        """Nothing is held open."""


class Watch(BaseCallback):
    """Show progress, and have a checkpoint written every so many steps.

    Args:
        board: where to show it.
        name: of the run on the board.
        latest: the return to show.
        every: environment steps between checkpoints. The trainer writes them at the end of the running episode.
        checkpoint: writes one.
    """

    def __init__(
        self, board: Board, name: str, latest: LatestReturn, *, every: int, checkpoint: Callable[[], None]
    ) -> None:
        super().__init__()
        self._board, self._name, self._latest = board, name, latest
        self._every, self._checkpoint = every, checkpoint
        self._shown = -_SHOW_EVERY
        self._before = 0
        self.between_episodes = True

    def _on_training_start(self) -> None:
        self._before = self.model.num_timesteps
        self._show()

    def _on_step(self) -> bool:
        self.between_episodes = self.locals["game"].over
        before, self._before = self._before, self.num_timesteps
        if self.num_timesteps // self._every > before // self._every:  # many games step by many at a time
            self._checkpoint()
        if time.monotonic() >= self._shown + _SHOW_EVERY:
            self._show()
        return True

    def _on_training_end(self) -> None:
        self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        self._board.update(self._name, self.num_timesteps, value=self._latest.value)


def callbacks_of(config: RunConfig, best: Path) -> list[BaseCallback]:
    """Make what a run's configuration asks for: a schedule of its level, evaluations, a folder for the best policy."""
    found: list[BaseCallback] = []
    if config.schedule is not None:
        factor = read_schedule(config.schedule)
        radius = {"reward": lambda progress: config.radius * factor(progress)}
        found.append(UncertaintySchedule(radius, total_timesteps=config.steps))
    if config.eval_every:
        found.append(_evaluations(config, best))
    return found


def _evaluations(config: RunConfig, best: Path) -> EvaluateAtEpisodeEnd:
    env, measurement = config.make_env(), config.measurement
    sets = measurement.channels(env)
    env.close()
    return EvaluateAtEpisodeEnd(
        config.make_env,
        every=config.eval_every,
        episodes=config.eval_episodes,
        seed=measurement.seed + 1,  # apart from the final test, for which the best would else be chosen
        natures={name: nature_named(name) for name in measurement.natures},
        team=config.find_task().team or None,
        best=best if config.keep_best else None,
        **sets,
    )
