"""What Q-learning moves towards: sampled worst cases of transitions, and the rewards nature may choose from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algos.tabular.specifications import by_player
from robust_envs import AmbiguitySet, Contamination, CVaR, Finite, Scenarios, UncertaintySet
from robust_envs.envs import MarkovGame
from robust_envs.sets import Joint, PerEpisode

__all__ = ["ESTIMATORS", "Ahead", "RewardChoices", "Samples"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
ESTIMATORS = ("auto", "sample", "plug_in", "multilevel")


@dataclass(frozen=True, eq=False)
class Samples:
    """Hold what was seen at some places (a place is a state and a joint action, counted through as one number).

    Attributes:
        places: (E, M).
        following: (E, M), the next state.
        counts: (E, P, S), how often each place led where, this time included; None where nobody needs it.
        halves: two (E, M, S), how 2^n fresh samples each fell, and below the chance (E, M) of that n; None likewise.
        chance: see `halves`.
    """

    places: Places
    following: Places
    counts: Any = None
    halves: tuple[Any, Any] | None = None
    chance: Any = None


@dataclass(frozen=True, eq=False)
class Ahead:
    """Estimate one player's worst expectation of reward and value ahead, from samples.

    Args:
        rewards: (P, S), of the move from each place to each state.
        ambiguity: the set of distributions, or None.
        estimator: "sample", "plug_in" or "multilevel".
        discount: gamma.
    """

    rewards: Floats
    ambiguity: AmbiguitySet | None
    estimator: str
    discount: float

    @classmethod
    def of_players(cls, game: MarkovGame, given: Any, estimator: str) -> list[Ahead]:
        """Read `transition_set` for every player.

        Raises:
            ValueError: for an estimator that does not suit a set, or a radius that does not fit the game.
            TypeError: for what is no set of distributions.
        """
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, got estimator={estimator!r}")
        table = _moves(game)
        sets = [_ambiguity(game, members) for members in by_player(game, "transition_set", given)]
        return [cls(table[i], members, _estimator(members, estimator), game.discount) for i, members in enumerate(sets)]

    def __call__(self, values: Floats, samples: Samples) -> Floats:
        """Return the estimates (E, M) when play is worth `values` (E, S) from each state on.

        `sample` has the expectation of the exact backup at these values wherever that is linear in the kernel (no set,
        contamination); `multilevel` has it for every set; `plug_in` is the worst case around the observed frequencies,
        which tends to the exact one as they do.
        """
        seeds = np.arange(len(values))[:, None]
        seen: Floats = self.discount * values[seeds, samples.following]
        seen += self.rewards[samples.places, samples.following]
        if self.ambiguity is None:
            return seen
        ahead = self.discount * values[:, None] + self.rewards[samples.places]
        members = self._at(samples.places)
        if self.estimator == "sample":
            size = np.asarray(members.radius)  # type: ignore[attr-defined]
            mixed: Floats = (1 - size) * seen + size * ahead.min(axis=-1)
            return mixed
        if self.estimator == "plug_in":
            return _worst(members, ahead, samples.counts[seeds, samples.places])
        assert samples.halves is not None
        even, odd = samples.halves
        single = _worst(members, ahead, (np.arange(ahead.shape[-1]) == samples.following[..., None]).astype(np.float64))
        finer = _worst(members, ahead, even + odd)
        coarser = (_worst(members, ahead, even) + _worst(members, ahead, odd)) / 2
        estimate: Floats = single + (finer - coarser) / samples.chance
        return estimate

    def _at(self, places: Places) -> AmbiguitySet:
        """Return the set with the radius of each place."""
        assert self.ambiguity is not None
        name = _size(self.ambiguity)
        if name is None or np.ndim(getattr(self.ambiguity, name)) == 0:
            return self.ambiguity
        return replace(self.ambiguity, **{name: np.asarray(getattr(self.ambiguity, name))[places]})  # type: ignore[type-var]


def _worst(members: AmbiguitySet, ahead: Floats, counts: Any) -> Floats:
    worst: Floats = members.worst_case(ahead, counts / counts.sum(axis=-1, keepdims=True))[0]
    return worst


def _moves(game: MarkovGame) -> Floats:
    """Return the rewards of moves, (N, P, S); where they do not depend on the next state a view of (N, P, 1)."""
    rewards = np.asarray(game.rewards, dtype=np.float64)
    n_states, places = game.n_states, game.n_states * int(np.prod(game.n_actions))
    if game.next_state_rewards:
        return rewards.reshape(game.n_players, places, n_states)
    return np.broadcast_to(rewards.reshape(game.n_players, places, 1), (game.n_players, places, n_states))


def _ambiguity(game: MarkovGame, members: Any) -> AmbiguitySet | None:
    """Return a set with a number or one radius per place as its size; None for one that holds the nominal only."""
    if members is None:
        return None
    if not isinstance(members, AmbiguitySet):
        raise TypeError(f"transition_set must be a set of distributions or a dict by player of those, got {members!r}")
    name = _size(members)
    if name is None:
        return members
    size = np.asarray(getattr(members, name))
    if np.all(size == (1 if name == "alpha" else 0)):
        return None
    if size.ndim == 0:
        return members
    full = (game.n_states, *game.n_actions)
    try:
        spread = np.broadcast_to(size, full).reshape(-1)
    except ValueError as error:
        raise ValueError(f"transition_set's {name} must fit (S, A_1, ..., A_N) = {full}, got {size.shape}") from error
    return replace(members, **{name: spread})  # type: ignore[type-var]


def _size(members: AmbiguitySet) -> str | None:
    if isinstance(members, Scenarios):
        return None
    return "alpha" if isinstance(members, CVaR) else "radius"


def _estimator(members: AmbiguitySet | None, asked: str) -> str:
    linear = members is None or (isinstance(members, Contamination) and not members.support_only)
    if asked == "auto":
        return "sample" if linear else "plug_in"
    if asked == "sample" and not linear:
        raise ValueError(
            f"estimator='sample' is for Contamination (a worst case that is linear in the kernel), got {members!r}; "
            "use 'plug_in' or 'multilevel'"
        )
    return "sample" if members is None else asked


@dataclass(frozen=True, eq=False)
class RewardChoices:
    """Hold the rewards among which each player's nature chooses, as deltas of the nominal ones.

    Attributes:
        deltas: (N, K, P); K = 1 and all 0 where rewards are certain.
        whole: whether nature chooses one k for all joint actions of a state (the paper's vector of rewards), and not
            one for each of them.
    """

    deltas: Floats
    whole: bool

    @classmethod
    def of_players(cls, game: MarkovGame, given: Any) -> RewardChoices:
        """Read `reward_set` for every player.

        Raises:
            ValueError: for widths that do not fit the game.
            TypeError: for what is no set of deltas.
        """
        sets = by_player(game, "reward_set", given)
        choices = [_deltas(game, members) for members in sets]
        whole = any(isinstance(members, Finite) for members in sets)
        if not any(np.any(deltas) for deltas in choices):
            return cls(np.zeros((game.n_players, 1, _count(game))), whole=False)
        if whole and not all(members is None or isinstance(members, Finite) for members in sets):
            raise ValueError("reward_set must be Finite for every player or for none: nature moves once for all")
        most = max(len(deltas) for deltas in choices)
        padded = [np.concatenate([deltas, np.repeat(deltas[:1], most - len(deltas), axis=0)]) for deltas in choices]
        return cls(np.stack(padded), whole)


def _count(game: MarkovGame) -> int:
    return game.n_states * int(np.prod(game.n_actions))


def _deltas(game: MarkovGame, members: Any) -> Floats:
    """Return what one nature may add, (K, P): whole vectors of a state, or at each place 0 and the least delta."""
    places = _count(game)
    if members is None:
        return np.zeros((1, places))
    if isinstance(members, Joint | PerEpisode):
        raise ValueError(f"reward_set must be one set for each player and state, got {members!r}")
    if isinstance(members, Finite):
        joint = places // game.n_states
        vectors = np.asarray(members.bind(joint).members, dtype=np.float64)
        return np.tile(vectors, (1, game.n_states))
    if isinstance(members, UncertaintySet):
        least = np.full(places, float(members.bind(1).worst([1.0])[0]))
    else:
        least = -_widths(game, members)
    return np.stack([np.zeros(places), least])


def _widths(game: MarkovGame, given: Any) -> Floats:
    full = (game.n_states, *game.n_actions)
    try:
        widths = np.broadcast_to(np.asarray(given, dtype=np.float64), full).reshape(-1)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"reward_set must be a set of deltas, half-widths that fit (S, A_1, ..., A_N) = {full}, or a dict by "
            f"player of those, got {given!r}"
        ) from error
    if not np.all(np.isfinite(widths)) or np.any(widths < 0):
        raise ValueError("reward_set must have half-widths that are finite and >= 0")
    return widths
