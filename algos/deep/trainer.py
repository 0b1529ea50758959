"""How every trainer learns: episodes in, updates and log lines out."""

from __future__ import annotations

import math
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, ConvertCallback, ProgressBarCallback
from stable_baselines3.common.logger import HumanOutputFormat, Logger
from stable_baselines3.common.utils import configure_logger

from algos.deep.config import check_integer
from algos.deep.divergence import has_exploded, largest_return
from algos.deep.interrupts import deferred_interrupt
from algos.deep.levels import Radius, set_radius
from algos.deep.model import Config, Model, silent_logger

if TYPE_CHECKING:
    from algos.deep.buffers import Batch
    from algos.deep.episodes import Episodes
    from algos.deep.waves import Waves

_LARGEST = "largest reward"
_ADVICE = "lower the learning rates"
MaybeCallback = BaseCallback | list[BaseCallback] | Callable[[dict[str, Any], dict[str, Any]], bool] | None


class Trainer(Model[Config]):
    """Collect episodes, update and log; what an update is, is for the algorithms to say.

    Episode k resets the environment with a seed made of (seed, k); of many games at once a wave of games is what an
    episode is of one. `learn` stops as soon as `total_timesteps` are reached: what is cut short there counts as
    truncated, and the next `learn` begins anew. Global random generators and `torch.set_num_threads` are left alone;
    for networks this small one thread is usually fastest.

    With several seeds all runs step and are updated together and stay independent: a run is what it would be alone.
    Steps are counted for each run.

    `explosion_factor` says when values count as exploded: beyond so many times what the rewards seen and `gamma` allow.
    Critics overestimate by a few times and recover, an explosion passes any bound; `math.inf` never stops.
    """

    explosion_factor: float = 100.0

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
            FloatingPointError: a loss is no longer finite, or values explode; agent and step are named.
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
        self._episode_ends, self._faults = [], []
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

    def at_episode_end(self, call: Callable[[], None]) -> None:
        """Have this called, in the present `learn`, whenever an episode (a wave of games) is over, after its updates.

        That is where the radius of the uncertainty may change and where a policy is measured: a `save` in there is
        written at once, and checkpoints asked for in the episode are written afterwards.
        """
        self._episode_ends.append(call)

    def on_fault(self, call: Callable[[], None]) -> None:
        """Have this called, in the present `learn`, before an error is raised that is not the networks' fault."""
        self._faults.append(call)

    def set_radius(self, radius: Radius) -> None:
        """Set the radius of the uncertainty in all training environments: a number, or a dict by channel.

        Raises:
            ValueError: there is no environment, no such channel, or a set has no single radius.
        """
        if self._game is None:
            raise ValueError("env must be set before its radius: give it to load, or call set_env")
        for env in self._game.envs:
            set_radius(env, radius)

    def _play_episode(self, game: Episodes | Waves, callback: BaseCallback, log_interval: int) -> None:
        self._in_episode, over = True, False
        try:
            over = self._finish_episode(game, callback)
        except Exception as error:
            self._pending_saves.clear()  # the last good checkpoint is worth more than one of a broken run
            self._in_episode = False
            if not isinstance(error, FloatingPointError):
                for call in self._faults:
                    call()
            raise
        finally:
            self._in_episode = False
            self._end_episode(log_interval if over else None)

    def _end_episode(self, log_interval: int | None) -> None:
        """Do what is to be done between episodes; without a log interval the episode was cut and is only saved."""
        try:
            if log_interval is not None:
                for call in self._episode_ends:
                    call()
                if self._state.episodes % log_interval == 0:
                    self.log_lines([run.means.take() for run in self._state.runs])
        finally:
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
        values = iter(torch.stack([value for metrics in found for value in metrics.values()]).tolist())
        for metrics in found:  # with a delay, not every round moves every network
            self._count_metrics({name: next(values) for name in metrics})
        callback.on_rollout_start()

    def _measured_update(self) -> Mapping[str, torch.Tensor]:
        batch = self._state.sample(self.config.batch_size, self.device)
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            metrics = self._compiled(batch) if self.config.compile else self._update(batch)
        return {**metrics, _LARGEST: batch.reward.abs().amax(1)}

    @cached_property
    def _compiled(self) -> Callable[[Batch], Mapping[str, torch.Tensor]]:
        return torch.compile(self._update, dynamic=False)

    def _count_metrics(self, metrics: Mapping[str, list[float]]) -> None:
        """Hand each run's log its agents' values of one round, and stop at the first that says the run is lost."""
        rewards = metrics[_LARGEST]
        believed = zip(rewards, metrics.get("nature", rewards), strict=True)
        largest = [max(reward, abs(nature)) for reward, nature in believed]
        for name, values in metrics.items():
            if name != _LARGEST:
                self._count_metric(name, values, largest)

    def _count_metric(self, name: str, values: list[float], largest: list[float]) -> None:
        agents = self._team.agents
        for i, run in enumerate(self._state.runs):
            own = slice(i * len(agents), (i + 1) * len(agents))
            run.means.add(f"train/{name}", sum(values[own]) / len(agents))
            for agent, value, reward in zip(agents, values[own], largest[own], strict=True):
                if not math.isfinite(value):
                    raise FloatingPointError(f"{name} of agent {agent!r} is {value} {self._when(i)}: {_ADVICE}")
                if name == "q" and has_exploded(value, reward, self.config.gamma, factor=self.explosion_factor):
                    self._check_explosion(agent, value, reward, i)
                run.means.add(f"train/{name}/{agent}", value)

    def _check_explosion(self, agent: str, q: float, reward: float, run: int) -> None:
        """Raise if the largest reward stored, and not only the batch's, is too small for this value."""
        reward, gamma = max(reward, self._state.runs[run].buffer.largest_reward()), self.config.gamma
        if has_exploded(q, reward, gamma, factor=self.explosion_factor):
            raise FloatingPointError(
                f"q of agent {agent!r} is {q:.4g} {self._when(run)}, more than {self.explosion_factor:g} times what "
                f"rewards up to {reward:.4g} and gamma {gamma:g} allow ({largest_return(reward, gamma):.4g}): {_ADVICE}"
            )

    def _when(self, run: int) -> str:
        which = f" of seed {self.seeds[run]}" if len(self.seeds) > 1 else ""
        return f"after {self._state.steps} steps{which}"

    def log_lines(self, lines: Sequence[Mapping[str, float]]) -> None:
        """Write a line of the log for each run, and the mean over the runs for what all of them have."""
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
