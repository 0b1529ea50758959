"""A callback that writes checkpoints from which training resumes exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stable_baselines3.common.callbacks import BaseCallback

from algos.deep.config import check_integer

if TYPE_CHECKING:
    import os


class CheckpointAtEpisodeEnd(BaseCallback):
    """Save the trainer into one folder, at the first episode end after every `every` environment steps.

    The folder is replaced atomically: killed at any time, the run resumes from the last checkpoint with `load` and
    `learn(..., reset_num_timesteps=False)` and gives the numbers that it would have given uninterrupted.

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

    def _on_step(self) -> bool:
        before, self._before = self._before, self.num_timesteps
        if self.num_timesteps // self._every > before // self._every:  # many games step by many at a time
            self.model.save(self._path, include_buffer=self._include_buffer)  # type: ignore[call-arg, arg-type]
        return True
