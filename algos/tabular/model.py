"""A game with its uncertainty: what every player has to expect of nature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.laws import AmbiguousLaw, CertainLaw, FixedShift, JointShift, PiecewiseLaw, ScenarioLaw
from algos.tabular.rows import Rows
from algos.tabular.specifications import by_player, keeps_support, reward_shift, transition_law
from robust_envs.envs import MarkovGame
from robust_envs.names import close_match

__all__ = ["Answer", "RobustModel"]

Array = Any
RECTANGULAR = ("sa", "s")
COUPLINGS = ("joint", "separate")
NATURES = ("per_agent", "shared")


@dataclass(frozen=True, eq=False)
class Answer:
    """Hold what nature answers with, when it knows what play is worth and, where it may, what is played.

    Args:
        payoffs: (S, A), the expected reward plus the discounted value of going on.
        rewards: (S, A), the expected reward.
        kernel: (S, A, K), the probabilities of the places in `rows`.
        rows: the places.
        values: (S,), what play is worth.
    """

    payoffs: Array
    rewards: Array
    kernel: Array
    rows: Rows
    values: Array

    def under(self, weights: Array) -> tuple[Array, Array]:
        """Return the rewards (S,) and the matrix of moves (S, S) when joint actions have `weights` (S, A)."""
        rewards = self.rows.xp.sum(weights * self.rewards, axis=-1)
        return rewards, self.rows.average(weights, self.kernel, self.values)


@dataclass(frozen=True, eq=False)
class RobustModel:
    """Put a game and its uncertainty into the form in which sweeps use it; joint actions count as one axis A.

    The arguments are those of `robust_value_iteration`.
    """

    game: MarkovGame
    reward_set: Any = None
    transition_set: Any = None
    rectangular: str = "sa"
    nature: str = "per_agent"
    coupling: str = "joint"

    def __post_init__(self) -> None:
        if not isinstance(self.game, MarkovGame):
            raise TypeError(f"game must be a MarkovGame, got {self.game!r}")
        _check_choice("rectangular", self.rectangular, RECTANGULAR)
        _check_choice("coupling", self.coupling, COUPLINGS)
        _check_choice("nature", self.nature, (*NATURES, *self.game.players))
        if self.nature != "per_agent":
            self._check_one_objective()
        self._laws, self._shifts, self._rewards  # noqa: B018 - bad sets are refused here, not in the middle of a sweep
        if self.game.discount == 1:
            self._check_support()

    @cached_property
    def xp(self) -> Any:
        """The library of the game's arrays."""
        return aac.array_namespace(self.game.transitions)

    @property
    def coupled(self) -> bool:
        """Whether nature sees the mixed policies only, and has one choice for all joint actions of a state."""
        return self.rectangular == "s"

    @cached_property
    def alive(self) -> Array:
        """States that are not terminal, (S, 1), as numbers 0 and 1."""
        return self.xp.astype(~self.game.terminal, self.game.transitions.dtype)[:, None]

    @cached_property
    def protagonist(self) -> int | None:
        """The player one nature sides against, together with the other player; None where every player has its own."""
        if self.nature == "per_agent" or self.game.is_team:
            return None
        return 0 if self.nature == "shared" else self.game.player(self.nature)

    def answer(self, player: int, values: Array, weights: Array | None = None) -> Answer:
        """Let nature answer.

        Args:
            player: whose expectations are asked for.
            values: (S,), what play is worth to it from every state on.
            weights: (S, A), how likely each joint action is; nature sees them where `rectangular` is "s".
        """
        if self.protagonist is None or player == self.protagonist:
            return self._worst(player, values, weights)
        # The protagonist's loss is this player's gain, so nature does for it what is worst for the protagonist.
        found = self._worst(self.protagonist, -values, weights)
        return Answer(-found.payoffs, -found.rewards, found.kernel, found.rows, -values)

    def tensor(self, payoffs: Array) -> Array:
        """Return an array (S, A) with one axis for each player's action."""
        return self.xp.reshape(payoffs, (self.game.n_states, *self.game.n_actions))

    def weights(self, policies: tuple[Array, ...]) -> Array:
        """Return how likely each joint action is under independent policies, (S, A)."""
        n_states = self.game.n_states
        weights = policies[0]
        for policy in policies[1:]:
            weights = self.xp.reshape(weights[:, :, None] * policy[:, None, :], (n_states, -1))
        return weights

    def _worst(self, player: int, values: Array, weights: Array | None) -> Answer:
        law, discount = self._laws[player], self.game.discount
        rewards = self._rewards[player]
        places = law.rows.look_up(values)
        if rewards.ndim == 3:  # they depend on where play goes on, and count in nature's choice
            payoffs, kernel = law.worst(rewards + discount * places, weights)
            rewards = self.xp.sum(kernel * rewards, axis=-1)
        else:
            ahead, kernel = law.worst(places, weights)
            payoffs = rewards + discount * ahead
        shift = self._shifts[player].shift(weights)
        if shift is not None:
            payoffs, rewards = payoffs + shift, rewards + shift
        return Answer(payoffs * self.alive, rewards * self.alive, kernel * self.alive[..., None], law.rows, values)

    @cached_property
    def _laws(self) -> list[CertainLaw | AmbiguousLaw | PiecewiseLaw | ScenarioLaw]:
        given = by_player(self.game, "transition_set", self.transition_set)
        whole = self.game.next_state_rewards and self.coupling == "joint"
        made: dict[int, Any] = {}
        for members in given:
            if id(members) not in made:
                made[id(members)] = transition_law(self.game, members, coupled=self.coupled, whole=whole)
        return [made[id(members)] for members in given]

    @cached_property
    def _shifts(self) -> list[FixedShift | JointShift]:
        given = by_player(self.game, "reward_set", self.reward_set)
        return [reward_shift(self.game, members, coupled=self.coupled) for members in given]

    @cached_property
    def _rewards(self) -> list[Array]:
        """For each player rewards (S, A), or (S, A, K) where they count in nature's choice of the next state."""
        game = self.game
        whole = game.next_state_rewards and self.coupling == "joint"
        return [
            self._laws[i].rows.pick(game.rewards[i])
            if whole and not isinstance(self._laws[i], CertainLaw)
            else self.xp.reshape(game.expected_rewards[i], (game.n_states, -1))
            for i in range(game.n_players)
        ]

    def _check_one_objective(self) -> None:
        for name in ("reward_set", "transition_set"):
            if isinstance(getattr(self, name), Mapping):
                raise ValueError(f"{name} must be one set for nature={self.nature!r}, got a dict by player")
        if not (self.game.is_team or self.game.is_zero_sum):
            raise ValueError(
                f"nature must be 'per_agent' in a game that is neither zero-sum nor a team's: one nature needs one "
                f"objective, got nature={self.nature!r}"
            )

    def _check_support(self) -> None:
        for law in self._laws:
            sets = [law.ambiguity] if isinstance(law, AmbiguousLaw) else []
            sets += [members for _, members in law.pieces] if isinstance(law, PiecewiseLaw) else []
            for members in sets:
                if not keeps_support(members):
                    raise ValueError(
                        "transition_set must keep to the nominal support (support_only=True) where discount is 1, or "
                        f"nature could keep play from ever ending, got {members!r}"
                    )


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        hint = close_match(value, choices)
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {name}={value!r}{hint}")


def to_numpy(array: Array) -> Any:
    """Return a numpy array with the same numbers."""
    return array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
