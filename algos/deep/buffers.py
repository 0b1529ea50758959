"""Replay: a transition of all agents is one row of numbers, so that a batch is one gather."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.games import Frame, Step, Team
    from algos.deep.nets import Floats


class Batch(NamedTuple):
    """Hold B transitions of N agents; `joint` is what critics see, the others are stacked over agents.

    Args:
        joint: all observations, then all actions, (B, N * O + N * A).
        observation: (N, B, O).
        action: (B, N, A), in the networks' form.
        reward: (N, B).
        present: 1 where the agent acted, (N, B).
        continues: 1 where it lived on, (N, B).
        next_observation: (N, B, O).
        legal: legal actions (N, B, A), None where they never change.
        next_legal: the same for the next step.
    """

    joint: Tensor
    observation: Tensor
    action: Tensor
    reward: Tensor
    present: Tensor
    continues: Tensor
    next_observation: Tensor
    legal: Tensor | None
    next_legal: Tensor | None


@dataclass(frozen=True)
class RowLayout:
    """Say where in a row each part of a transition stands.

    Args:
        agents: N.
        observation: O.
        action: A.
        masked: whether legal actions are stored.
    """

    agents: int
    observation: int
    action: int
    masked: bool

    @classmethod
    def of(cls, team: Team) -> RowLayout:
        """Return the layout of a team's rows."""
        return cls(len(team.seats), team.observation_size, team.action_size, team.has_mask)

    @cached_property
    def _parts(self) -> list[slice]:
        o, a = self.observation, self.action
        widths = [o, a, 1, 1, 1, o] + [a, a] * self.masked
        return [slice(*ends) for ends in pairwise(accumulate((self.agents * w for w in widths), initial=0))]

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return int(self._parts[-1].stop)

    def write(self, row: Floats, frame: Frame, actions: Floats, step: Step) -> None:
        """Write one transition."""
        parts = [frame.observation, actions, step.reward, frame.present, step.continues, step.frame.observation]
        if self.masked:
            parts += [frame.legal, step.frame.legal]
        np.concatenate([part.reshape(-1) for part in parts], out=row)

    def read(self, rows: Tensor) -> Batch:
        """View rows (B, width) as a batch, without copying them."""
        obs, act, rew, present, continues, next_obs, *legal = (rows[:, part] for part in self._parts)
        agents = (len(rows), self.agents, -1)
        masks = [mask.view(agents).transpose(0, 1) > 0 for mask in legal]
        return Batch(
            joint=rows[:, : self._parts[1].stop],
            observation=obs.view(agents).transpose(0, 1),
            action=act.view(agents),
            reward=rew.T,
            present=present.T,
            continues=continues.T,
            next_observation=next_obs.view(agents).transpose(0, 1),
            legal=masks[0] if masks else None,
            next_legal=masks[1] if masks else None,
        )


class ReplayBuffer:
    """Keep the latest `capacity` transitions; memory doubles as it fills, so what is allocated is what is stored.

    Args:
        layout: of a row.
        capacity: rows kept at most, >= 1.
        generator: draws the rows of each batch, with replacement.
    """

    def __init__(self, layout: RowLayout, *, capacity: int, generator: torch.Generator) -> None:
        self.layout = layout
        self.capacity = capacity
        self._generator = generator
        self._rows = torch.zeros(min(capacity, 4096), layout.width)
        self._view = self._rows.numpy()
        self._size = self._next = 0

    def __len__(self) -> int:
        return self._size

    def add(self, frame: Frame, actions: Floats, step: Step) -> None:
        """Store one transition in place of the oldest."""
        if self._next == len(self._rows) < self.capacity:
            self._grow(2 * len(self._rows))
        self.layout.write(self._view[self._next], frame, actions, step)
        self._size = max(self._size, self._next + 1)
        self._next = (self._next + 1) % self.capacity

    def sample(self, count: int, device: torch.device) -> Batch:
        """Draw `count` transitions uniformly."""
        index = torch.randint(self._size, (count,), generator=self._generator)
        return self.layout.read(self._rows.index_select(0, index).to(device))

    def state(self) -> dict[str, Tensor]:
        """Return the stored rows and where the next one goes."""
        return {"rows": self._rows[: self._size], "next": torch.tensor(self._next)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        rows, following = state["rows"], int(state["next"])
        full = len(rows) == self.capacity
        if rows.ndim != 2 or rows.shape[1] != self.layout.width or len(rows) > self.capacity:
            raise ValueError(
                f"replay rows must be at most {self.capacity} x {self.layout.width}, got {tuple(rows.shape)}"
            )
        if not (0 <= following < self.capacity and (full or following == len(rows))):
            raise ValueError(f"replay position must follow the last of {len(rows)} rows, got {following}")
        self._grow(max(len(self._rows), len(rows)))
        self._rows[: len(rows)] = rows
        self._size, self._next = len(rows), following

    def _grow(self, rows: int) -> None:
        grown = torch.zeros(min(rows, self.capacity), self.layout.width)
        grown[: self._size] = self._rows[: self._size]
        self._rows, self._view = grown, grown.numpy()
