"""Natures made of natures: which of several moves, and how often one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from robust_envs.natures.checks import fraction
from robust_envs.natures.drawn import Uniform, WorstCase
from robust_envs.natures.move import (
    Array,
    Cue,
    Stretch,
    check_rests,
    check_shrinks,
    draw_rows,
    is_budget,
    leaves,
)
from robust_envs.natures.played import AsAgents, Replay, check_kind
from robust_envs.sets import UncertaintySet

__all__ = ["Mixture", "Population"]


@final
@dataclass(frozen=True)
class Mixture:
    r"""Let a nature act with some probability, or with some weight: action robustness in its two standard forms.

    With \(\bar a\) the value that the nature puts in place of the nominal \(a\), what is executed is

    - probabilistic (PR-MDP): \(\bar a\) with probability \(\epsilon\), else \(a\), drawn afresh at every move;
    - noisy (NR-MDP, ``noisy=True``): \((1 - \epsilon) a + \epsilon \bar a\), at every move.

    The set says how far \(\bar a\) may lie from \(a\): one that covers the action space is the paper's. Both forms
    work on every channel; choices of a discrete space cannot be averaged, so there only the first does.

    Args:
        epsilon: Probability or weight, in [0, 1].
        nature: Who acts; `AsAgents` too, to train the adversary.
        noisy: Whether nature's value is mixed in always instead of being put in place at times.

    Raises:
        TypeError: If `epsilon` is not a number, or `nature` none.
        ValueError: If `epsilon` is outside [0, 1]; at ``robust()``, if the set does not hold 0 (probabilistic) or the
            fractions of its members (noisy), or `nature` does not fit.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Mixture, Switch, Uniform, robust
        >>> env = robust(gymnasium.make("CartPole-v1"), action=Switch(1.0), nature=Mixture(0.1, Uniform()))

    References:
        Chen Tessler, Yonathan Efroni, Shie Mannor (2019), Action Robust Reinforcement Learning and Applications in
        Continuous Control.
    """

    epsilon: float
    nature: Any
    noisy: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        fraction("epsilon", self.epsilon)
        check_part("nature", self.nature)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The natures this one is made of."""
        return (self.nature,)

    @property
    def looks(self) -> bool:
        """Whether a move depends on the nominal value, whatever its parts do."""
        return self.noisy

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless the set holds what comes out of the mixture."""
        if self.noisy:
            check_shrinks("Mixture(noisy=True)", members)
        else:
            check_rests("Mixture()", members)
        check_plans("Mixture()", self.nature, members)

    def pick(self, stretch: Stretch) -> Cue | None:
        """Say who makes the next move."""
        if self.noisy:
            return Cue(self.nature, stretch.of_part(0), share=self.epsilon)
        return Cue(self.nature, stretch.of_part(0)) if self._acts(stretch)[0] else None

    def course(self, stretch: Stretch) -> Array:
        """Return moves in a row, shape (n, dim)."""
        rows = draw_rows(self.nature, stretch.of_part(0))
        return np.asarray(np.where(self._acts(stretch)[:, None], rows, 0.0))

    def _acts(self, stretch: Stretch) -> Array:
        return stretch.coins.random(stretch.n) < self.epsilon


@final
@dataclass(frozen=True)
class Population:
    """Let one of several natures act: a new one in every episode, or at every move.

    Args:
        natures: Who may act, at least one.
        weights: How often each does, >= 0, not all 0; equally often by default.
        each: ``"episode"`` or ``"move"``: when to draw. Every (channel, agent) draws for itself.

    Raises:
        TypeError: If one of `natures` is none.
        ValueError: If there are no natures, weights do not fit, or `each` is something else; at ``robust()``, if one
            of them does not fit the set.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Impulse, Linf, Periodic, Population, Uniform, robust
        >>> nature = Population([Uniform(), Impulse(at=20), Periodic(period=10)])
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=nature)

    References:
        Eugene Vinitsky, Yuqing Du, Kanaad Parvate, Kathy Jang, Pieter Abbeel, Alexandre Bayen (2020), Robust
        Reinforcement Learning using Adversarial Populations.
    """

    natures: Sequence[Any]
    weights: Sequence[float] | None = field(default=None, kw_only=True)
    each: str = field(default="episode", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.natures, str) or not isinstance(self.natures, Sequence) or not len(self.natures):
            raise ValueError(f"natures must be a sequence of at least one nature, got natures={self.natures!r}")
        object.__setattr__(self, "natures", tuple(self.natures))
        for nature in self.natures:
            check_part("natures", nature, agents=False)
        if self.weights is not None:
            object.__setattr__(self, "weights", self._checked_weights())
        if self.each not in ("episode", "move"):
            raise ValueError(f"each must be 'episode' or 'move', got each={self.each!r}")

    def _checked_weights(self) -> tuple[float, ...]:
        weights = np.asarray(self.weights, np.float64)
        fits = weights.shape == (len(self.natures),) and np.isfinite(weights).all() and bool((weights >= 0).all())
        if not fits or not weights.any():
            raise ValueError(
                f"weights must be {len(self.natures)} numbers >= 0, one for each nature, not all 0, "
                f"got weights={self.weights!r}"
            )
        return tuple(weights.tolist())

    @property
    def parts(self) -> tuple[Any, ...]:
        """The natures this one is made of."""
        return tuple(self.natures)

    looks = False

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless every nature can act alone."""
        for nature in self.natures:
            check_plans("Population()", nature, members)

    def pick(self, stretch: Stretch) -> Cue | None:
        """Say who makes the next move."""
        part = int(self._who(stretch)[0])
        return Cue(self.natures[part], stretch.of_part(part))

    def course(self, stretch: Stretch) -> Array:
        """Return moves in a row, shape (n, dim)."""
        who = self._who(stretch)
        rows = {part: draw_rows(self.natures[part], stretch.of_part(part)) for part in np.unique(who).tolist()}
        return np.array([rows[part][k] for k, part in enumerate(who.tolist())])

    def _who(self, stretch: Stretch) -> Array:
        if self.each == "move":
            return self._draw(stretch.coins.random(stretch.n))
        if "who" not in stretch.memory:
            stretch.memory["who"] = int(self._draw(stretch.coins.random(1))[0])
        return np.full(stretch.n, stretch.memory["who"])

    def _draw(self, coins: Array) -> Array:
        weights = np.ones(len(self.natures)) if self.weights is None else np.asarray(self.weights)
        edges = np.cumsum(weights / weights.sum())
        last = np.flatnonzero(weights)[-1]  # sums of weights round: a coin next to 1 must not fall behind it
        return np.asarray(np.minimum(np.searchsorted(edges, coins, side="right"), last))


def check_part(name: str, nature: Any, *, agents: bool = True) -> None:
    """Raise unless `nature` can be a part of another.

    Raises:
        TypeError: If it is no nature.
        ValueError: If it must stand alone, with the reason.
    """
    check_kind(name, nature)
    for leaf in leaves(nature):
        if isinstance(leaf, Replay):
            raise ValueError(f"{name} must not be Replay(), which repeats a whole episode: give it to robust() itself")
        if isinstance(leaf, AsAgents) and not agents:
            raise ValueError(f"{name} must not be AsAgents() in a Population(), whose natures share one seat")


def check_plans(name: str, nature: Any, members: UncertaintySet) -> None:
    """Raise where a part plans the whole episode: it would not know at which steps it is left out."""
    for leaf in leaves(nature):
        if is_budget(members) and isinstance(leaf, Uniform | WorstCase):
            raise ValueError(
                f"{name} cannot hold {leaf}, which plans a budget over the whole episode: give a set for each step "
                f"and scheduled(budget=...), or a nature that looks at what is left, got {members}"
            )
