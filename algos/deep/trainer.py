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

if TYPE_CHECKING:
    from algos.deep.buffers import Batch
    from algos.deep.episodes import Episodes
    from algos.deep.waves import Waves

MaybeCallback = BaseCallback | list[BaseCallback] | Callable[[dict[str, Any], dict[str, Any]], bool] | None


class Trainer(Model[Config]):
    """Collect episodes, update and log; what an update is, is for the algorithms to say.

    Episode k resets the environment with a seed made of (seed, k); of many games at once a wave of games is what an
    episode is of one. `learn` stops as soon as `total_timesteps` are reached: what is cut short there counts as
    truncated, and the next `learn` begins anew. Global random generators and `torch.set_num_threads` are left alone;
    for networks this small one thread is usually fastest.

    With several seeds all runs step and are updated together and stay independent: a run is what it would be alone.
    Steps are counted for each run.
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

    def _play_episode(self, game: Episodes | Waves, callback: BaseCallback, log_interval: int) -> None:
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

    def _finish_episode(self, game: Episodes | Waves, callback: BaseCallback) -> bool:
        """Play until the episode is over or training stops; return whether it is over."""
        state = self._state
        game.begin()
        while not game.over and self.num_timesteps < self._total_timesteps:
            step = game.step(uniform=state.steps < self.config.learning_starts)
            state.count_steps(game.steps)
            callback.update_locals(locals())
            if not callback.on_step():
                self._stop = True
                return False
            rounds = self._rounds_due(game.steps)
            if rounds:
                self._update_rounds(rounds, callback)
        return game.over

    def _rounds_due(self, steps: int) -> int:
        """Count the rounds of updates that the latest steps of each run have made due."""
        state, every = self._state, self.config.update_every
        if len(state.buffer) < self.config.learning_starts:
            return 0
        return state.steps // every - (state.steps - steps) // every

    def _update_rounds(self, rounds: int, callback: BaseCallback) -> None:
        callback.on_rollout_end()
        found = [self._measured_update() for _ in range(rounds)]
        self._actors.refresh()
        names = list(found[0])
        values = torch.stack([torch.stack(list(metrics.values())) for metrics in found]).tolist()
        for metrics in values:
            for name, by_network in zip(names, metrics, strict=True):
                self._count_metric(name, by_network)
        callback.on_rollout_start()

    def _measured_update(self) -> Mapping[str, torch.Tensor]:
        return self._update(self._state.sample(self.config.batch_size, self.device))

    def _count_metric(self, name: str, values: list[float]) -> None:
        """Hand each run's log its agents' values, and stop at the first that says the run is lost."""
        agents = self._team.agents
        for i, run in enumerate(self._state.runs):
            own = values[i * len(agents) : (i + 1) * len(agents)]
            run.means.add(f"train/{name}", sum(own) / len(own))
            for agent, value in zip(agents, own, strict=True):
                if not math.isfinite(value):
                    which = f" of seed {run.seed}" if len(self.seeds) > 1 else ""
                    after = f"after {self._state.steps} steps{which}"
                    raise FloatingPointError(f"{name} of agent {agent!r} is {value} {after}: lower the learning rates")
                run.means.add(f"train/{name}/{agent}", value)

    def _log(self) -> None:
        lines = [run.means.take() for run in self._state.runs]
        for logger, line in zip(self._run_loggers, lines, strict=False):
            self._write_line(logger, line)
        everywhere = [name for name in lines[0] if all(name in line for line in lines)]
        self._write_line(self.logger, {name: sum(line[name] for line in lines) / len(lines) for name in everywhere})

    def _write_line(self, logger: Logger, line: Mapping[str, float]) -> None:
        began, at = self._clock
        elapsed = max(time.perf_counter() - began, 1e-9)
        logger.record("time/episodes", self._state.episodes, exclude="tensorboard")
        logger.record("time/fps", int((self.num_timesteps - at) / elapsed))
        logger.record("time/time_elapsed", int(elapsed), exclude="tensorboard")
        logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        for name, value in line.items():
            # Tables on the screen cut names short and refuse two that then agree: lines per agent go to files only.
            logger.record(name, value, exclude=("stdout", "log") if name.count("/") > 1 else None)
        logger.dump(step=self.num_timesteps)

    def _make_callback(self, callback: MaybeCallback, progress_bar: bool) -> BaseCallback:
        if isinstance(callback, list):
            callback = CallbackList(callback)
        if not isinstance(callback, BaseCallback):
            callback = ConvertCallback(callback)
        if progress_bar:
            callback = CallbackList([callback, ProgressBarCallback()])
        callback.init_callback(self)  # type: ignore[arg-type]  # typed for SB3's own algorithms
        return callback
