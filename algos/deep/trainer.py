"""How every trainer learns: episodes in, updates and log lines out."""

from __future__ import annotations

import math
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback, ProgressBarCallback
from stable_baselines3.common.logger import HumanOutputFormat, Logger
from stable_baselines3.common.utils import configure_logger

from algos.deep.config import check_integer
from algos.deep.interrupts import deferred_interrupt
from algos.deep.model import Config, Model, silent_logger
from algos.deep.seeding import episode_seed
from algos.deep.statistics import EpisodeReturns

if TYPE_CHECKING:
    from algos.deep.buffers import Batch
    from algos.deep.games import Frame, ParallelGame
    from algos.deep.nets import Floats

MaybeCallback = BaseCallback | list[BaseCallback] | Callable[[dict[str, Any], dict[str, Any]], bool] | None


class Trainer(Model[Config]):
    """Collect episodes, update and log; what an update is, is for the algorithms to say.

    Episode k resets the environment with a seed made of (seed, k). `learn` stops at `total_timesteps` exactly: an
    episode that is cut short there counts as truncated, and the next `learn` begins a new one. Global random
    generators and `torch.set_num_threads` are left alone; for networks this small one thread is usually fastest.
    """

    @abstractmethod
    def _update(self, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Move all networks of all agents once; return metrics (N,) by name."""

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 100,
        tb_log_name: str | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Train for a number of environment steps.

        Ctrl-C is held back until the episode ends and then raised, so that a checkpoint saved on it resumes exactly;
        a second Ctrl-C is raised at once. A callback that returns False stops training at once.

        Args:
            total_timesteps: environment steps, >= 1; further ones if `reset_num_timesteps` is False.
            callback: a Stable-Baselines3 callback, a list of them, or a function of locals and globals.
            log_interval: episodes between two lines of the log, >= 1.
            tb_log_name: name of the run for TensorBoard; the algorithm's name if None.
            reset_num_timesteps: whether to count steps from 0 again. What was learned stays either way.
            progress_bar: whether to show Stable-Baselines3's progress bar (needs tqdm and rich).

        Returns:
            The trainer.

        Raises:
            ValueError: there is no environment, or it returned something that is not in its spaces.
            FloatingPointError: a loss is no longer finite; agent and step are named.
        """
        check_integer("total_timesteps", total_timesteps, at_least=1)
        check_integer("log_interval", log_interval, at_least=1)
        if self._game is None:
            raise ValueError("env must be set before learn: give it to load, or call set_env")
        if reset_num_timesteps:
            self._state.num_timesteps = 0
        total_timesteps += self.num_timesteps
        self._total_timesteps, self._stop = total_timesteps, False
        if not self._custom_logger:
            if self._logger is not None:
                self._logger.close()
            self._logger = self._make_logger(tb_log_name, reset_num_timesteps)
        callback = self._make_callback(callback, progress_bar)
        self._clock = (time.perf_counter(), self.num_timesteps)
        callback.on_training_start(locals(), globals())
        with deferred_interrupt() as interrupt:
            callback.on_rollout_start()
            while self.num_timesteps < total_timesteps and not self._stop:
                self._play_episode(self._game, callback, log_interval)
                interrupt.check()
            callback.on_rollout_end()
        callback.on_training_end()
        return self

    def _make_logger(self, name: str | None, reset_num_timesteps: bool) -> Logger:
        if self.tensorboard_log is not None:
            name = type(self).__name__ if name is None else name
            return configure_logger(self.verbose, self.tensorboard_log, name, reset_num_timesteps)
        return Logger(folder=None, output_formats=[HumanOutputFormat(sys.stdout)]) if self.verbose else silent_logger()

    def stop_at_episode_end(self) -> None:
        """Ask `learn` to return when the present episode is over (from a callback or a signal handler)."""
        self._stop = True

    def _play_episode(self, game: ParallelGame, callback: BaseCallback, log_interval: int) -> None:
        self._in_episode = True
        try:
            if self._finish_episode(game, callback) and self._state.episodes % log_interval == 0:
                self._log()
        except Exception:
            self._pending_saves.clear()  # the last good checkpoint is worth more than one of a broken run
            raise
        finally:
            self._in_episode = False
            self._write_pending_saves()

    def _finish_episode(self, game: ParallelGame, callback: BaseCallback) -> bool:
        """Play until the episode is over or training stops; return whether it is over."""
        state, episode = self._state, self._state.episodes
        state.episodes += 1
        returns = EpisodeReturns(game.env, self._team.agents)
        frame = game.reset(episode_seed(self.seed, episode), episode=episode)
        while not game.over and self.num_timesteps < self._total_timesteps:
            actions = self._explore(frame)
            step = game.step(actions)
            state.buffer.add(frame, actions, step)
            state.count_step()
            returns.add(step.reward)
            frame = step.frame
            callback.update_locals(locals())
            if not callback.on_step():
                self._stop = True
                return False
            self._update_if_due(callback)
        if game.over:
            returns.report(state.means)
        return game.over

    def _explore(self, frame: Frame) -> Floats:
        outputs = self._actors(frame.observation)
        warming_up = self._state.steps < self.config.learning_starts
        draw = self._head.uniform if warming_up else self._head.sample
        return draw(outputs, frame.legal, self._state.exploration) * frame.present[:, None]

    def _update_if_due(self, callback: BaseCallback) -> None:
        state, config = self._state, self.config
        if state.steps % config.update_every or len(state.buffer) < config.learning_starts:
            return
        callback.on_rollout_end()
        metrics = self._update(state.buffer.sample(config.batch_size, self.device))
        self._actors.refresh()
        for name, values in zip(metrics, torch.stack(list(metrics.values())).tolist(), strict=True):
            self._count_metric(name, values)
        callback.on_rollout_start()

    def _count_metric(self, name: str, values: list[float]) -> None:
        self._state.means.add(f"train/{name}", sum(values) / len(values))
        for agent, value in zip(self._team.agents, values, strict=True):
            if not math.isfinite(value):
                after = f"after {self._state.steps} steps"
                raise FloatingPointError(f"{name} of agent {agent!r} is {value} {after}: lower the learning rates")
            self._state.means.add(f"train/{name}/{agent}", value)

    def _log(self) -> None:
        began, at = self._clock
        elapsed = max(time.perf_counter() - began, 1e-9)
        self.logger.record("time/episodes", self._state.episodes, exclude="tensorboard")
        self.logger.record("time/fps", int((self.num_timesteps - at) / elapsed))
        self.logger.record("time/time_elapsed", int(elapsed), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        for name, value in self._state.means.take().items():
            # Tables on the screen cut names short and refuse two that then agree: lines per agent go to files only.
            self.logger.record(name, value, exclude=("stdout", "log") if name.count("/") > 1 else None)
        self.logger.dump(step=self.num_timesteps)

    def _make_callback(self, callback: MaybeCallback, progress_bar: bool) -> BaseCallback:
        if isinstance(callback, list):
            callback = CallbackList(callback)
        if not isinstance(callback, BaseCallback):
            callback = ConvertCallback(callback)
        if progress_bar:
            callback = CallbackList([callback, ProgressBarCallback()])
        callback.init_callback(self)  # type: ignore[arg-type]  # typed for SB3's own algorithms
        return callback
