"""From an actor's outputs to actions: Gumbel-softmax for discrete and simplex actions, tanh for boxes.

The networks' form of an action is one row per agent: one-hot if discrete, a point of the simplex, or a point of
[-1, 1]^n for a box. Losses and targets use the plain softmax or tanh; acting adds the noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from algos.deep.games import Flags, Floats, Team

_IMPOSSIBLE = -1e9  # finite, so that an agent's padding has a softmax
_TINY = 1e-20  # keeps both logarithms of a Gumbel draw finite


class TorchHead:
    """Turn outputs into actions a whole batch at a time, to be differentiated through or to be played.

    Args:
        team: whose actions.
        device: of the outputs.
        runs: R, how often the team's networks stand in the stack; N stands for R times the agents below.
        noise: standard deviation of the Gaussian noise on box actions, in half widths.
    """

    def __init__(self, team: Team, device: torch.device, *, runs: int = 1, noise: float = 0.0) -> None:
        kinds = np.array([seat.kind for seat in team.seats])
        self.real = torch.from_numpy(team.real_actions).to(device).repeat(runs, 1)
        self._box, self._discrete = (
            torch.from_numpy(kinds == kind).to(device).repeat(runs)[:, None, None] for kind in ("box", "discrete")
        )
        self._any_box, self._any_soft = bool((kinds == "box").any()), bool((kinds != "box").any())
        self._any_discrete = bool((kinds == "discrete").any())
        self._noise = noise

    def __call__(self, outputs: Tensor, legal: Tensor | None = None) -> Tensor:
        """Return the noiseless actions for outputs (N, B, A), padding zero; `legal` (N, B, A) masks discrete ones."""
        real = self.real[:, None]
        if not self._any_box:
            return self._softmax(outputs, real if legal is None else legal)
        squashed = torch.tanh(outputs) * real
        if not self._any_soft:
            return squashed
        return torch.where(self._box, squashed, self._softmax(outputs, real if legal is None else legal))

    def sample(self, outputs: Tensor, legal: Tensor | None, generators: Sequence[torch.Generator]) -> Tensor:
        """Return actions to play, (N, B, A): Gumbel samples, one-hot where discrete, and boxes with Gaussian noise."""
        points = outputs
        if self._any_box:
            points = torch.tanh(outputs) + self._noise * self._draw(outputs, generators, torch.Tensor.normal_)
            points = points.clamp_(-1.0, 1.0)
        return self._played(self._gumbel(outputs, generators), legal, points)

    def uniform(self, outputs: Tensor, legal: Tensor | None, generators: Sequence[torch.Generator]) -> Tensor:
        """Return actions to play with box actions uniform in the box, for the steps before learning starts."""
        points = self._draw(outputs, generators, torch.Tensor.uniform_) * 2.0 - 1.0 if self._any_box else outputs
        return self._played(self._gumbel(outputs, generators), legal, points)

    def _gumbel(self, outputs: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        if not self._any_soft:
            return outputs
        uniform = self._draw(outputs, generators, torch.Tensor.uniform_).clamp_(min=_TINY)
        return outputs - torch.log(-torch.log(uniform).clamp_(max=-_TINY))

    def _draw(self, outputs: Tensor, generators: Sequence[torch.Generator], fill: Callable[..., Tensor]) -> Tensor:
        """Fill a tensor like the outputs, each run's part from its own generator."""
        noise = torch.empty_like(outputs)
        for share, generator in zip(noise.chunk(len(generators)), generators, strict=True):
            fill(share, generator=generator)
        return noise

    def _played(self, logits: Tensor, legal: Tensor | None, points: Tensor) -> Tensor:
        if not self._any_soft:
            return points * self.real[:, None]
        allowed = torch.where(self.real[:, None] if legal is None else legal, logits, _IMPOSSIBLE)
        actions = torch.softmax(allowed, dim=-1)
        if self._any_discrete:
            chosen = torch.zeros_like(actions).scatter_(-1, allowed.argmax(-1, keepdim=True), 1.0)
            actions = torch.where(self._discrete, chosen, actions)
        return torch.where(self._box, points * self.real[:, None], actions) if self._any_box else actions

    @staticmethod
    def _softmax(outputs: Tensor, legal: Tensor) -> Tensor:
        return torch.softmax(torch.where(legal, outputs, _IMPOSSIBLE), dim=-1)


