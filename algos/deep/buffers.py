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

    from algos.deep.batched import Outcome, View
    from algos.deep.games import Floats, Frame, Step, Team


class Batch(NamedTuple):
    """Hold B transitions of N agents; `joint` is what critics see, the others are stacked over agents.

    With R runs, `joint` and `action` get a leading axis R, and N stands for the R * N agents of all runs elsewhere.

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
        state: the environment's state (B, S), None where it is not stored; with R runs (R, B, S).
        next_state: the same for the next step.
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
    state: Tensor | None = None
    next_state: Tensor | None = None


@dataclass(frozen=True)
class RowLayout:
    """Say where in a row each part of a transition stands.

    Args:
        agents: N.
        observation: O.
        action: A.
        masked: whether legal actions are stored.
        state: S, numbers of the environment's state; 0 if it is not stored.
    """

    agents: int
    observation: int
    action: int
    masked: bool
    state: int = 0

    @classmethod
    def of(cls, team: Team) -> RowLayout:
        """Return the layout of a team's rows."""
        return cls(len(team.seats), team.observation_size, team.action_size, team.has_mask, team.state_size)

    @cached_property
    def _parts(self) -> list[slice]:
        o, a = self.observation, self.action
        by_agent = [o, a, 1, 1, 1, o] + [a, a] * self.masked
        widths = [self.agents * width for width in by_agent] + [self.state, self.state] * (self.state > 0)
        return [slice(*ends) for ends in pairwise(accumulate(widths, initial=0))]

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return int(self._parts[-1].stop)

    def write(self, row: Floats, frame: Frame, actions: Floats, step: Step) -> None:
        """Write one transition."""
        parts = [frame.observation, actions, step.reward, frame.present, step.continues, step.frame.observation]
        if self.masked:
            parts += [frame.legal, step.frame.legal]
        if self.state:
            parts += [frame.state, step.frame.state]
        np.concatenate([part.reshape(-1) for part in parts], out=row)

    def pack(self, view: View, actions: Tensor, outcome: Outcome) -> Tensor:
        """Write the transitions of many games as rows (G, width); actions (G, N, A) in the networks' form."""
        flags = [view.present, outcome.continues]
        parts = [view.observation, actions, outcome.reward, *flags, outcome.following.observation]
        if self.masked:
            parts += [mask for mask in (view.legal, outcome.following.legal) if mask is not None]
        if self.state:
            parts += [state for state in (view.state, outcome.following.state) if state is not None]
        return torch.cat([part.flatten(1).to(torch.float32) for part in parts], dim=1)

    def read(self, rows: Tensor) -> Batch:
        """View rows (B, width), or (R, B, width) of R runs, as a batch; those of one run are not copied."""
        obs, act, rew, present, continues, next_obs, *more = (rows[..., part] for part in self._parts)
        masks = [self._by_agent(mask) > 0 for mask in more[: 2 * self.masked]]
        states = more[2 * self.masked :]
        return Batch(
            joint=rows[..., : self._parts[1].stop],
            observation=self._by_agent(obs),
            action=act.unflatten(-1, (self.agents, -1)),
            reward=_flat(rew),
            present=_flat(present),
            continues=_flat(continues),
            next_observation=self._by_agent(next_obs),
            legal=masks[0] if masks else None,
            next_legal=masks[1] if masks else None,
            state=states[0] if states else None,
            next_state=states[1] if states else None,
        )

    def _by_agent(self, part: Tensor) -> Tensor:
        """Turn (B, N * n), or (R, B, N * n), into (N, B, n), or (R * N, B, n)."""
        parts: Tensor = part.unflatten(-1, (self.agents, -1))
        return parts.transpose(-3, -2).flatten(0, -3)


def _flat(part: Tensor) -> Tensor:
    """Turn (B, N), or (R, B, N), into (N, B), or (R * N, B): a view by transition, as sums are rounded by layout."""
    return (part if part.ndim == 2 else part.transpose(0, 1).flatten(1)).T


class ReplayBuffer:
    """Keep the latest `capacity` transitions; memory doubles as it fills, so what is allocated is what is stored.

    Args:
        layout: of a row.
        capacity: rows kept at most, >= 1.
        generator: draws the rows of each batch, with replacement; on the CPU, so that every device draws the same.
    """

    def __init__(self, layout: RowLayout, *, capacity: int, generator: torch.Generator) -> None:
        self.layout = layout
        self.capacity = capacity
        self._generator = generator
        self._rows = torch.zeros(min(capacity, 4096), layout.width)
        self._size = self._next = 0
        self._look()

    def _look(self) -> None:
        """Have an array of the rows at hand: writing one row through numpy is five times faster."""
        self._view = self._rows.numpy() if self._rows.device.type == "cpu" else None

    def __len__(self) -> int:
        return self._size

    def add(self, frame: Frame, actions: Floats, step: Step) -> None:
        """Store one transition in place of the oldest."""
        if self._next == len(self._rows) < self.capacity:
            self._grow(2 * len(self._rows))
        if self._view is None:
            raise ValueError("add writes one row on the CPU: rows on a device are written by extend")
        self.layout.write(self._view[self._next], frame, actions, step)
        self._size = max(self._size, self._next + 1)
        self._next = (self._next + 1) % self.capacity

    def extend(self, rows: Tensor) -> None:
        """Store many transitions (G, width) at once, in place of the oldest; of more than fit the last ones stay."""
        rows = rows[-self.capacity :]
        end = self._next + len(rows)
        if end > len(self._rows) < self.capacity:
            self._grow(max(2 * len(self._rows), end))
        first = min(len(rows), self.capacity - self._next)
        self._rows[self._next : self._next + first] = rows[:first]
        self._rows[: len(rows) - first] = rows[first:]
        self._size = min(max(self._size, end), self.capacity)
        self._next = end % self.capacity

    def move_to(self, device: torch.device) -> None:
        """Keep the rows on this device from now on."""
        if self._rows.device != device:
            self._rows = self._rows.to(device)
            self._look()

    def sample(self, count: int, device: torch.device) -> Batch:
        """Draw `count` transitions uniformly."""
        return self.layout.read(self.sample_rows(count, device))

    def sample_rows(self, count: int, device: torch.device) -> Tensor:
        """Draw `count` rows uniformly, (count, width)."""
        index = torch.randint(self._size, (count,), generator=self._generator)
        return self._rows.index_select(0, index.to(self._rows.device)).to(device)

    def largest_reward(self) -> float:
        """Return the largest absolute reward stored, 0 where there is none."""
        rewards = self.layout.read(self._rows[: self._size]).reward
        return float(rewards.abs().max()) if len(self) else 0.0

    def state(self) -> dict[str, Tensor]:
        """Return the stored rows and where the next one goes."""
        return {"rows": self._rows[: self._size].cpu(), "next": torch.tensor(self._next)}

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
        grown = torch.zeros(min(rows, self.capacity), self.layout.width, device=self._rows.device)
        grown[: self._size] = self._rows[: self._size]
        self._rows = grown
        self._look()
