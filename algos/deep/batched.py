"""Thousands of games at once as tensors over games and agents: one interface, whoever simulates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeGuard

import torch
from pettingzoo import ParallelEnv

from algos.deep.games import Team
from algos.deep.levels import Radius, set_radius

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from algos.deep.config import Continuous
    from algos.deep.spaces import Space


class View(NamedTuple):
    """What is known before a step. G games, N agents, O and A the largest sizes; what an agent lacks is zero.

    Args:
        observation: (G, N, O), float32.
        present: whether the agent acts on this step, (G, N), bool.
        legal: legal discrete actions (G, N, A), bool; None where all always are.
        state: the game's state (G, S), float32; None where the games tell none.
    """

    observation: Tensor
    present: Tensor
    legal: Tensor | None
    state: Tensor | None = None


class Outcome(NamedTuple):
    """What a step brought.

    Args:
        reward: (G, N), float32.
        continues: whether the agent did not terminate, (G, N), bool: a time limit is no end, targets bootstrap.
        following: what followed the actions; where an episode ended, its last observations.
        view: what to act on next; where an episode ended, the first observations of the next one.
        over: whether the game's episode ended, (G,), bool.
        nominal: rewards before nature moved, (G, N); None where no layer tells.
    """

    reward: Tensor
    continues: Tensor
    following: View
    view: View
    over: Tensor
    nominal: Tensor | None


class Games(Protocol):
    """Step G games at once. Games of independent runs stand one run after the other, G / runs games each.

    Episodes that end begin again by themselves. `wave` is how many steps pass until a trainer begins all games anew,
    with seeds made of its own: only there is the simulator's state a function of a seed, so there are checkpoints.
    """

    agents: tuple[str, ...]
    observation_spaces: tuple[Space, ...]
    action_spaces: tuple[Space, ...]
    num_envs: int
    runs: int
    wave: int
    device: torch.device

    def reset(self, seeds: Sequence[int]) -> View:
        """Begin all games anew, each run's by its own seed."""
        ...

    def step(self, actions: Tensor) -> Outcome:
        """Play actions (G, N, A) in the environment's units; a discrete action is its index, in the first column."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


def is_games(env: Any) -> TypeGuard[Games]:
    """Tell whether this is many games; an environment's own attributes, some of which only warn, are not asked for."""
    return not isinstance(env, ParallelEnv) and hasattr(env, "wave") and hasattr(env, "runs")


def team_of(games: Games, continuous: Continuous) -> Team:
    """Seat the agents of these games."""
    return Team.of_spaces(games.agents, games.observation_spaces, games.action_spaces, continuous)


class SideBySide:
    """Join the games of several runs: each part simulates on its own, so a run is what it would be alone.

    Args:
        parts: games of the same agents, spaces, number and wave on one device, one run each or more.

    Raises:
        ValueError: the parts differ; the first difference is named.
    """

    def __init__(self, parts: Sequence[Games]) -> None:
        if not parts:
            raise ValueError("parts must hold at least one Games, got none")
        first = parts[0]
        for name in ("agents", "observation_spaces", "action_spaces", "wave", "device"):
            for part in parts[1:]:
                if getattr(part, name) != getattr(first, name):
                    theirs, ours = getattr(part, name), getattr(first, name)
                    raise ValueError(f"parts must agree in {name}, got {ours} and {theirs}")
        if len({part.num_envs // part.runs for part in parts}) > 1:
            raise ValueError(f"parts must play equally many games a run, got {[part.num_envs for part in parts]}")
        self.parts = tuple(parts)
        self.agents, self.wave, self.device = first.agents, first.wave, first.device
        self.observation_spaces, self.action_spaces = first.observation_spaces, first.action_spaces
        sizes = [int(getattr(part, "state_size", 0)) for part in parts]
        if len(set(sizes)) > 1:
            raise ValueError(f"parts must agree in state_size, got {sizes}")
        self.state_size = sizes[0]
        self.num_envs = sum(part.num_envs for part in parts)
        self.runs = sum(part.runs for part in parts)

    def reset(self, seeds: Sequence[int]) -> View:
        """Begin all games anew, each run's by its own seed."""
        views, start = [], 0
        for part in self.parts:
            views.append(part.reset(seeds[start : start + part.runs]))
            start += part.runs
        return _join_views(views)

    def step(self, actions: Tensor) -> Outcome:
        """Play actions (G, N, A)."""
        shares = actions.split([part.num_envs for part in self.parts])
        outcomes = [part.step(share) for part, share in zip(self.parts, shares, strict=True)]
        return Outcome(
            reward=torch.cat([outcome.reward for outcome in outcomes]),
            continues=torch.cat([outcome.continues for outcome in outcomes]),
            following=_join_views([outcome.following for outcome in outcomes]),
            view=_join_views([outcome.view for outcome in outcomes]),
            over=torch.cat([outcome.over for outcome in outcomes]),
            nominal=_join([outcome.nominal for outcome in outcomes]),
        )

    def set_radius(self, radius: Radius) -> None:
        """Set the radius of the sets in all parts: a number, or a dict by channel."""
        for part in self.parts:
            set_radius(part, radius)

    def close(self) -> None:
        """Close all parts."""
        for part in self.parts:
            part.close()


def _join_views(views: Sequence[View]) -> View:
    return View(
        torch.cat([view.observation for view in views]),
        torch.cat([view.present for view in views]),
        _join([view.legal for view in views]),
        _join([view.state for view in views]),
    )


def _join(tensors: Sequence[Tensor | None]) -> Tensor | None:
    known = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(known) if len(known) == len(tensors) else None
