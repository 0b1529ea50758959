"""What a trainer counts between two lines of its log."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from algos.deep.games import Env, Floats

_DEEPEST = 100  # a wrapper that answers every name would never end


class Means:
    """Average named numbers until they are taken; what was gathered so far is part of a checkpoint."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(self, name: str, value: float, count: float = 1.0) -> None:
        """Count one value, or the sum of `count` values."""
        entry = self._sums.setdefault(name, [0.0, 0.0])
        entry[0] += value
        entry[1] += count

    def take(self) -> dict[str, float]:
        """Return the means and start over."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means

    def state(self) -> dict[str, list[float]]:
        """Return what was gathered."""
        return {name: list(entry) for name, entry in self._sums.items()}

    def restore(self, state: Mapping[str, Sequence[float]]) -> None:
        """Take over what `state` returned."""
        self._sums = {name: [float(total), float(count)] for name, (total, count) in state.items()}


class EpisodeReturns:
    """Add up one episode's rewards, as received and, where the environment tells them, nominal."""

    def __init__(self, env: Env, agents: Sequence[str]) -> None:
        self._agents = agents
        self._read_nominal = nominal_reader(env)
        self._received = np.zeros(len(agents))
        self._nominal = np.zeros(len(agents))
        self._length = 0

    def add(self, rewards: Floats) -> None:
        """Count one step's rewards (N,)."""
        self._length += 1
        self._received += rewards
        if self._read_nominal is not None:
            nominal = self._read_nominal()
            self._nominal += [nominal.get(agent, r) for agent, r in zip(self._agents, rewards, strict=True)]

    def report(self, means: Means) -> None:
        """Count the finished episode: `ep_rew_mean` is the nominal return summed over agents, if it is known."""
        known = self._received if self._read_nominal is None else self._nominal
        means.add("rollout/ep_len_mean", float(self._length))
        means.add("rollout/ep_rew_mean", math.fsum(known))
        for agent, value in zip(self._agents, known, strict=True):
            means.add(f"rollout/ep_rew_mean/{agent}", float(value))
        if self._read_nominal is not None:
            means.add("rollout/ep_perturbed_rew_mean", math.fsum(self._received))


def nominal_reader(env: Any) -> Callable[[], Mapping[str, float]] | None:
    """Return a function that reads the last step's nominal rewards by agent, None where no layer tells them.

    The innermost layer that tells is believed: what it calls nominal is what the environment itself said. Its
    `nominal_rewards` are read if it has them, else the reward moves in its `last_move`, which take longer.
    """
    layers: list[Any] = []
    while env is not None and len(layers) < _DEEPEST:
        layers.insert(0, env)
        env = getattr(env, "env", None)
    for layer in layers:
        if hasattr(layer, "nominal_rewards"):
            return partial(getattr, layer, "nominal_rewards")
    tellers = [layer for layer in layers if hasattr(layer, "last_move")]
    return partial(_nominal_of_moves, tellers) if tellers else None


def _nominal_of_moves(layers: Sequence[Any]) -> dict[str, float]:
    nominal: dict[str, float] = {}
    for layer in layers:
        for (channel, agent), move in layer.last_move.items():
            if channel == "reward" and np.size(move.nominal) == 1:
                nominal.setdefault(agent, float(np.asarray(move.nominal).item()))
    return nominal
