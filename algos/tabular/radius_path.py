"""How an equilibrium moves as nature is given more room."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algos.tabular.model import to_numpy
from algos.tabular.solution import Solution
from algos.tabular.value_iteration import robust_value_iteration
from robust_envs.envs import MarkovGame
from robust_envs.files import write_json

__all__ = ["RadiusPath", "radius_path"]

FORMAT = "robust-envs radius path"


@dataclass(frozen=True, eq=False)
class RadiusPath:
    """Hold the solutions of one game at several radii.

    Attributes:
        game: the nominal game.
        radii: in the order asked for.
        solutions: one for each radius.
    """

    game: MarkovGame
    radii: tuple[float, ...]
    solutions: tuple[Solution, ...]

    @property
    def start(self) -> int:
        """The likeliest first state, the first of several."""
        return int(to_numpy(self.game.start).argmax())

    def values(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return what the game is worth from its start on, (radii, N)."""
        start = to_numpy(self.game.start)
        return np.stack([to_numpy(found.values) @ start for found in self.solutions])

    def policy(self, player: int, state: int | None = None) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return what a player does in a state, by default the likeliest first one, (radii, A_i)."""
        at = self.start if state is None else state
        return np.stack([to_numpy(found.policies[player])[at] for found in self.solutions])

    def moved(self, *, by: float = 1e-6) -> tuple[int, ...]:
        """Return in how many states somebody plays otherwise than at the first radius, for each radius."""
        first = self.solutions[0].policies
        return tuple(
            int(
                np.any(
                    [
                        np.abs(to_numpy(a) - to_numpy(b)).max(axis=1) > by
                        for a, b in zip(found.policies, first, strict=True)
                    ],
                    axis=0,
                ).sum()
            )
            for found in self.solutions
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all values, policies and certificates as JSON."""
        rows = [
            {
                "radius": radius,
                "status": found.status,
                "iterations": found.iterations,
                "exploitability": to_numpy(found.exploitability).tolist(),
                "values": to_numpy(found.values).tolist(),
                "policies": [to_numpy(policy).tolist() for policy in found.policies],
            }
            for radius, found in zip(self.radii, self.solutions, strict=True)
        ]
        head = {"format": FORMAT, "version": 1, "agents": self.game.players, "discount": self.game.discount}
        return write_json(path, {**head, "start": to_numpy(self.game.start).tolist(), "solutions": rows})


def radius_path(
    game: MarkovGame,
    radii: Sequence[float],
    *,
    reward_set: Callable[[float], Any] | None = None,
    transition_set: Callable[[float], Any] | None = None,
    **options: Any,
) -> RadiusPath:
    """Solve a game at several radii.

    Args:
        game: the nominal game.
        radii: finite, >= 0.
        reward_set: from a radius to what `robust_value_iteration` takes, a class of sets for instance.
        transition_set: likewise.
        options: of `robust_value_iteration`.

    Raises:
        ValueError: if there are no radii, one is negative, or neither set is given.

    Example:
        >>> from robust_envs import Contamination
        >>> from robust_envs.envs import exposure, named_game
        >>> name = "coordination-under-risk"
        >>> path = radius_path(
        ...     named_game(name), [0.1, 0.2], transition_set=lambda radius: Contamination(radius * exposure(name))
        ... )
        >>> path.values().round(3), path.policy(0)
        (array([[10.526, 10.526],
               [10.   , 10.   ]]), array([[1., 0.],
               [0., 1.]]))
    """
    kept = tuple(float(radius) for radius in radii)
    if not kept or not all(0 <= radius < np.inf for radius in kept):
        raise ValueError(f"radii must be finite and >= 0, at least one, got radii={radii!r}")
    if reward_set is None and transition_set is None:
        raise ValueError("reward_set or transition_set must be given: from a radius to a set")
    solutions = tuple(
        robust_value_iteration(
            game,
            reward_set=None if reward_set is None else reward_set(radius),
            transition_set=None if transition_set is None else transition_set(radius),
            **options,
        )
        for radius in kept
    )
    return RadiusPath(game, kept, solutions)
