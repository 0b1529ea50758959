"""All that a trainer remembers, in one place, to and from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from algos.deep.buffers import ReplayBuffer, RowLayout
from algos.deep.checkpoints import Checkpoint
from algos.deep.seeding import numpy_generator, torch_generator
from algos.deep.statistics import Means

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.config import ActorCriticConfig
    from algos.deep.games import Team
    from algos.deep.nets import LearnedStack


@dataclass
class TrainerState:
    """Hold networks, replay, random streams, counters and the log's unfinished means.

    Args:
        stacks: networks by name.
        buffer: replay.
        exploration: draws exploration noise.
        prediction: draws for `predict(deterministic=False)`.
        replay: draws batches.
    """

    stacks: dict[str, LearnedStack]
    buffer: ReplayBuffer
    exploration: np.random.Generator
    prediction: np.random.Generator
    replay: torch.Generator
    means: Means = field(default_factory=Means)
    num_timesteps: int = 0
    steps: int = 0
    episodes: int = 0

    @classmethod
    def fresh(cls, team: Team, config: ActorCriticConfig, seed: int, stacks: dict[str, LearnedStack]) -> TrainerState:
        """Return the state before the first step."""
        replay = torch_generator(seed, "replay")
        buffer = ReplayBuffer(RowLayout.of(team), capacity=config.buffer_capacity, generator=replay)
        exploration, prediction = (numpy_generator(seed, name) for name in ("exploration", "prediction"))
        return cls(stacks, buffer, exploration, prediction, replay)

    def count_step(self) -> None:
        """Count one environment step: `num_timesteps` may be reset by `learn`, `steps` never is."""
        self.num_timesteps += 1
        self.steps += 1

    def save(self, *, include_buffer: bool) -> Checkpoint:
        """Return the state as a checkpoint."""
        values = {
            "num_timesteps": self.num_timesteps,
            "steps": self.steps,
            "episodes": self.episodes,
            "means": self.means.state(),
            "exploration": self.exploration.bit_generator.state,
            "prediction": self.prediction.bit_generator.state,
        }
        networks = {
            f"{name}.{part}": tensor.cpu()
            for name, stack in self.stacks.items()
            for part, tensor in stack.state().items()
        }
        tensors = {"networks": networks, "generators": {"replay": self.replay.get_state()}}
        return Checkpoint(values, tensors | ({"replay": self.buffer.state()} if include_buffer else {}))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over what `save` returned."""
        values, tensors = checkpoint
        for name, stack in self.stacks.items():
            stack.restore(_parts_of(name, tensors["networks"]))
        if "replay" in tensors:
            self.buffer.restore(tensors["replay"])
        self.replay.set_state(tensors["generators"]["replay"])
        self.exploration.bit_generator.state = values["exploration"]
        self.prediction.bit_generator.state = values["prediction"]
        self.means.restore(values["means"])
        self.num_timesteps, self.steps, self.episodes = (int(values[n]) for n in ("num_timesteps", "steps", "episodes"))


def _parts_of(name: str, networks: dict[str, Tensor]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in networks.items() if key.startswith(f"{name}.")}
