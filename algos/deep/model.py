"""What every trainer is between two calls of `learn`: a policy that predicts, saves and loads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
import torch
from stable_baselines3.common.logger import Logger

from algos.deep.batched import Games, is_games, team_of
from algos.deep.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from algos.deep.config import Continuous, TrainerConfig, check_integer, config_from_json
from algos.deep.episodes import Episodes
from algos.deep.games import Env, ParallelGame, Team, count_state
from algos.deep.heads import NumpyHead, TorchHead, differentiable_actor
from algos.deep.nets import LearnedStack, NumpyMLP
from algos.deep.seeding import numpy_generator, torch_generator
from algos.deep.state import RunState, TrainerState, join_checkpoints, split_checkpoint
from algos.deep.waves import Waves

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from torch.distributions import Categorical

    from algos.deep.acting import GameHead, GamesHead

Config = TypeVar("Config", bound=TrainerConfig)
Trainable = Env | Sequence[Env] | Games


class Model(ABC, Generic[Config]):
    """Hold a team's networks; `multi_agent` says that `predict` takes and gives dicts by agent."""

    multi_agent = True
    tensorboard_log: str | None = None
    verbose: int = 0
    config_class: ClassVar[type[TrainerConfig]]
    acting: ClassVar[str] = "actors"  # the networks that act
    uses_state: ClassVar[bool] = False  # whether the environment's state() is stored

    def __init__(
        self,
        env: Trainable,
        config: Config | None = None,
        *,
        seed: int = 0,
        seeds: Sequence[int] | None = None,
        device: str | torch.device = "auto",
        tensorboard_log: str | None = None,
        verbose: int = 0,
    ) -> None:
        chosen = cast("Config", self.config_class()) if config is None else config
        if type(chosen) is not self.config_class:
            raise TypeError(f"config must be a {self.config_class.__name__}, got {type(chosen).__name__}")
        team = self._read_team(env, chosen)
        self._begin(team, chosen, seeds=(seed,) if seeds is None else check_seeds(seeds), device=device)
        self.set_env(env)
        self.tensorboard_log = tensorboard_log
        self.verbose = verbose

    def _begin(self, team: Team, config: Config, *, seeds: tuple[int, ...], device: str | torch.device) -> None:
        for seed in seeds:
            check_integer("seed", seed, at_least=0)
        self.config, self.seeds, self.device = config, seeds, find_device(device)
        self._check_team(team)
        self._team = team
        self._game: Episodes | Waves | None = None
        runs = [RunState.fresh(team, config, seed, self.device) for seed in seeds]
        self._state = TrainerState(self._make_stacks(), runs)
        self._head = self._game_head()
        self._actors = NumpyMLP(self._state.stacks[self.acting])
        self._logger: Logger | None = None
        self._custom_logger = False
        self._run_loggers: list[Logger] = []
        self._single: ParallelGame | None = None
        self._total_timesteps = 0
        self._in_episode = self._stop = False
        self._episode_ends: list[Callable[[], None]] = []
        self._faults: list[Callable[[], None]] = []
        self._pending_saves: list[tuple[str | os.PathLike[str], bool, int | None]] = []

    @abstractmethod
    def _make_stacks(self) -> dict[str, LearnedStack]:
        """Make the networks, by name; one of them is named by `acting`."""

    def _check_team(self, team: Team) -> None:
        """Raise, naming the agent, if the algorithm cannot deal with its spaces."""

    def _game_head(self) -> GameHead:
        return NumpyHead(self._team, noise=self.config.action_noise)

    def _games_head(self, device: torch.device) -> GamesHead:
        return TorchHead(self._team, device, runs=len(self.seeds), noise=self.config.action_noise)

    def _read_team(self, env: Trainable, config: TrainerConfig) -> Team:
        team = _team(env, config.continuous)
        return replace(team, state_size=_state_size(env)) if self.uses_state else team

    def _generators(self, name: str) -> list[torch.Generator]:
        return [torch_generator(seed, name) for seed in self.seeds]

    @property
    def seed(self) -> int:
        """The seed; the first one where several are trained together."""
        return self.seeds[0]

    @property
    def env(self) -> Any:
        """The environment (the first run's), or the games; None after a `load` without one."""
        return None if self._game is None else self._game.envs[0]

    @property
    def num_timesteps(self) -> int:
        """Environment steps counted by `learn`."""
        return self._state.num_timesteps

    @property
    def logger(self) -> Logger:
        """Stable-Baselines3's logger; a silent one before the first `learn`."""
        return silent_logger() if self._logger is None else self._logger

    def notes(self, run: int = 0) -> dict[str, Any]:
        """Return what callbacks want a run to remember, by name: plain values, part of every checkpoint."""
        return self._state.runs[run].notes

    def set_logger(self, logger: Logger, *, runs: Sequence[Logger] = ()) -> None:
        """Log to this logger from now on, in place of the one that `learn` would make.

        Args:
            logger: gets the mean over the runs, where there are several.
            runs: loggers that get the lines of one run each, as many as there are seeds; none by default.

        Raises:
            ValueError: `runs` are neither none nor one per seed.
        """
        if runs and len(runs) != len(self.seeds):
            raise ValueError(f"runs must be one logger for each of {len(self.seeds)} seeds, got {len(runs)}")
        self._logger, self._custom_logger, self._run_loggers = logger, True, list(runs)

    def get_env(self) -> Any:
        """Return what callbacks read `num_envs` from; the environment itself is `env`."""
        return self._game if self._single is None else self._single

    def get_vec_normalize_env(self) -> None:
        """Return None: nothing is normalised here."""

    def set_env(self, env: Trainable) -> None:
        """Train on another environment with the same agents and spaces.

        Args:
            env: a PettingZoo `ParallelEnv`, or with several seeds one for each, or `Games` with as many runs as seeds.

        Raises:
            ValueError: agents or spaces differ (the first difference is named), or there are not as many
                environments as seeds.
        """
        self._team.check_same(self._read_team(env, self.config))
        runs = self._state.runs
        self._single = None
        if is_games(env):
            _check_runs(env.runs, len(runs))
            head, actors = self._games_head(env.device), self._state.stacks[self.acting]
            self._game = Waves(env, self._team, runs, actors, head=head)
            return
        envs: Sequence[Any] = env if isinstance(env, Sequence) else [env]
        games = [ParallelGame(one, self._team) for one in envs]
        _check_runs(len(games), len(runs))
        self._single = games[0] if len(games) == 1 else None
        self._game = Episodes(games, runs, self._actors, self._head)

    def predict(
        self,
        observations: Mapping[str, Any],
        state: None = None,
        episode_start: None = None,
        deterministic: bool = True,
        *,
        run: int = 0,
    ) -> tuple[dict[str, Any], None]:
        """Choose actions for the agents observed.

        Args:
            observations: observations by agent, all agents or some.
            state: unused, for Stable-Baselines3's manners.
            episode_start: unused, likewise.
            deterministic: the likeliest action, or one with the exploration noise of training.
            run: whose policy, where several seeds are trained together.

        Returns:
            Elements of the action spaces by agent, and None.

        Raises:
            ValueError: an agent is unknown, or an observation does not fit its space.
        """
        del state, episode_start
        unknown = sorted(set(observations) - set(self._team.agents))
        if unknown:
            raise ValueError(f"agents must be among {list(self._team.agents)}, got {unknown[0]!r}")
        values, legal = self._team.encode(observations)
        agents = len(self._team.seats)
        outputs = self._actors(values if len(self.seeds) == 1 else np.tile(values, (len(self.seeds), 1)))
        outputs = outputs[run * agents : (run + 1) * agents]
        if deterministic:
            actions = self._head.greedy(outputs, legal)
        else:
            actions = self._head.sample(outputs, legal, self._state.runs[run].prediction)
        return self._team.decode(actions, observations), None

    def torch_policy(self, agent: str) -> Callable[[torch.Tensor], torch.Tensor | Categorical]:
        """Return an agent's actor as a function to be differentiated, for `robust_envs.GradientAttack`.

        Args:
            agent: its name.

        Returns:
            A function from flat observations (B, n) to the distribution over discrete actions, or to actions (B, m)
            in the units of a Box action space, without noise.

        Raises:
            ValueError: the agent is unknown.
        """
        if agent not in self._team.agents:
            raise ValueError(f"agent must be among {list(self._team.agents)}, got {agent!r}")
        return differentiable_actor(self._state.stacks[self.acting], self._team, list(self._team.agents).index(agent))

    def reseed(self, seed: int) -> None:
        """Start the noise of `predict(deterministic=False)` anew; training goes on as it would have.

        Args:
            seed: an integer >= 0.

        Raises:
            ValueError: for any other.
        """
        check_integer("seed", seed, at_least=0)
        for run in self._state.runs:
            run.prediction = numpy_generator(seed, "prediction")

    def save(self, path: str | os.PathLike[str], *, include_buffer: bool = True, run: int | None = None) -> None:
        """Write everything into a checkpoint folder, atomically.

        Called while an episode (a wave of games) is played, from a callback, it waits for the end: only there can
        training resume exactly. With several seeds of one game each, that is where all their episodes end together.

        Args:
            path: the folder; a checkpoint that is there already is replaced.
            include_buffer: whether to store the replay buffer, the largest part by far.
            run: with several seeds, write only this one, as it would be if it were trained alone; all if None.

        Raises:
            ValueError: path is a file or a folder that holds other things.
        """
        if self._in_episode:
            self._pending_saves.append((path, include_buffer, run))
            return
        runs = range(len(self.seeds)) if run is None else [run]
        saved = [self._state.save(one, include_buffer=include_buffer) for one in runs]
        values, tensors = saved[0] if len(saved) == 1 else join_checkpoints(saved)
        about = {"algorithm": type(self).__name__, "seed": self.seeds[runs[0]], "config": self.config.to_json()}
        seeds = {} if len(saved) == 1 else {"seeds": list(self.seeds)}
        written = {**about, **seeds, "team": self._team.to_json(), "state": values}
        if self.uses_state:
            written["state_size"] = self._team.state_size
        write_checkpoint(path, Checkpoint(written, tensors))

    def _write_pending_saves(self) -> None:
        pending, self._pending_saves = self._pending_saves, []
        for path, include_buffer, run in pending:
            self.save(path, include_buffer=include_buffer, run=run)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], env: Trainable | None = None, *, device: str | torch.device = "auto"
    ) -> Self:
        """Read a checkpoint folder that `save` wrote.

        Args:
            path: the folder.
            env: to go on learning; `predict` works without.
            device: as in the constructor.

        Returns:
            A trainer that goes on exactly where the saved one was.

        Raises:
            ValueError: the folder holds no checkpoint of this algorithm, or a damaged one, or the agents or spaces
                of env differ.
        """
        checkpoint = read_checkpoint(path)
        model = cls.__new__(cls)
        try:
            model._restore(checkpoint, device)  # noqa: SLF001 (an object of this very class)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"checkpoint {path} cannot be loaded: {error}") from error
        if env is not None:
            model.set_env(env)
        return model

    def _restore(self, checkpoint: Checkpoint, device: str | torch.device) -> None:
        values, tensors = checkpoint
        if values["algorithm"] != type(self).__name__:
            raise ValueError(f"it was saved by {values['algorithm']}, not {type(self).__name__}")
        config = cast("Config", config_from_json(self.config_class, values["config"]))
        team = replace(Team.from_json(values["team"], config.continuous), state_size=values.get("state_size", 0))
        self._begin(team, config, seeds=tuple(values.get("seeds", (values["seed"],))), device=device)
        self._state.restore(split_checkpoint(Checkpoint(values["state"], tensors)))
        self._actors.refresh()


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Raise unless there are seeds and they differ: equal ones would be one run counted twice."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be at least one integer, all different, got seeds={list(seeds)}")
    return tuple(seeds)


def _check_runs(given: int, seeds: int) -> None:
    if given != seeds:
        raise ValueError(f"env must be one for each of {seeds} seeds, got {given}")


def _state_size(env: Trainable) -> int:
    if is_games(env):
        return int(getattr(env, "state_size", 0))
    return count_state(env[0] if isinstance(env, Sequence) else env)


def _team(env: Trainable, continuous: Continuous) -> Team:
    if is_games(env):
        return team_of(env, continuous)
    if not isinstance(env, Sequence):
        return Team.of(env, continuous)  # type: ignore[arg-type]  # no Games any more
    if not env:
        raise ValueError("env must be one for each seed, got none")
    first, *others = [Team.of(one, continuous) for one in env]
    for other in others:
        first.check_same(other)
    return first


def silent_logger() -> Logger:
    """Return a logger that writes nowhere; Stable-Baselines3's own makes a folder even for that."""
    return Logger(folder=None, output_formats=[])


def find_device(device: str | torch.device) -> torch.device:
    """Return the device, CUDA if there is one for "auto"; one that is not there is refused."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be there, got device={str(device)!r} ({error})") from error
