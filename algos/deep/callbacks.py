"""Callbacks for the trainers here, in Stable-Baselines3's manner: checkpoints, and the level of uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.callbacks import BaseCallback

from algos.deep.config import check_integer

if TYPE_CHECKING:
    import os

    from algos.deep.schedules import Schedule


class CheckpointAtEpisodeEnd(BaseCallback):
    """Save the trainer into one folder, at the first episode end after every `every` environment steps.

    The folder is replaced atomically: killed at any time, the run resumes from the last checkpoint with `load` and
    `learn(..., reset_num_timesteps=False)` and gives the numbers that it would have given uninterrupted. Where the
    environment breaks down, the last state is saved before the error is raised. Where learning diverges the last good
    checkpoint stays.

    Args:
        path: the checkpoint folder.
        every: environment steps between checkpoints, >= 1.
        include_buffer: whether to store the replay buffer; without it training resumes, but not exactly.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, every: int = 10_000, include_buffer: bool = True, verbose: int = 0
    ) -> None:
        super().__init__(verbose)
        check_integer("every", every, at_least=1)
        self._path = path
        self._every = every
        self._include_buffer = include_buffer
        self._before = 0

    def _on_training_start(self) -> None:
        self._before = self.model.num_timesteps
        trainer: Any = self.model
        trainer.on_fault(self._save)

    def _on_step(self) -> bool:
        before, self._before = self._before, self.num_timesteps
        if self.num_timesteps // self._every > before // self._every:  # many games step by many at a time
            self._save()
        return True

    def _save(self) -> None:
        self.model.save(self._path, include_buffer=self._include_buffer)  # type: ignore[call-arg, arg-type]


class UncertaintySchedule(BaseCallback):
    """Change the radius of the training environment's sets as training goes on: a curriculum.

    The radius changes where checkpoints may be written: between episodes, between waves of many games. It is a
    function of steps done over steps to do, so a run that is resumed goes on as it would have.

    Args:
        radius: from progress in [0, 1] to the radius, in the units of the set; or a dict of such by channel.
        total_timesteps: when progress is 1; the end of the present `learn` if None. Say it where `learn` is called
            several times for one run.

    Raises:
        ValueError: total_timesteps is not positive; or, when training starts, there is no such channel or a set has
            no single radius.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> from algos.deep import MADDPG, Linear, UncertaintySchedule
        >>> from robust_envs import Linf, Noise, robust
        >>> env = robust(simple_spread_v3.parallel_env(), reward=Linf(0.0), nature=Noise())
        >>> model = MADDPG(env).learn(100, callback=UncertaintySchedule(Linear(0.0, 2.0)))
        >>> env.radius
        {'reward': 2.0}
    """

    def __init__(
        self, radius: Schedule | Mapping[str, Schedule], *, total_timesteps: int | None = None, verbose: int = 0
    ) -> None:
        super().__init__(verbose)
        if total_timesteps is not None:
            check_integer("total_timesteps", total_timesteps, at_least=1)
        self._radius, self._total = radius, total_timesteps

    def _on_training_start(self) -> None:
        trainer: Any = self.model
        self._until = self.locals["total_timesteps"] if self._total is None else self._total
        self._set()
        trainer.at_episode_end(self._set)

    def _on_step(self) -> bool:
        return True

    def _set(self) -> None:
        trainer: Any = self.model
        progress = min(trainer.num_timesteps / self._until, 1.0)
        if not isinstance(self._radius, Mapping):
            now = float(self._radius(progress))
            trainer.set_radius(now)
            trainer.logger.record("uncertainty/radius", now)
            return
        by_channel = {channel: float(radius(progress)) for channel, radius in self._radius.items()}
        trainer.set_radius(by_channel)
        for channel, value in by_channel.items():
            trainer.logger.record(f"uncertainty/radius_{channel}", value)
