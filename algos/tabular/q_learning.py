"""Robust Nash Q-learning from samples, many seeds at once."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algos.tabular import q_files
from algos.tabular.q_sampling import BLOCK, Streams, World
from algos.tabular.q_steps import StepSize
from algos.tabular.q_targets import Ahead, RewardChoices, Samples
from algos.tabular.stage import NoEquilibrium, StageSolution, solve
from robust_envs.envs import MarkovGame

__all__ = ["NashQ", "minimax_q", "robust_q"]

Floats = NDArray[np.float64]


class NashQ:
    r"""Learn a robust Nash equilibrium of a Markov game from samples of it, for many seeds at once.

    Every player i keeps a table over states, joint actions and the rewards its nature may choose,

        Q_i(s, a, R) <- (1 - alpha) Q_i(s, a, R) + alpha [ R + discount * W_i(s, a) ],

    where V_i(s') = E_(a' ~ x(s')) Q_i(s', a', R') is what the stage game made of the present tables at s' is worth at
    the equilibrium x of the players and the choice R' of the natures there, and W_i estimates the least expectation of
    V_i over the set of kernels from samples of the nominal one. A visit to (s, a) updates all R. With nothing
    uncertain it is Nash-Q, with payoffs of constant sum minimax-Q, with one player Q-learning; sets of radius 0 give
    the same numbers, bit for bit.

    It converges if every place is visited without end, steps shrink as `StepSize` does and every stage game met has an
    equilibrium that is best for all, or a saddle point (Hu and Wellman). Without the last condition it may settle in
    another equilibrium than value iteration, or in none: certify what it found with `robust_exploitability`.

    What may be a `reward_set`: half-widths that fit (S, A_1, ..., A_N), or a set of deltas for every single reward: at
    each place nature then chooses between the nominal reward and the least one. Or `Finite` vectors of deltas over the
    joint actions: nature then chooses one vector for a state, without seeing the actions, and is a player of the stage
    game. What may be a `transition_set`: a set of distributions, its radius a number or fitting (S, A_1, ..., A_N).
    Either may be a dict by player.

    Args:
        game: the nominal game, which is sampled; rewards are read off it.
        reward_set: uncertainty of rewards.
        transition_set: uncertainty of the kernel.
        estimator: of the worst case of transitions. "sample": one next state, unbiased, for `Contamination` and where
            nothing is uncertain. "plug_in": the worst case around the frequencies seen so far, for every set;
            consistent, not unbiased. "multilevel": unbiased for every set, from 1 + 2^(n + 1) next states with n
            geometric, 7 on average; sweeps only. "auto": "sample" where that is possible, else "plug_in".
        sampling: "sweeps" samples every place once per round (a generative model). "episodes" plays: one place per
            round, from the start on.
        exploration: chance that a round of an episode is played uniformly, in (0, 1].
        horizon: rounds after which an episode starts again, or None for only at terminal states.
        step_size: see `StepSize`.
        selection: which equilibrium of a stage game, see `algos.tabular.stage.solve`.
        kind: "auto", "nash" or "zero_sum", see there.
        seeds: how many seeds (0, 1, ...), or which.

    Raises:
        ValueError: for sets that do not fit the game, or options out of range.
        TypeError: for what is no game or no set.

    Example:
        >>> from robust_envs import Contamination
        >>> from robust_envs.envs import named_game
        >>> learner = NashQ(named_game("matching-pennies"), reward_set=0.25, seeds=3)
        >>> learner.learn(200).values.shape
        (3, 2, 1)

    References:
        K. Zhang et al., 2020, Robust multi-agent reinforcement learning with model uncertainty, equation 3.3; J. Hu,
        M. Wellman, 2003, Nash Q-learning for general-sum stochastic games; Y. Wang, S. Zou, 2021, Online robust
        reinforcement learning with model uncertainty; Z. Liu et al., 2022, Distributionally robust Q-learning.
    """

    def __init__(
        self,
        game: MarkovGame,
        *,
        reward_set: Any = None,
        transition_set: Any = None,
        estimator: str = "auto",
        sampling: str = "sweeps",
        exploration: float = 0.2,
        horizon: int | None = None,
        step_size: StepSize | None = None,
        selection: str = "welfare",
        kind: str = "auto",
        seeds: int | tuple[int, ...] = 1,
    ) -> None:
        _check(game, sampling, exploration, horizon, kind)
        self.game, self.seeds = game, _seeds(seeds)
        self.step_size = StepSize() if step_size is None else step_size
        self.sampling, self.exploration, self.horizon = sampling, float(exploration), horizon
        self.selection, self.kind = selection, kind
        self._world, self._streams = World(game), Streams(self.seeds)
        self._choices = RewardChoices.of_players(game, reward_set)
        self._ahead = Ahead.of_players(game, transition_set, estimator)
        if self._choices.whole and selection in ("egalitarian", "payoff_dominant"):
            raise ValueError(
                f"selection={selection!r} is not for natures that choose a whole vector: it would be theirs too"
            )
        uses = {ahead.estimator for ahead in self._ahead}
        if sampling == "episodes" and "multilevel" in uses:
            raise ValueError("estimator='multilevel' draws many next states of a place: it needs sampling='sweeps'")
        shape = len(self.seeds), len(self._world.ladder)
        self._multilevel = "multilevel" in uses
        self._options = repr((reward_set, transition_set, estimator, sampling, exploration, horizon, self.step_size))
        self._options += repr((selection, kind, self.seeds))
        self.visits = np.zeros(shape, dtype=np.int64)
        self._counts = np.zeros((*shape, game.n_states)) if "plug_in" in uses else None
        self._table = np.zeros((shape[0], game.n_players, self._choices.deltas.shape[1], shape[1]))
        self._place = self._world.begin(self._streams.uniforms(1, 1)[0, :, 0])
        self._clock = np.zeros(shape[0], dtype=np.int64)
        self.rounds, self.failures = 0, np.zeros(shape[0], dtype=np.int64)
        self.values = np.zeros((shape[0], game.n_players, game.n_states))
        self.policies = tuple(np.full((shape[0], game.n_states, size), 1.0 / size) for size in game.n_actions)
        self._meet(np.broadcast_to(np.arange(game.n_states), (shape[0], game.n_states)))

    @property
    def q(self) -> Floats:
        """The tables: (E, N, S, A_1, ..., A_N), under the rewards that are worst where nature chooses at each place.

        Where it chooses one of K vectors for a state, (E, N, K, S, A_1, ..., A_N).
        """
        game, table = self.game, self._table
        if self._choices.whole:
            return table.reshape(*table.shape[:3], game.n_states, *game.n_actions).copy()
        worst: Floats = table.min(axis=2).reshape(*table.shape[:2], game.n_states, *game.n_actions)
        return worst

    def learn(self, rounds: int) -> NashQ:
        """Learn for some more rounds; learning in two parts is learning in one.

        Args:
            rounds: sweeps over all places, or moves of an episode, for each seed.

        Returns:
            The learner itself.

        Raises:
            ValueError: if `rounds` is no number of rounds.
        """
        if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 0:
            raise ValueError(f"rounds must be an int >= 0, got rounds={rounds!r}")
        width = len(self._world.ladder) if self.sampling == "sweeps" else self.game.n_players + 3
        # Draws of two kinds alternate where counts are drawn as well; then the numbers of a round are drawn together.
        block = 1 if self._multilevel else BLOCK
        for start in range(0, rounds, block):
            for uniforms in self._streams.uniforms(min(block, rounds - start), width):
                self._sweep(uniforms) if self.sampling == "sweeps" else self._move(uniforms)
                self.rounds += 1
        return self

    def update(self, states: Any, actions: Any, following: Any) -> None:
        """Learn from one move of each seed that was made elsewhere, such as in an environment.

        Args:
            states: (E,) int.
            actions: (E, N) int.
            following: (E,) int, the next states.

        Raises:
            ValueError: for numbers that are no states or actions of the game.
        """
        states, actions, following = (np.asarray(array, dtype=np.intp) for array in (states, actions, following))
        count = len(self.seeds)
        if states.shape != (count,) or following.shape != (count,) or actions.shape != (count, self.game.n_players):
            raise ValueError(f"states, actions and following must be of {count} seeds, got shape {states.shape}")
        bounds = (self.game.n_states, *self.game.n_actions, self.game.n_states)
        columns = (states, *actions.T, following)
        if any((column < 0).any() or (column >= bound).any() for column, bound in zip(columns, bounds, strict=True)):
            raise ValueError("states, actions and following must be those of the game")
        places = np.ravel_multi_index((states, *actions.T), (self.game.n_states, *self.game.n_actions))
        self._learn_from(Samples(places[:, None], following[:, None]))
        self._meet(states[:, None])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that learning goes on from to a `.npz` file, whole or not at all."""
        q_files.save(path, self._identity(), self._state(), self._streams.state)

    def restore(self, path: str | os.PathLike[str]) -> NashQ:
        """Go on from where a learner of the same game and options was saved; the continuation is the same, bit for bit.

        Returns:
            The learner itself.

        Raises:
            ValueError: if the file is no saved learner, or of another game or other options.
        """
        state, streams = q_files.load(path, self._identity(), self._state())
        for name, array in state.items():
            if name.startswith("policy_"):
                self.policies[int(name.removeprefix("policy_"))][...] = array
            elif name == "rounds":
                self.rounds = int(array)
            else:
                getattr(self, name)[...] = array
        self._streams.state = streams
        return self

    def _sweep(self, uniforms: Floats) -> None:
        samples = self._world.everywhere(uniforms)
        if self._multilevel:
            rows = np.broadcast_to(self._world.kernel, (len(self.seeds), *self._world.kernel.shape))
            even, odd, chance = self._streams.halves(rows)
            samples = replace(samples, halves=(even, odd), chance=chance)
        self._learn_from(samples)
        self._meet(np.broadcast_to(np.arange(self.game.n_states), (len(self.seeds), self.game.n_states)))

    def _move(self, uniforms: Floats) -> None:
        seeds = np.arange(len(self.seeds))
        here = self._place
        policies = tuple(policy[seeds, here] for policy in self.policies)
        samples = self._world.play(here, policies, self.exploration, uniforms[:, 1:])
        self._learn_from(samples)
        self._meet(here[:, None])
        self._clock += 1
        following = samples.following[:, 0]
        over = self._world.terminal[following] | (self._clock == (self.horizon or 0))
        self._place = np.where(over, self._world.begin(uniforms[:, 0]), following)
        self._clock[over] = 0

    def _learn_from(self, samples: Samples) -> None:
        seeds, places = np.arange(len(self.seeds))[:, None], samples.places
        if self._counts is not None:
            self._counts[seeds, places, samples.following] += 1
            samples = replace(samples, counts=self._counts)
        alpha = self.step_size.after(self.visits[seeds, places], self.game.discount)
        self.visits[seeds, places] += 1
        alive = ~self._world.terminal[places // self._world.joint]
        for player, ahead in enumerate(self._ahead):
            worth = ahead(self.values[:, player], samples)
            for choice, deltas in enumerate(self._choices.deltas[player]):
                table = self._table[:, player, choice]
                target = (deltas[places] + worth) * alive
                table[seeds, places] = (1 - alpha) * table[seeds, places] + alpha * target

    def _meet(self, states: NDArray[np.intp]) -> None:
        """Solve the stage games at some states of each seed, (E, M)."""
        seeds = np.arange(len(self.seeds))[:, None]
        count, world = states.size, self._world
        places = states[..., None] * world.joint + np.arange(world.joint)
        tables = np.stack([self._table[:, i][seeds[..., None], :, places] for i in range(self.game.n_players)], axis=2)
        # tables: (E, M, N, joint, K), the choices last because of the indexing
        payoffs = tables.reshape(count, self.game.n_players, *self.game.n_actions, tables.shape[-1])
        found = self._solved(with_natures(payoffs) if self._choices.whole else payoffs.min(axis=-1), states)
        self.values[seeds, :, states] = found.values[:, : self.game.n_players].reshape(*states.shape, -1)
        for own, policy in zip(self.policies, found.policies, strict=False):
            own[seeds, states] = policy.reshape(*states.shape, -1)

    def _solved(self, payoffs: Floats, states: NDArray[np.intp]) -> StageSolution:
        try:
            return solve(payoffs, selection=self.selection, kind=self.kind)
        except NoEquilibrium as error:  # learning goes on with the best that was found; the count says how often
            np.add.at(self.failures, error.games // states.shape[1], 1)
            return error.found

    def _identity(self) -> dict[str, str]:
        return {"options": self._options, "game": q_files.fingerprint(self.game)}

    def _state(self) -> dict[str, Any]:
        names = ["_table", "visits", "values", "failures", "_place", "_clock"]
        state = {name: getattr(self, name) for name in names + (["_counts"] if self._counts is not None else [])}
        state |= {f"policy_{player}": policy for player, policy in enumerate(self.policies)}
        return state | {"rounds": np.array(self.rounds)}


def with_natures(payoffs: Floats) -> Floats:
    """Make a nature of each player one more player: (B, N, A.., K) -> (B, 2N, A.., K_1..K_N).

    Nature i picks k_i, which counts in player i's payoffs only, and gets minus those; where there are several players
    in so small a unit that welfare is that of the players.
    """
    batch, players, *sizes = payoffs.shape
    choices = sizes.pop()
    full = (batch, *sizes, *[choices] * players)
    parts = []
    for player in range(players):
        shape = [batch, *sizes, *[1] * players]
        shape[1 + len(sizes) + player] = choices
        parts.append(np.broadcast_to(payoffs[:, player].reshape(shape), full))
    unit = 1.0 if players == 1 else 2.0**-20
    return np.stack([*parts, *(-unit * part for part in parts)], axis=1)


def minimax_q(game: MarkovGame, **options: Any) -> NashQ:
    """Learn a zero-sum game: `NashQ` whose stage games are solved as linear programs, for their saddle points.

    With a nature for each player a zero-sum game is none any more, so there are no sets here.

    Args:
        game: two players, rewards of one minus those of the other.
        options: those of `NashQ`, without sets.

    Raises:
        ValueError: if the game is not zero-sum, or a set is given.

    Example:
        >>> from robust_envs.envs import named_game
        >>> minimax_q(named_game("rock-paper-scissors")).learn(50).policies[0][0, 0].round(3)
        array([0.333, 0.333, 0.333])

    References:
        M. Littman, 1994, Markov games as a framework for multi-agent reinforcement learning.
    """
    if not game.is_zero_sum:
        raise ValueError("game must be zero-sum for minimax_q: NashQ learns the others")
    if options.get("reward_set") is not None or options.get("transition_set") is not None:
        raise ValueError("minimax_q has no uncertainty: a robust zero-sum game is a general one, see NashQ")
    return NashQ(game, kind="zero_sum", **options)


def robust_q(game: MarkovGame, **options: Any) -> NashQ:
    """Learn a robust Markov decision process: `NashQ` of one player, where it is robust Q-learning.

    Args:
        game: one player.
        options: those of `NashQ`.

    Raises:
        ValueError: if there are several players.

    Example:
        >>> from robust_envs import TotalVariation
        >>> from robust_envs.envs import named_game
        >>> robust_q(named_game("riverswim"), transition_set=TotalVariation(0.05)).learn(20).policies[0].shape
        (1, 6, 2)
    """
    if game.n_players != 1:
        raise ValueError(f"game must have one player for robust_q, got {game.n_players}: NashQ learns the others")
    return NashQ(game, **options)


def _seeds(given: Any) -> tuple[int, ...]:
    chosen = tuple(range(given)) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(chosen, tuple) or not chosen or any(type(seed) is not int or seed < 0 for seed in chosen):
        raise ValueError(f"seeds must be a positive int or a tuple of ints >= 0, got seeds={given!r}")
    return chosen


def _check(game: Any, sampling: Any, exploration: Any, horizon: Any, kind: Any) -> None:
    if not isinstance(game, MarkovGame):
        raise TypeError(f"game must be a MarkovGame, got {game!r}")
    if sampling not in ("sweeps", "episodes"):
        raise ValueError(f"sampling must be sweeps or episodes, got sampling={sampling!r}")
    if not (isinstance(exploration, int | float) and 0 < exploration <= 1):
        raise ValueError(f"exploration must be in (0, 1], got exploration={exploration!r}")
    if horizon is not None and (isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1):
        raise ValueError(f"horizon must be a positive int or None, got horizon={horizon!r}")
    if kind not in ("auto", "nash", "zero_sum"):
        raise ValueError(f"kind must be one of auto, nash, zero_sum, got kind={kind!r}")
