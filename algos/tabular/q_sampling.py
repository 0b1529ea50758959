"""Where Q-learning has its samples from: every place in turn, or play; one stream of random numbers per seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algos.tabular.q_targets import Samples
from robust_envs.envs import MarkovGame

__all__ = ["Streams", "World", "climb"]

BLOCK = 256  # rounds whose random numbers are drawn at once; more or fewer give the same numbers
LEVEL = 0.6  # chance that a multilevel estimate stops at the next level: in (1/2, 3/4) cost and variance are finite


class Streams:
    """Hold one generator per seed, so that what a seed learns does not depend on which others learn beside it."""

    def __init__(self, seeds: tuple[int, ...]) -> None:
        self.generators = [np.random.default_rng(seed) for seed in seeds]

    def uniforms(self, rounds: int, width: int) -> NDArray[np.float64]:
        """Return numbers in [0, 1), (rounds, E, width)."""
        return np.stack([rng.random((rounds, width)) for rng in self.generators], axis=1)

    def halves(self, kernel: NDArray[np.float64]) -> tuple[Any, Any, NDArray[np.float64]]:
        """Draw two times 2^n samples from each row, n geometric: counts (E, M, S) twice and the chances (E, M) of n.

        Args:
            kernel: (E, M, S).
        """
        even, odd, chance = [], [], []
        for rng, rows in zip(self.generators, kernel, strict=True):
            level = rng.geometric(LEVEL, len(rows)) - 1
            even.append(rng.multinomial(2**level, rows))
            odd.append(rng.multinomial(2**level, rows))
            chance.append(LEVEL * (1 - LEVEL) ** level)
        return np.stack(even), np.stack(odd), np.stack(chance)

    @property
    def state(self) -> list[Any]:
        """All that the streams need to go on, as plain numbers and words."""
        return [rng.bit_generator.state for rng in self.generators]

    @state.setter
    def state(self, states: list[Any]) -> None:
        for rng, state in zip(self.generators, states, strict=True):
            rng.bit_generator.state = state


class World:
    """Draw next states and first states of a game."""

    def __init__(self, game: MarkovGame) -> None:
        self.n_states, self.sizes = game.n_states, game.n_actions
        self.joint = int(np.prod(self.sizes))
        kernel = np.asarray(game.transitions, dtype=np.float64).reshape(-1, self.n_states)
        self.kernel = kernel / kernel.sum(axis=1, keepdims=True)
        self.ladder = _ladder(kernel)
        self.terminal = np.asarray(game.terminal, dtype=np.bool_)
        self.first = _ladder(np.asarray(game.start, dtype=np.float64))

    def everywhere(self, uniforms: NDArray[np.float64]) -> Samples:
        """Sample the next state of every place once; uniforms (E, P)."""
        places = np.broadcast_to(np.arange(len(self.ladder)), uniforms.shape)
        return Samples(places, climb(self.ladder, uniforms))

    def play(
        self, states: NDArray[np.intp], policies: tuple[NDArray[np.float64], ...], exploration: float, uniforms: Any
    ) -> Samples:
        """Let everybody act once and sample what follows.

        Args:
            states: (E,), where the seeds stand.
            policies: one (E, A_i) for each player, at these states.
            exploration: chance that all act uniformly instead.
            uniforms: (E, N + 2).
        """
        wander = uniforms[:, 0] < exploration
        joint = np.zeros_like(states)
        for player, (policy, size) in enumerate(zip(policies, self.sizes, strict=True)):
            mixed = np.where(wander[:, None], 1.0 / size, policy)
            joint = joint * size + climb(_ladder(mixed), uniforms[:, 1 + player])
        places = states * self.joint + joint
        return Samples(places[:, None], climb(self.ladder[places], uniforms[:, -1])[:, None])

    def begin(self, uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
        """Draw first states (E,)."""
        return climb(self.first, uniforms)


def climb(ladder: NDArray[np.float64], uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return which step of each ladder (..., S) the numbers (...) fall on."""
    found: NDArray[np.intp] = (uniforms[..., None] >= ladder).sum(axis=-1)
    return found


def _ladder(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cumulated probabilities that end in 1, so that nothing falls on a step of probability 0."""
    ladder = np.cumsum(rows, axis=-1)
    ladder /= ladder[..., -1:]
    return ladder