class Units:
    """Turn actions in the networks' form into the environment's units: indices, points, numbers within the bounds.

    Args:
        team: whose actions.
        device: of the actions.
    """

    def __init__(self, team: Team, device: torch.device) -> None:
        shape = team.real_actions.shape
        low, scale, limit = np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.float32)
        first = np.zeros((shape[0], 1), np.float32)
        for i, seat in enumerate(team.seats):
            if isinstance(seat.action_space, Box):
                size, bounds = seat.action_size, seat.action_space
                low[i, :size], limit[i, :size] = bounds.low.reshape(-1), bounds.high.reshape(-1)
                scale[i, :size] = limit[i, :size] - low[i, :size]
            elif isinstance(seat.action_space, Discrete):
                first[i] = float(seat.action_space.start)
        kinds = np.array([seat.kind for seat in team.seats])
        self._low, self._scale, self._limit, self._first = (
            torch.from_numpy(part).to(device) for part in (low, scale, limit, first)
        )
        self._box = torch.from_numpy(kinds == "box").to(device)[:, None]
        self._discrete = torch.from_numpy(kinds == "discrete").to(device)[:, None]
        self._any_discrete, self._all_discrete = "discrete" in kinds, set(kinds) == {"discrete"}

    def __call__(self, actions: Tensor) -> Tensor:
        """Return actions (G, N, A) in the environment's units; a discrete action is its index, in the first column."""
        if self._all_discrete:
            return self._indices(actions)
        scaled = torch.where(self._box, self._low + (actions + 1.0) * 0.5 * self._scale, actions)
        scaled = torch.minimum(torch.maximum(scaled, self._low), self._limit)
        return torch.where(self._discrete, self._indices(actions), scaled) if self._any_discrete else scaled

    def _indices(self, actions: Tensor) -> Tensor:
        index = actions.argmax(-1, keepdim=True).to(actions.dtype) + self._first
        return torch.nn.functional.pad(index, (0, actions.shape[-1] - 1))


class NumpyHead:
    """Act for one game: outputs (N, A) to actions (N, A).

    Args:
        team: whose actions.
        noise: standard deviation of the Gaussian noise on box actions, in half widths.
    """

    def __init__(self, team: Team, *, noise: float) -> None:
        kinds = np.array([seat.kind for seat in team.seats])
        self._real = team.real_actions
        self._simplex, self._box = kinds == "simplex", kinds == "box"
        self._any_discrete = bool((kinds == "discrete").any())
        self._any_simplex, self._any_box = bool(self._simplex.any()), bool(self._box.any())
        self._rows = np.arange(len(kinds))
        self._noise = noise

    def greedy(self, outputs: Floats, legal: Flags) -> Floats:
        """Return the likeliest discrete action, the softmax point of the simplex, the centre of the box's noise."""
        return self._actions(outputs, legal, np.tanh(outputs) if self._any_box else outputs)

    def sample(self, outputs: Floats, legal: Flags, rng: np.random.Generator) -> Floats:
        """Return a Gumbel sample of discrete and simplex actions, and box actions with Gaussian noise."""
        points = outputs
        if self._any_box:
            points = np.tanh(outputs) + self._noise * rng.standard_normal(outputs.shape, np.float32)
            points = np.minimum(np.maximum(points, -1.0), 1.0)
        return self._actions(self._gumbel(outputs, rng), legal, points)

    def uniform(self, outputs: Floats, legal: Flags, rng: np.random.Generator) -> Floats:
        """Return a sample with box actions uniform in the box, for the steps before learning starts."""
        points = rng.random(outputs.shape, np.float32) * 2.0 - 1.0 if self._any_box else outputs
        return self._actions(self._gumbel(outputs, rng), legal, points)

    def _gumbel(self, outputs: Floats, rng: np.random.Generator) -> Floats:
        if not (self._any_discrete or self._any_simplex):
            return outputs
        return outputs + rng.gumbel(size=outputs.shape).astype(np.float32)

    def _actions(self, logits: Floats, legal: Flags, points: Floats) -> Floats:
        actions = np.zeros(logits.shape, np.float32)
        if self._any_discrete or self._any_simplex:
            logits = np.where(legal, logits, np.float32(_IMPOSSIBLE))
        if self._any_discrete:
            actions[self._rows, logits.argmax(axis=1)] = 1.0  # rows of the other kinds are written over below
        if self._any_simplex:
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            actions[self._simplex] = (weights / weights.sum(axis=1, keepdims=True))[self._simplex]
        if self._any_box:
            actions[self._box] = (points * self._real)[self._box]
        return actions
