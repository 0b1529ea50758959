"""A Markov game as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from robust_envs.envs import _build, _checks, _files

__all__ = ["MarkovGame"]

Array = Any
Names = Sequence[str]


@dataclass(frozen=True, eq=False)
class MarkovGame:
    """Hold a finite Markov game: who gets what, and where play goes on.

    At state s the players choose actions a = (a_1, ..., a_N) at once; player i gets r_i(s, a), or r_i(s, a, s') where
    rewards depend on the next state, and play goes on in s' with probability P(s' | s, a). Every player maximises the
    expected sum of gamma^t r_t. One player makes it a Markov decision process.

    Arrays are numpy or torch; lists become numpy, whole numbers become floats. Nothing is copied that need not be, so
    leave the arrays alone afterwards. A game is compared by identity.

    Args:
        rewards: (N, S, A_1, ..., A_N) or (N, S, A_1, ..., A_N, S), finite.
        transitions: (S, A_1, ..., A_N, S), rows >= 0 that sum to 1.
        discount: gamma, in [0, 1]; 1 only where every policy ends up in a terminal state.
        start: (S,) distribution of the first state; uniform over states that are not terminal by default.
        terminal: (S,) bools: play is over there. Such a state keeps to itself and pays nothing, and nature has no say
            in it. An absorbing state that is not marked is a state like any other.
        agents: names of the players, `player_0`, ... by default.
        actions: for each player the names of its actions.
        states: names of the states.

    Raises:
        ValueError: for shapes that do not fit, entries that are not finite, rows that are no distributions, a discount
            outside [0, 1], or discount 1 where some policy never ends.
        TypeError: for arguments that are not made of numbers.

    Example:
        >>> from robust_envs.envs import MarkovGame
        >>> stay = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]  # state, action, next state
        >>> game = MarkovGame(rewards=[[[1.0, 0.0], [0.0, 0.0]]], transitions=stay, discount=0.9)
        >>> game
        MarkovGame(agents=('player_0',), n_states=2, n_actions=(2,), discount=0.9)

    References:
        L. Shapley, 1953, Stochastic games; M. Littman, 1994, Markov games as a framework for multi-agent
        reinforcement learning.
    """

    rewards: Array
    transitions: Array
    discount: float
    start: Array = field(default=None, kw_only=True)
    terminal: Array = field(default=None, kw_only=True)
    agents: Names | None = field(default=None, kw_only=True)
    actions: Sequence[Names] | None = field(default=None, kw_only=True)
    states: Names | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in _checks.checked(self).items():
            object.__setattr__(self, name, value)

    @property
    def n_players(self) -> int:
        """Number of players N."""
        return int(self.rewards.shape[0])

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.transitions.shape[0])

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Number of actions of each player, (A_1, ..., A_N)."""
        return tuple(int(n) for n in self.transitions.shape[1:-1])

    @property
    def players(self) -> tuple[str, ...]:
        """Names of the players, in their order."""
        return tuple(self.agents or ())

    @property
    def next_state_rewards(self) -> bool:
        """Whether rewards depend on the next state."""
        return bool(self.rewards.ndim == self.transitions.ndim + 1)

    @cached_property
    def expected_rewards(self) -> Array:
        """Rewards in expectation over the next state, (N, S, A_1, ..., A_N)."""
        if not self.next_state_rewards:
            return self.rewards
        return (self.rewards * self.transitions[None]).sum(-1)

    @property
    def is_zero_sum(self) -> bool:
        """Whether there are two players and one's reward is minus the other's, exactly."""
        return bool(self.n_players == 2 and (self.rewards[0] == -self.rewards[1]).all())

    @property
    def is_team(self) -> bool:
        """Whether all players get the same rewards, exactly; true of one player."""
        return all(bool((own == self.rewards[0]).all()) for own in self.rewards)

    def player(self, who: str | int) -> int:
        """Return the index of a player given by name or index.

        Raises:
            ValueError: if there is no such player; the message names the nearest.

        Example:
            >>> from robust_envs.envs import named_game
            >>> named_game("matching-pennies").player("player_1")
            1
        """
        return _checks.index_of(who, self.players)

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        """Return the same game with `function` of each of its arrays of floats, for another library or device.

        Example:
            >>> import numpy as np
            >>> from robust_envs.envs import named_game
            >>> game = named_game("matching-pennies").map_arrays(np.float32)
            >>> game.rewards.dtype
            dtype('float32')
        """
        moved = {name: function(getattr(self, name)) for name in ("rewards", "transitions", "start")}
        return replace(self, **moved)

    @classmethod
    def from_matrix(
        cls,
        *payoffs: Any,
        discount: float = 0.0,
        agents: Names | None = None,
        actions: Sequence[Names] | None = None,
    ) -> Self:
        """Play a matrix game over and over: one state, which is never left.

        Args:
            payoffs: one array (A_1, ..., A_N) for each of N players. A single matrix is a zero-sum game: the column
                player loses what the row player gets. A single vector is a decision of one player.
            discount: in [0, 1); 0 plays the game once.
            agents: names of the players.
            actions: names of the actions of each player.

        Returns:
            A game with one state.

        Raises:
            ValueError: if the payoffs are not N arrays of one shape with N axes.

        Example:
            >>> from robust_envs.envs import MarkovGame
            >>> pennies = MarkovGame.from_matrix([[1, -1], [-1, 1]])
            >>> pennies.n_players, pennies.n_states, pennies.n_actions
            (2, 1, (2, 2))
        """
        rewards, transitions = _build.repeated(payoffs)
        return cls(rewards, transitions, discount, agents=agents, actions=actions)

    @classmethod
    def from_gymnasium(cls, env: Any, *, discount: float = 0.99, unseen_reward: float | None = None) -> Self:
        """Read the table `P` of a Gymnasium toy-text environment: FrozenLake, CliffWalking, Taxi.

        `P[s][a]` lists (probability, next state, reward, terminated). A state that is entered with `terminated` is
        terminal; where the same state can also be passed through, one more state, the last, stands for the end.

        A nature that leaves the nominal support needs rewards the table does not hold. Where rewards depend on (s, a)
        only, or on the next state only, they are continued that way; otherwise by `unseen_reward`, or, where that is
        None, by the mean of the rewards listed at (s, a).

        Args:
            env: the environment, wrapped or not.
            discount: in [0, 1].
            unseen_reward: what a move pays that is not in the table.

        Returns:
            A game of one player; its states are those of the environment.

        Raises:
            TypeError: if `env` has no table `P`.
            ValueError: if the table is no Markov decision process.

        Example:
            >>> import gymnasium
            >>> from robust_envs.envs import MarkovGame
            >>> MarkovGame.from_gymnasium(gymnasium.make("FrozenLake-v1"))
            MarkovGame(agents=('player_0',), n_states=16, n_actions=(4,), discount=0.99)
        """
        return cls(discount=discount, **_build.from_table(env, unseen_reward))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the game to a `.npz` file of plain arrays, whole or not at all.

        Example:
            >>> import tempfile, pathlib
            >>> from robust_envs.envs import MarkovGame, named_game
            >>> path = pathlib.Path(tempfile.mkdtemp()) / "chicken.npz"
            >>> named_game("chicken").save(path)
            >>> MarkovGame.load(path).players
            ('player_0', 'player_1')
        """
        _files.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote; nothing in the file is ever executed.

        Raises:
            ValueError: if the file is no saved game or was written by a newer version.
        """
        return cls(**_files.load(path))

    def __repr__(self) -> str:
        shape = f"n_states={self.n_states}, n_actions={self.n_actions}"
        return f"{type(self).__name__}(agents={self.players!r}, {shape}, discount={self.discount!r})"
