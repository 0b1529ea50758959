"""From an actor's outputs to actions: Gumbel-softmax for discrete and simplex actions, tanh for boxes.

The networks' form of an action is one row per agent: one-hot if discrete, a point of the simplex, or a point of
[-1, 1]^n for a box. Losses and targets use the plain softmax or tanh; acting adds the noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch.distributions import Categorical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from algos.deep.games import Flags, Floats, Team
    from algos.deep.nets import LearnedStack

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
        self._padded = not team.real_actions.all()
        self._noise = noise

    def __call__(self, outputs: Tensor, legal: Tensor | None = None) -> Tensor:
        """Return the noiseless actions for outputs (N, B, A), padding zero; `legal` (N, B, A) masks discrete ones."""
        if not self._any_box:
            return self._softmax(outputs, legal)
        squashed = torch.tanh(outputs) * self.real[:, None]
        if not self._any_soft:
            return squashed
        return torch.where(self._box, squashed, self._softmax(outputs, legal))

    def shaken(self, outputs: Tensor, legal: Tensor | None, noise: Tensor) -> Tensor:
        """Return noiseless actions moved by `noise` (N, B, A): a box's point in its box, the outputs of a softmax."""
        if not self._any_box:
            return self(outputs + noise, legal)
        moved = self(torch.where(self._box, outputs, outputs + noise), legal)
        return torch.where(self._box, (moved + noise).clamp(-1.0, 1.0) * self.real[:, None], moved)

    def log_likelihood(self, outputs: Tensor, actions: Tensor, legal: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log p(actions) and the entropy of p, (N, B) each, for the distributions that the outputs describe.

        A softmax is a categorical distribution (a point of the simplex counts as a weighted average of choices); a box
        is a Gaussian of variance 1 around the noiseless action, whose constants are left out.
        """
        allowed = torch.where(self.real[:, None] if legal is None else legal, outputs, _IMPOSSIBLE)
        logs = torch.log_softmax(allowed, dim=-1)
        entropy = -(logs.exp() * logs).sum(-1)
        likelihood = (actions * logs).sum(-1)
        if not self._any_box:
            return likelihood, entropy
        box = self._box[..., 0]
        error = ((torch.tanh(outputs) - actions) * self.real[:, None]).square().sum(-1)
        return torch.where(box, -0.5 * error, likelihood), torch.where(box, 0.0, entropy)

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

    def _softmax(self, outputs: Tensor, legal: Tensor | None) -> Tensor:
        if legal is not None or self._padded:
            outputs = torch.where(self.real[:, None] if legal is None else legal, outputs, _IMPOSSIBLE)
        return torch.softmax(outputs.mT.contiguous(), dim=-2).mT  # over rows: few columns are ten times slower


class ActionSets:
    """Know which actions of a team, in the networks' form, can be played: cubes [-1, 1]^n and simplices.

    Args:
        team: whose actions.
        device: of the actions.
    """

    def __init__(self, team: Team, device: torch.device) -> None:
        self._real = torch.from_numpy(team.real_actions).to(device)
        boxes = np.array([seat.kind == "box" for seat in team.seats])
        self._box = torch.from_numpy(boxes).to(device)[:, None]
        self._any_box, self._any_soft = bool(boxes.any()), not bool(boxes.all())

    def tangent(self, directions: Tensor, legal: Tensor | None = None) -> Tensor:
        """Return the part of directions (..., N, A) along which actions can move: on a simplex their sum stays 1."""
        real = self._real if legal is None else legal
        if not self._any_soft:
            return directions * real
        mean = (directions * real).sum(-1, keepdim=True) / real.sum(-1, keepdim=True)
        centred = (directions - mean) * real
        return torch.where(self._box, directions * self._real, centred) if self._any_box else centred

    def project(self, actions: Tensor, legal: Tensor | None = None) -> Tensor:
        """Return the nearest actions (..., N, A) that can be played."""
        if not self._any_soft:
            return actions.clamp(-1.0, 1.0) * self._real
        nearest = _onto_simplex(actions, self._real if legal is None else legal)
        return torch.where(self._box, actions.clamp(-1.0, 1.0) * self._real, nearest) if self._any_box else nearest


def _onto_simplex(points: Tensor, legal: Tensor) -> Tensor:
    """Project points (..., A) onto the simplex of what is legal: all coordinates less one threshold, cut at 0.

    J. Duchi, S. Shalev-Shwartz, Y. Singer, T. Chandra, 2008, Efficient projections onto the l1-ball, figure 1.
    """
    points = torch.where(legal, points, _IMPOSSIBLE)
    largest = points.sort(-1, descending=True).values
    excess = largest.cumsum(-1) - 1.0
    counts = torch.arange(1, points.shape[-1] + 1, device=points.device, dtype=points.dtype)
    kept = (largest * counts > excess).sum(-1, keepdim=True)
    threshold = excess.gather(-1, kept - 1) / kept
    return (points - threshold).clamp(min=0.0)


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
