"""The worlds of a vector environment's copies, each with natures of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from robust_envs.channels import WORLD
from robust_envs.perturber import Perturber
from robust_envs.shells.batches import rebatch, unbatch
from robust_envs.shells.gym import SINGLE
from robust_envs.shells.vector_seats import Looped
from robust_envs.worlds import World

__all__ = ["Stages", "worlds_of"]

Array = np.ndarray[Any, np.dtype[Any]]


def worlds_of(env: VectorEnv[Any, Any, Any], channels: Mapping[str, Any]) -> list[World | None]:
    """Return the world of each copy.

    Raises:
        ValueError: If a channel is about the world and the copies are out of reach.
    """
    given = [channel for channel in WORLD if channels.get(channel) is not None]
    copies = vars(env.unwrapped).get("envs")
    if not given:
        return [None] * env.num_envs
    if not copies:
        raise ValueError(
            f"{given[0]} needs copies within reach: those of {type(env.unwrapped).__name__} are in other processes or "
            f"no environments of their own; make each robust, AsyncVectorEnv([lambda: robust(make(), ...)] * E), "
            f"got {env}"
        )
    return [World(copy, SINGLE) for copy in copies]


class Stages:
    """Let the natures of all worlds move, one copy after the other.

    Args:
        env: The vector environment.
        perturbers: One for each copy.
        autoreset: When copies begin anew.

    Raises:
        ValueError: If nature would have to move a state that is gone.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], perturbers: Sequence[Perturber], autoreset: AutoresetMode | None
    ) -> None:
        self._space, self._perturbers = env.single_observation_space, list(perturbers)
        self._stages = [perturber.stage for perturber in perturbers]
        first = self._stages[0]
        if first is not None and first.lands and autoreset is AutoresetMode.SAME_STEP:
            raise ValueError(
                "transition cannot move the last state of an episode in AutoresetMode.SAME_STEP, where the next has "
                f"begun before nature moves: take NEXT_STEP, or wrap each Env, got {env}"
            )
        acts = {} if first is None else first.acts
        self.kinds = [
            Looped([stage.acts[channel].seat for stage in self._stages if stage is not None], None) for channel in acts
        ]

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def restore(self, who: Array) -> None:
        """Give copies that are about to begin anew their own parameters."""
        for i in np.flatnonzero(who):
            self._perturbers[i].restore()

    def enter(self, batch: Any, who: Array | None) -> Any:
        """Let natures move in copies that have begun, shape (E,), bool; return the observations."""
        return self._each(batch, who, self._enter)

    def drive(self, seen: Sequence[Any] | None, who: Array | None) -> None:
        """Let natures move whose moves count in the coming step."""
        for i, stage in enumerate(self._stages):
            if stage is not None and (who is None or who[i]):
                stage.drive({SINGLE: None if seen is None else seen[i]})

    def land(self, batch: Any, who: Array | None) -> Any:
        """Let natures move the states in which the step has ended; return the observations."""
        stage = self._stages[0]
        return self._each(batch, who, self._land) if stage is not None and stage.lands else batch

    def _each(self, batch: Any, who: Array | None, move: Any) -> Any:
        old = unbatch(self._space, batch, len(self._stages))
        new = [move(i, one) if who is None or who[i] else one for i, one in enumerate(old)]
        return rebatch(self._space, batch, old, new)

    def _enter(self, i: int, said: Any) -> Any:
        stage = self._stages[i]
        if stage is None:
            return said
        stage.restore()  # nothing is left to restore where the copy was told of its reset
        stage.enter()
        return stage.open({SINGLE: said})[SINGLE]

    def _land(self, i: int, said: Any) -> Any:
        stage = self._stages[i]
        return said if stage is None else stage.land({SINGLE: said})[SINGLE]
