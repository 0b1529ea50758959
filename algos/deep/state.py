"""All that a trainer remembers, in one place, to and from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from algos.deep.buffers import Batch, ReplayBuffer, RowLayout
from algos.deep.checkpoints import Checkpoint
from algos.deep.seeding import device_generator, numpy_generator, torch_generator
from algos.deep.statistics import Means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from algos.deep.config import TrainerConfig
    from algos.deep.games import Team
    from algos.deep.nets import LearnedStack


@dataclass
class RunState:
    """Hold what one run (one seed) has to itself, so that runs trained together are what they would be alone.

    Args:
        seed: the source of all its randomness.
        buffer: replay.
        exploration: draws exploration noise where one game is played.
        prediction: draws for `predict(deterministic=False)`.
        replay: draws batches.
        games: draws exploration noise where many games are played, on their device.
        means: what the log has gathered.
        notes: what callbacks want to remember.
        episodes: begun so far.
    """

    seed: int
    buffer: ReplayBuffer
    exploration: np.random.Generator
    prediction: np.random.Generator
    replay: torch.Generator
    games: torch.Generator
    means: Means = field(default_factory=Means)
    notes: dict[str, Any] = field(default_factory=dict)
    episodes: int = 0

    @classmethod
    def fresh(cls, team: Team, config: TrainerConfig, seed: int, device: torch.device) -> RunState:
        """Return the state before the first step."""
        replay, games = torch_generator(seed, "replay"), device_generator(seed, "games", device)
        buffer = ReplayBuffer(RowLayout.of(team), capacity=config.buffer_capacity, generator=replay)
        exploration, prediction = (numpy_generator(seed, name) for name in ("exploration", "prediction"))
        return cls(seed, buffer, exploration, prediction, replay, games)


@dataclass
class TrainerState:
    """Hold the networks of all runs, what each run has to itself, and the counters they share.

    Args:
        stacks: networks by name, the agents of the first run first.
        runs: one per seed.
    """

    stacks: dict[str, LearnedStack]
    runs: list[RunState]
    num_timesteps: int = 0
    steps: int = 0

    @property
    def buffer(self) -> ReplayBuffer:
        """Replay of the first run; those of the others hold as many transitions."""
        return self.runs[0].buffer

    @property
    def episodes(self) -> int:
        """Episodes that the first run began."""
        return self.runs[0].episodes

    @property
    def means(self) -> Means:
        """What the first run's log has gathered."""
        return self.runs[0].means

    @property
    def exploration(self) -> np.random.Generator:
        """The first run's exploration noise."""
        return self.runs[0].exploration

    def sample(self, count: int, device: torch.device) -> Batch:
        """Draw `count` transitions of every run, each by its own stream."""
        rows = [run.buffer.sample_rows(count, device) for run in self.runs]
        return self.buffer.layout.read(rows[0] if len(rows) == 1 else torch.stack(rows))

    def count_steps(self, steps: int) -> None:
        """Count environment steps of each run: `num_timesteps` may be reset by `learn`, `steps` never is."""
        self.num_timesteps += steps
        self.steps += steps

    def save(self, run: int = 0, *, include_buffer: bool) -> Checkpoint:
        """Return one run as a checkpoint: the one that it would give alone."""
        own = self.runs[run]
        values = {
            "num_timesteps": self.num_timesteps,
            "steps": self.steps,
            "episodes": own.episodes,
            "means": own.means.state(),
            "notes": dict(own.notes),
            "exploration": own.exploration.bit_generator.state,
            "prediction": own.prediction.bit_generator.state,
        }
        networks = {
            f"{name}.{part}": self._rows(tensor, run).cpu().clone()
            for name, stack in self.stacks.items()
            for part, tensor in stack.state().items()
        }
        generators = {"replay": own.replay.get_state(), f"games_{own.games.device.type}": own.games.get_state()}
        tensors = {"networks": networks, "generators": generators}
        return Checkpoint(values, tensors | ({"replay": own.buffer.state()} if include_buffer else {}))

    def _rows(self, tensor: Tensor, run: int) -> Tensor:
        """Cut one run's networks out of a stack; what all networks share stays whole."""
        return tensor.chunk(len(self.runs))[run] if tensor.ndim else tensor

    def restore(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Take over what `save` returned for each run."""
        for name, stack in self.stacks.items():
            stack.restore(_stacked([_parts_of(name, one.tensors["networks"]) for one in checkpoints]))
        for run, (values, tensors) in zip(self.runs, checkpoints, strict=True):
            if "replay" in tensors:
                run.buffer.restore(tensors["replay"])
            run.replay.set_state(tensors["generators"]["replay"])
            games = tensors["generators"].get(f"games_{run.games.device.type}")
            if games is not None:  # a checkpoint from another kind of device, or of one game: the stream starts anew
                run.games.set_state(games)
            run.exploration.bit_generator.state = values["exploration"]
            run.prediction.bit_generator.state = values["prediction"]
            run.means.restore(values["means"])
            run.notes = dict(values["notes"])
            run.episodes = int(values["episodes"])
        self.num_timesteps, self.steps = (int(checkpoints[0].values[name]) for name in ("num_timesteps", "steps"))


def join_checkpoints(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Put the checkpoints of several runs into one, so that one file replaced is all of them replaced."""
    groups = checkpoints[0].tensors
    tensors = {
        group: {f"{run}/{name}": t for run, one in enumerate(checkpoints) for name, t in one.tensors[group].items()}
        for group in groups
    }
    return Checkpoint({"runs": [one.values for one in checkpoints]}, tensors)


def split_checkpoint(checkpoint: Checkpoint) -> list[Checkpoint]:
    """Take apart what `join_checkpoints` put together; a checkpoint of one run is that run's."""
    if "runs" not in checkpoint.values:
        return [checkpoint]
    return [
        Checkpoint(values, {group: _run_of(run, tensors) for group, tensors in checkpoint.tensors.items()})
        for run, values in enumerate(checkpoint.values["runs"])
    ]


def _run_of(run: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{run}/"): t for name, t in tensors.items() if name.startswith(f"{run}/")}


def _stacked(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    first = parts[0]
    return {name: torch.cat([part[name] for part in parts]) if first[name].ndim else first[name] for name in first}


def _parts_of(name: str, networks: dict[str, Tensor]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in networks.items() if key.startswith(f"{name}.")}
