"""Markov games played: the arrays as environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete, Space
from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from robust_envs.envs._checks import whole
from robust_envs.envs.markov_game import MarkovGame

__all__ = ["MarkovDecisionEnv", "MarkovGameEnv"]


class _Table:
    """Hold a game's arrays in the form in which one step is cheap."""

    def __init__(self, game: MarkovGame) -> None:
        if not isinstance(game, MarkovGame):
            raise TypeError(f"game must be a MarkovGame, got {game!r}")
        plain = {name: _numpy(getattr(game, name)) for name in ("rewards", "transitions", "start", "terminal")}
        self.rewards = np.moveaxis(plain["rewards"], 0, -1)
        self.transitions, self.terminal = plain["transitions"], plain["terminal"]
        self.first = _ladder(plain["start"])

    def begin(self, rng: np.random.Generator) -> int:
        return _climb(self.first, rng)

    def step(self, state: int, actions: tuple[int, ...], rng: np.random.Generator) -> tuple[int, NDArray[Any], bool]:
        place = (state, *actions)
        following = _climb(_ladder(self.transitions[place]), rng)
        paid = self.rewards[place] if self.rewards.ndim == self.transitions.ndim else self.rewards[(*place, following)]
        return following, paid, bool(self.terminal[following])


class MarkovGameEnv(ParallelEnv[str, np.int64, np.int64]):
    """Play a Markov game as a PettingZoo ParallelEnv: everybody sees the state and all act at once.

    Observations are the state, `Discrete(S)`; actions are `Discrete(A_i)`; `state()` is the state as well. A terminal
    state terminates; the horizon truncates. The discount is the learner's business: no reward is discounted here.

    Args:
        game: the game.
        horizon: steps after which an episode is cut, or None for never.
        render_mode: "ansi" makes `render` return the latest move in words.

    Raises:
        TypeError: if `game` is no MarkovGame.
        ValueError: for a horizon below 1, or an unknown `render_mode`.

    Example:
        >>> from robust_envs import Linf, WorstCase, robust
        >>> from robust_envs.envs import MarkovGameEnv, named_game
        >>> env = robust(MarkovGameEnv(named_game("stag-hunt"), horizon=10), reward=Linf(0.5), nature=WorstCase())
        >>> observations, infos = env.reset(seed=0)
        >>> env.step({"player_0": 0, "player_1": 0})[1]
        {'player_0': 3.5, 'player_1': 3.5}
    """

    def __init__(self, game: MarkovGame, *, horizon: int | None = None, render_mode: str | None = None) -> None:
        self._table = _Table(game)
        self.metadata = {"name": "markov_game_v0", "is_parallelizable": True, "render_modes": ["ansi"]}
        self.game = game
        self.horizon = None if horizon is None else whole("horizon", horizon, 1)
        self.render_mode = _checked_mode(render_mode)
        self.possible_agents = list(game.players)
        self.agents: list[str] = []
        self.observation_spaces: dict[str, Space[np.int64]] = {
            agent: Discrete(game.n_states) for agent in self.possible_agents
        }
        self.action_spaces: dict[str, Space[np.int64]] = {
            agent: Discrete(n) for agent, n in zip(self.possible_agents, game.n_actions, strict=True)
        }
        self.state_space = Discrete(game.n_states)
        self._rng = np.random.default_rng()
        self._state, self._steps, self._story = 0, 0, ""

    def observation_space(self, agent: str) -> Space[np.int64]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[np.int64]:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.int64], dict[str, dict[str, Any]]]:
        """Begin an episode.

        Args:
            seed: of the states to come; None goes on with the present stream.
            options: `{"state": s}` begins in state s.

        Returns:
            The state and an empty info for every player.

        Raises:
            ValueError: if there is no such state.
        """
        if seed is not None:
            self._rng, _ = seeding.np_random(seed)
        self._state = _first_state(self._table, self.game, options, self._rng)
        self._steps, self.agents, self._story = 0, list(self.possible_agents), _tell_state(self.game, self._state)
        return self._observe(), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, np.int64 | int]
    ) -> tuple[dict[str, np.int64], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Let all players act.

        Args:
            actions: an action for every player.

        Returns:
            States, rewards, terminations, truncations and empty infos, by player.

        Raises:
            ValueError: for a missing or unknown player, or an action outside its space.
            RuntimeError: when the episode is over.
        """
        if not self.agents:
            raise RuntimeError("the episode is over, or has not begun: call reset() before step()")
        joint = tuple(_checked_action(self.game, i, agent, actions) for i, agent in enumerate(self.agents))
        before = self._state
        self._state, rewards, over = self._table.step(before, joint, self._rng)
        self._steps += 1
        cut = self.horizon is not None and self._steps >= self.horizon and not over
        agents = self.agents
        observations = self._observe()
        paid = {agent: float(reward) for agent, reward in zip(agents, rewards, strict=True)}
        self._story = _tell_move(self.game, before, joint, list(paid.values()), self._state)
        if over or cut:
            self.agents = []
        return (
            observations,
            paid,
            dict.fromkeys(agents, over),
            dict.fromkeys(agents, cut),
            {agent: {} for agent in agents},
        )

    def state(self) -> NDArray[np.int64]:
        """Return the state, a 0-d array."""
        return np.asarray(self._state, dtype=np.int64)

    def render(self) -> str | None:
        """Return the latest move in words, in `render_mode="ansi"`."""
        return self._story if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _observe(self) -> dict[str, np.int64]:
        return {agent: np.int64(self._state) for agent in self.agents}


class MarkovDecisionEnv(gymnasium.Env[np.int64, np.int64]):
    """Play a Markov game of one player as a Gymnasium Env.

    Args:
        game: a game of one player.
        horizon: steps after which an episode is cut, or None for never.
        render_mode: "ansi" makes `render` return the latest move in words.

    Raises:
        TypeError: if `game` is no MarkovGame.
        ValueError: if the game has several players, for a horizon below 1, or an unknown `render_mode`.

    Example:
        >>> from robust_envs.envs import MarkovDecisionEnv, named_game
        >>> env = MarkovDecisionEnv(named_game("riverswim"), horizon=20)
        >>> observation, info = env.reset(seed=0)
        >>> int(env.step(1)[0]) in (0, 1)
        True
    """

    def __init__(self, game: MarkovGame, *, horizon: int | None = None, render_mode: str | None = None) -> None:
        self._table = _Table(game)
        if game.n_players != 1:
            raise ValueError(f"game must have one player, got {game.n_players}: play it as a MarkovGameEnv")
        self.metadata = {"render_modes": ["ansi"]}
        self.game = game
        self.horizon = None if horizon is None else whole("horizon", horizon, 1)
        self.render_mode = _checked_mode(render_mode)
        self.observation_space: Space[np.int64] = Discrete(game.n_states)
        self.action_space: Space[np.int64] = Discrete(game.n_actions[0])
        self._state, self._steps, self._story, self._playing = 0, 0, "", False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Begin an episode; `options={"state": s}` begins in state s."""
        super().reset(seed=seed)
        self._state = _first_state(self._table, self.game, options, self.np_random)
        self._steps, self._playing, self._story = 0, True, _tell_state(self.game, self._state)
        return np.int64(self._state), {}

    def step(self, action: np.int64 | int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Act.

        Raises:
            ValueError: for an action outside the space.
            RuntimeError: when the episode is over.
        """
        if not self._playing:
            raise RuntimeError("the episode is over, or has not begun: call reset() before step()")
        agent = self.game.players[0]
        joint = (_checked_action(self.game, 0, agent, {agent: action}),)
        before = self._state
        self._state, rewards, over = self._table.step(before, joint, self.np_random)
        self._steps += 1
        cut = self.horizon is not None and self._steps >= self.horizon and not over
        self._playing = not (over or cut)
        self._story = _tell_move(self.game, before, joint, [float(rewards[0])], self._state)
        return np.int64(self._state), float(rewards[0]), over, cut, {}

    def render(self) -> str | None:
        """Return the latest move in words, in `render_mode="ansi"`."""
        return self._story if self.render_mode == "ansi" else None


def _ladder(p: NDArray[Any]) -> NDArray[Any]:
    return np.cumsum(p)


def _climb(ladder: NDArray[Any], rng: np.random.Generator) -> int:
    """Draw an index; the last rung is what rounding left of 1, so that nothing of probability 0 is ever drawn."""
    return int(np.searchsorted(ladder, rng.random() * ladder[-1], side="right"))


def _first_state(table: _Table, game: MarkovGame, options: dict[str, Any] | None, rng: np.random.Generator) -> int:
    if options is None or "state" not in options:
        return table.begin(rng)
    state = options["state"]
    return whole("state", state, 0, game.n_states)


def _checked_action(game: MarkovGame, player: int, agent: str, actions: Mapping[str, Any]) -> int:
    if agent not in actions or len(actions) != game.n_players:
        raise ValueError(
            f"actions must be for {', '.join(game.players)}, got actions for {', '.join(map(str, actions))}"
        )
    action, n = actions[agent], game.n_actions[player]
    if isinstance(action, np.ndarray) and action.shape == ():
        action = action[()]
    return whole(f"action of {agent}", action, 0, n)


def _checked_mode(mode: Any) -> str | None:
    if mode not in (None, "ansi"):
        raise ValueError(f"render_mode must be None or 'ansi', got render_mode={mode!r}")
    return None if mode is None else str(mode)


def _tell_state(game: MarkovGame, state: int) -> str:
    return str(game.states[state]) if game.states is not None else f"state {state}"


def _tell_move(game: MarkovGame, state: int, joint: tuple[int, ...], rewards: list[float], following: int) -> str:
    names = [game.actions[i][a] if game.actions is not None else str(a) for i, a in enumerate(joint)]
    paid = ", ".join(f"{reward:g}" for reward in rewards)
    return f"{_tell_state(game, state)} --({', '.join(names)}: {paid})-> {_tell_state(game, following)}"


def _numpy(array: Any) -> NDArray[Any]:
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
