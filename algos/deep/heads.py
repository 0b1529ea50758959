"""From an actor's outputs to actions: Gumbel-softmax for discrete and simplex actions, tanh for boxes.

The networks' form of an action is one row per agent: one-hot if discrete, a point of the simplex, or a point of
[-1, 1]^n for a box. Losses and targets use the plain softmax or tanh; acting adds the noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributions import Categorical

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from algos.deep.games import Flags, Team
    from algos.deep.nets import Floats, LearnedStack

_IMPOSSIBLE = -1e9  # finite, so that an agent's padding has a softmax


class TorchHead:
    """Differentiate through the actions of a whole batch."""

    def __init__(self, team: Team, device: torch.device) -> None:
        kinds = np.array([seat.kind for seat in team.seats])
        self.real = torch.from_numpy(team.real_actions).to(device)
        self._box = torch.from_numpy(kinds == "box").to(device)[:, None, None]
        self._any_box, self._any_soft = bool((kinds == "box").any()), bool((kinds != "box").any())

    def __call__(self, outputs: Tensor, legal: Tensor | None = None) -> Tensor:
        """Return the noiseless actions for outputs (N, B, A), padding zero; `legal` (N, B, A) masks discrete ones."""
        real = self.real[:, None]
        if not self._any_box:
            return self._softmax(outputs, real if legal is None else legal)
        squashed = torch.tanh(outputs) * real
        if not self._any_soft:
            return squashed
        return torch.where(self._box, squashed, self._softmax(outputs, real if legal is None else legal))

    @staticmethod
    def _softmax(outputs: Tensor, legal: Tensor) -> Tensor:
        return torch.softmax(torch.where(legal, outputs, _IMPOSSIBLE), dim=-1)


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


def differentiable_actor(actors: LearnedStack, team: Team, index: int) -> Callable[[Tensor], Tensor | Categorical]:
    """Return one agent's actor alone, from its flat observations (B, n) to what it does without noise."""
    seat, missing = team.seats[index], team.observation_size - team.seats[index].observation_size

    def act(observations: Tensor) -> Tensor | Categorical:
        parameters = actors.parameters[index : index + 1].detach()
        padded = torch.nn.functional.pad(observations, (0, missing))
        outputs = actors.net(parameters, padded[None])[0, :, : seat.action_size]
        if seat.kind == "discrete":
            return Categorical(logits=outputs)
        if seat.kind == "simplex":
            return torch.softmax(outputs, dim=-1)
        box: Any = seat.action_space
        low, high = (torch.as_tensor(end.reshape(-1), device=outputs.device) for end in (box.low, box.high))
        return low + (torch.tanh(outputs) + 1) / 2 * (high - low)

    return act
