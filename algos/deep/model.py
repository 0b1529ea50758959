"""What every trainer is between two calls of `learn`: a policy that predicts, saves and loads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import torch
from stable_baselines3.common.logger import Logger

from algos.deep.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from algos.deep.config import ActorCriticConfig, check_integer, config_from_json
from algos.deep.games import Env, ParallelGame, Team
from algos.deep.heads import NumpyHead, differentiable_actor
from algos.deep.nets import LearnedStack, NumpyMLP
from algos.deep.seeding import numpy_generator, torch_generator
from algos.deep.state import TrainerState

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from torch.distributions import Categorical

Config = TypeVar("Config", bound=ActorCriticConfig)


class Model(ABC, Generic[Config]):
    """Hold a team's networks; `multi_agent` says that `predict` takes and gives dicts by agent."""

    multi_agent = True
    tensorboard_log: str | None = None
    verbose: int = 0
    config_class: ClassVar[type[ActorCriticConfig]]

    def __init__(
        self,
        env: Env,
        config: Config | None = None,
        *,
        seed: int = 0,
        device: str | torch.device = "auto",
        tensorboard_log: str | None = None,
        verbose: int = 0,
    ) -> None:
        chosen = cast("Config", self.config_class()) if config is None else config
        if type(chosen) is not self.config_class:
            raise TypeError(f"config must be a {self.config_class.__name__}, got {type(chosen).__name__}")
        self._begin(Team.of(env, chosen.continuous), chosen, seed=seed, device=device)
        self.set_env(env)
        self.tensorboard_log = tensorboard_log
        self.verbose = verbose

    def _begin(self, team: Team, config: Config, *, seed: int, device: str | torch.device) -> None:
        check_integer("seed", seed, at_least=0)
        self.config, self.seed, self.device = config, seed, find_device(device)
        self._team = team
        self._game: ParallelGame | None = None
        self._state = TrainerState.fresh(team, config, seed, self._make_stacks())
        self._head = NumpyHead(team, noise=config.action_noise)
        self._actors = NumpyMLP(self._state.stacks["actors"])
        self._logger: Logger | None = None
        self._custom_logger = False
        self._total_timesteps = 0
        self._in_episode = self._stop = False
        self._pending_saves: list[tuple[str | os.PathLike[str], bool]] = []

    @abstractmethod
    def _make_stacks(self) -> dict[str, LearnedStack]:
        """Make the networks, by name; one of them is "actors"."""

    def _generator(self, name: str) -> torch.Generator:
        return torch_generator(self.seed, name)

    @property
    def env(self) -> Env | None:
        """The environment, None after a `load` without one."""
        return None if self._game is None else self._game.env

    @property
    def num_timesteps(self) -> int:
        """Environment steps counted by `learn`."""
        return self._state.num_timesteps

    @property
    def logger(self) -> Logger:
        """Stable-Baselines3's logger; a silent one before the first `learn`."""
        return silent_logger() if self._logger is None else self._logger

    def set_logger(self, logger: Logger) -> None:
        """Log to this logger from now on, in place of the one that `learn` would make."""
        self._logger, self._custom_logger = logger, True

    def get_env(self) -> ParallelGame | None:
        """Return what callbacks read `num_envs` from; the environment itself is `env`."""
        return self._game

    def get_vec_normalize_env(self) -> None:
        """Return None: nothing is normalised here."""

    def set_env(self, env: Env) -> None:
        """Train on another environment with the same agents and spaces.

        Raises:
            ValueError: agents or spaces differ; the first difference is named.
        """
        self._team.check_same(Team.of(env, self.config.continuous))
        self._game = ParallelGame(env, self._team)

    def predict(
        self,
        observations: Mapping[str, Any],
        state: None = None,
        episode_start: None = None,
        deterministic: bool = True,
    ) -> tuple[dict[str, Any], None]:
        """Choose actions for the agents observed.

        Args:
            observations: observations by agent, all agents or some.
            state: unused, for Stable-Baselines3's manners.
            episode_start: unused, likewise.
            deterministic: the likeliest action, or one with the exploration noise of training.

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
        outputs = self._actors(values)
        if deterministic:
            actions = self._head.greedy(outputs, legal)
        else:
            actions = self._head.sample(outputs, legal, self._state.prediction)
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
        return differentiable_actor(self._state.stacks["actors"], self._team, list(self._team.agents).index(agent))

    def reseed(self, seed: int) -> None:
        """Start the noise of `predict(deterministic=False)` anew; training goes on as it would have.

        Args:
            seed: an integer >= 0.

        Raises:
            ValueError: for any other.
        """
        check_integer("seed", seed, at_least=0)
        self._state.prediction = numpy_generator(seed, "prediction")

    def save(self, path: str | os.PathLike[str], *, include_buffer: bool = True) -> None:
        """Write everything into a checkpoint folder, atomically.

        Called while an episode is played (from a callback), it waits for the episode's end: only there can training
        resume exactly.

        Args:
            path: the folder; a checkpoint that is there already is replaced.
            include_buffer: whether to store the replay buffer, the largest part by far.

        Raises:
            ValueError: path is a file or a folder that holds other things.
        """
        if self._in_episode:
            self._pending_saves.append((path, include_buffer))
            return
        values, tensors = self._state.save(include_buffer=include_buffer)
        about = {"algorithm": type(self).__name__, "seed": self.seed, "config": asdict(self.config)}
        write_checkpoint(path, Checkpoint({**about, "team": self._team.to_json(), "state": values}, tensors))

    def _write_pending_saves(self) -> None:
        pending, self._pending_saves = self._pending_saves, []
        for path, include_buffer in pending:
            self.save(path, include_buffer=include_buffer)

    @classmethod
    def load(cls, path: str | os.PathLike[str], env: Env | None = None, *, device: str | torch.device = "auto") -> Self:
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
        team = Team.from_json(values["team"], config.continuous)
        self._begin(team, config, seed=values["seed"], device=device)
        self._state.restore(Checkpoint(values["state"], tensors))
        self._actors.refresh()


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
