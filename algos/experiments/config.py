"""What to run, as a value: everything that decides a run's numbers, written beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from pettingzoo import ParallelEnv

from algos.deep.schedules import read_schedule
from algos.experiments.measurement import Measurement, check_count, check_size
from algos.experiments.tasks import Task, find_task
from algos.experiments.vmas_tasks import OneVmasGame, make_games
from robust_envs import Linf, Noise, robust
from robust_envs.files import read_versioned, write_json

__all__ = ["RunConfig"]

Algorithm = Literal["rmaddpg", "maddpg", "matd3", "m3ddpg", "rmaac", "iql", "vdn", "qmix"]
Backend = Literal["mpe2", "vmas"]
_KIND, _VERSION = "robust-envs/run", 1


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Describe a training run and the test that follows it: all that decides its numbers.

    Args:
        task: cooperative-navigation, keep-away, physical-deception, predator-prey; with `env` any label.
        env: package.module:function that builds a PettingZoo ParallelEnv, instead of a known task.
        algo: rmaddpg, maddpg, matd3, m3ddpg, rmaac, iql, vdn or qmix.
        level: how noisy rewards are in training: a Gaussian of this standard deviation cut at twice it, fresh for
            each agent and step, finite and >= 0; 0 trains in the environment itself.
        steps: environment steps to train for, >= 1; the run ends with the episode in which they are reached.
        seed: of everything random in the run, >= 0.
        continuous: continuous instead of discrete actions, on tasks that offer both.
        backend: "mpe2" plays one game, as the papers did; "vmas" plays `games` at once, on the device.
        games: games at once with "vmas", >= 1.
        device: cpu, cuda, or auto.
        threads: of torch, >= 1; small networks are fastest with 1.
        checkpoint_every: environment steps between two checkpoints, >= 1.
        schedule: how the level grows to that: a factor on it over the run, as `linear:0:1:0.5`,
            `cosine:START:END[:UNTIL]` or `stairs:0:0.5:1`; None for 1 throughout.
        eval_every: environment steps between two evaluations while training goes on, >= 0; 0 for none. They play the
            measurement's perturbations at level 1, with a seed of their own.
        eval_episodes: episodes of each, >= 1.
        keep_best: keep the policy with the best robust return in checkpoints/best; needs eval_every.
        trainer: settings of the algorithm by name, see its config.
        measurement: the test that follows training.

    Raises:
        ValueError: for a value out of range, an unknown task or algorithm, an environment that cannot be imported.
        TypeError: for a value of the wrong kind.

    Example:
        >>> RunConfig(level=0.5).name
        'rmaddpg, level 0.5, seed 0'
    """

    task: str = "cooperative-navigation"
    env: str | None = None
    algo: Algorithm = "rmaddpg"
    level: float = 1.0
    steps: int = 100_000
    seed: int = 0
    continuous: bool = False
    backend: Backend = "mpe2"
    games: int = 128
    device: str = "auto"
    threads: int = 1
    checkpoint_every: int = 25_000
    schedule: str | None = None
    eval_every: int = 0
    eval_episodes: int = 20
    keep_best: bool = False
    trainer: Mapping[str, Any] = field(default_factory=dict)
    measurement: Measurement = field(default_factory=Measurement)

    def __post_init__(self) -> None:
        if 0 not in self.measurement.levels or len(self.measurement.levels) < 2:
            raise ValueError(f"measurement must have level 0 and one above, got levels={self.measurement.levels}")
        # JSON has lists only: a configuration equals the one that its file gives back.
        trainer = {name: tuple(value) if isinstance(value, list) else value for name, value in self.trainer.items()}
        object.__setattr__(self, "trainer", trainer)
        find_task(self.task, env=self.env)
        if self.algo not in get_args(Algorithm):
            raise ValueError(f"algo must be one of {', '.join(get_args(Algorithm))}, got algo={self.algo!r}")
        if self.backend not in ("mpe2", "vmas"):
            raise ValueError(f"backend must be mpe2 or vmas, got backend={self.backend!r}")
        if self.backend == "vmas" and self.find_task().scenario is None:
            raise ValueError(f"backend must be mpe2 for {self.env or self.task}, which VMAS does not have")
        check_size("level", self.level)
        for name in ("steps", "threads", "checkpoint_every", "games", "eval_episodes"):
            check_count(name, getattr(self, name), 1)
        for name in ("seed", "eval_every"):
            check_count(name, getattr(self, name), 0)
        if self.schedule is not None:
            read_schedule(self.schedule)
            if self.level == 0:
                raise ValueError(f"schedule must have a level above 0 to change, got schedule={self.schedule!r}")
        if self.keep_best and not self.eval_every:
            raise ValueError("keep_best must have evaluations to choose by: give eval_every, got eval_every=0")

    @property
    def radius(self) -> float:
        """Radius of the rewards' noise: Gaussian of half that standard deviation, the papers' noise at this level."""
        return 2.0 * self.level

    @property
    def method(self) -> str:
        """Algorithm and level: what runs with different seeds have in common."""
        return f"{self.algo}, level {self.level:g}"

    @property
    def name(self) -> str:
        """Algorithm, level and seed: how a run is called among others on the same task."""
        return f"{self.method}, seed {self.seed}"

    def find_task(self) -> Task:
        """Find the task to train on."""
        return find_task(self.task, env=self.env)

    def make_env(self) -> ParallelEnv[str, Any, Any]:
        """Build the task's environment, naked, one game of it."""
        task = self.find_task()
        if self.backend == "vmas":
            return OneVmasGame(str(task.scenario), continuous=self.continuous)
        return task.make(continuous=self.continuous)

    def make_training_env(self) -> Any:
        """Build what to train in, one game or many: rewards noisy at this level, nothing else."""
        if self.backend == "vmas":
            from algos.deep.model import find_device

            return make_games(
                str(self.find_task().scenario),
                games=self.games,
                continuous=self.continuous,
                level=self.level,
                device=str(find_device(self.device)),
            )
        env = self.make_env()
        if self.level == 0:
            return env
        return robust(env, reward=Linf(self.radius), nature=Noise())

    def to_json(self) -> dict[str, Any]:
        """Turn the configuration into plain values."""
        return {"format": _KIND, "version": _VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from what `to_json` gave; a name that is not known is refused."""
        values = {key: value for key, value in content.items() if key not in ("format", "version")}
        unknown = sorted(set(values) - {known.name for known in fields(cls)})
        if unknown:
            raise ValueError(f"config must hold only the names of RunConfig, got {unknown}")
        if isinstance(values.get("measurement"), Mapping):
            values["measurement"] = _measurement(values["measurement"])
        return cls(**values)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the configuration as a JSON file, whole or not at all."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunConfig:
        """Read what `save` wrote."""
        return cls.from_json(read_versioned(Path(path).read_text(), kind=_KIND, version=_VERSION))


def _measurement(values: Mapping[str, Any]) -> Measurement:
    unknown = sorted(set(values) - {known.name for known in fields(Measurement)})
    if unknown:
        raise ValueError(f"measurement must hold only the names of Measurement, got {unknown}")
    return Measurement(**values)
