"""Markov games as arrays: what they hold, what they refuse, files, matrices and tables."""

from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.toy_text import CliffWalkingEnv, FrozenLakeEnv, TaxiEnv
from hypothesis import given
from hypothesis import strategies as st

from robust_envs.envs import NAMED_GAMES, MarkovGame, exposure, named_game

STAY = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
REWARDS = np.array([[[1.0, 0.0], [0.0, 0.0]]])


def game_with(**changes):
    return MarkovGame(**{"rewards": REWARDS, "transitions": STAY, "discount": 0.9} | changes)


def test_names_and_numbers_are_filled_in():
    game = game_with()
    assert (game.n_players, game.n_states, game.n_actions, game.players) == (1, 2, (2,), ("player_0",))
    np.testing.assert_array_equal(game.start, [0.5, 0.5])
    np.testing.assert_array_equal(game.terminal, [False, False])


def test_the_start_is_uniform_over_states_that_are_not_terminal():
    np.testing.assert_array_equal(game_with(terminal=[False, True]).start, [1, 0])


def test_rewards_of_the_next_state_are_averaged():
    rewards = np.arange(8.0).reshape(1, 2, 2, 2)
    game = game_with(rewards=rewards)
    assert game.next_state_rewards
    np.testing.assert_array_equal(game.expected_rewards, (rewards * STAY).sum(-1))
    assert not game_with().next_state_rewards


def test_integers_become_floats_and_single_precision_stays():
    assert game_with(rewards=REWARDS.astype(int)).rewards.dtype == np.float64
    single = game_with().map_arrays(np.float32)
    assert {single.rewards.dtype, single.transitions.dtype, single.start.dtype} == {np.dtype(np.float32)}


BAD = [
    (
        {"transitions": STAY * 0.9},
        ValueError,
        r"must sum to 1 over the last axis, got a sum of 0.9 at transitions\[0, 0\]",
    ),
    ({"transitions": STAY - 0.5}, ValueError, r"transitions must be >= 0, got transitions\[0, 0, 1\] = -0.5"),
    (
        {"transitions": STAY[:1]},
        ValueError,
        r"transitions must have shape \(S, A_1, ..., A_N, S\), got shape \(1, 2, 2\)",
    ),
    ({"transitions": [1.0]}, ValueError, r"got shape \(1,\)"),
    ({"transitions": np.zeros((0, 2, 0))}, ValueError, "no axis of length 0"),
    ({"transitions": [[["a"]]]}, TypeError, "transitions must be an array of numbers"),
    ({"rewards": [[1.0], [1.0, 2.0]]}, ValueError, "rewards must be an array with rows of equal length"),
    ({"rewards": REWARDS[0]}, ValueError, r"rewards must have shape \(1, 2, 2\) or \(1, 2, 2, 2\)"),
    ({"rewards": REWARDS + np.nan}, ValueError, r"rewards must be finite, got rewards\[0, 0, 0\] = nan"),
    ({"discount": 1.1}, ValueError, r"discount must be in \[0, 1\], got discount=1.1"),
    ({"discount": "high"}, TypeError, "discount must be a number, got discount='high'"),
    ({"discount": 1}, ValueError, "discount must be below 1 where some policy never reaches a terminal state"),
    ({"discount": 1, "terminal": [False, True]}, ValueError, "such a policy from state 0"),
    ({"start": [0.5, 0.4]}, ValueError, "start must sum to 1 over the last axis, got a sum of 0.9 at start"),
    ({"start": [1.0]}, ValueError, r"start must have shape \(2,\), got shape \(1,\)"),
    ({"terminal": [True, False]}, ValueError, "must keep a terminal state where it is, got one that leaves state 0"),
    ({"terminal": [0, 1]}, ValueError, "terminal must be 2 bools"),
    ({"terminal": [False, True], "rewards": REWARDS + 1}, ValueError, "rewards must be 0 in a terminal state"),
    ({"agents": ["a", "b"]}, ValueError, "agents must be 1 distinct names, got 2"),
    ({"agents": "a"}, TypeError, "agents must be strings"),
    ({"states": ["a", "a"]}, ValueError, "states must be 2 distinct names"),
    ({"actions": [["a"]]}, ValueError, r"actions\[0\] must be 2 distinct names, got 1"),
    ({"actions": [["a", "b"]] * 2}, ValueError, "one sequence of names for each of 1 players"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD, ids=[next(iter(row[0])) for row in BAD])
def test_what_is_no_game_is_refused_with_the_rule_and_the_value(changes, error, message):
    with pytest.raises(error, match=message):
        game_with(**changes)


def test_discount_one_is_taken_where_every_policy_ends():
    assert (
        game_with(transitions=[[[0.5, 0.5], [0, 1]], [[0, 1], [0, 1]]], discount=1, terminal=[False, True]).discount
        == 1
    )


@given(st.integers(1, 3), st.integers(0, 2**32 - 1), st.booleans())
def test_a_saved_game_is_read_back_as_it_was(tmp_path_factory, n_players, seed, whole):
    rng = np.random.default_rng(seed)
    shape = (3, *[2] * n_players)
    game = MarkovGame(
        rng.normal(size=(n_players, *shape, *([3] if whole else []))),
        rng.dirichlet(np.ones(3), size=shape),
        0.5,
        start=rng.dirichlet(np.ones(3)),
        states=["é", "b", "c"],
        actions=[["l", "r"]] * n_players,
    )
    path = tmp_path_factory.mktemp("games") / "game.npz"
    game.save(path)
    again = MarkovGame.load(path)
    for name in ("rewards", "transitions", "start", "terminal"):
        np.testing.assert_array_equal(getattr(again, name), getattr(game, name))
    for name in ("discount", "agents", "actions", "states"):
        assert getattr(again, name) == getattr(game, name)


def test_files_that_hold_no_game_are_refused(tmp_path):
    junk, other, pickled = tmp_path / "junk.npz", tmp_path / "other.npz", tmp_path / "pickled.npz"
    junk.write_bytes(b"no zip file")
    np.savez(other, a=np.zeros(2))
    np.savez(pickled, header=np.array([{"format": 1}], dtype=object))
    for path in (junk, other, pickled):
        with pytest.raises(ValueError, match="path must hold a saved Markov game"):
            MarkovGame.load(path)
    with pytest.raises(FileNotFoundError):
        MarkovGame.load(tmp_path / "none.npz")


def test_matrices_of_one_two_and_three_players():
    assert MarkovGame.from_matrix([1.0, 0.0]).n_actions == (2,)
    assert MarkovGame.from_matrix(np.eye(2)).is_zero_sum
    cube = np.arange(8.0).reshape(2, 2, 2)
    assert MarkovGame.from_matrix(cube, cube, cube, discount=0.5).is_team
    assert not MarkovGame.from_matrix(np.eye(2), np.eye(2)).is_zero_sum
    for bad in ((), (np.eye(2),) * 3, (np.eye(2), np.eye(3)), (cube,)):
        with pytest.raises(ValueError, match="payoffs must be one array"):
            MarkovGame.from_matrix(*bad)


@pytest.mark.parametrize("toy", [FrozenLakeEnv, CliffWalkingEnv, TaxiEnv])
def test_the_table_of_a_toy_text_environment_is_kept(toy):
    env = toy()
    game = MarkovGame.from_gymnasium(env, discount=0.95)
    table = env.unwrapped.P
    assert game.n_states == len(table)
    rewards = game.rewards[0]
    for s in range(game.n_states):
        if game.terminal[s]:
            continue
        for a, moves in table[s].items():
            expected = np.zeros(game.n_states)
            for p, to, reward, over in moves:
                expected[to] += p
                paid = rewards[s, a, to] if game.next_state_rewards else rewards[s, a]
                assert paid == pytest.approx(reward)
                assert not over or game.terminal[to]
            np.testing.assert_allclose(game.transitions[s, a], expected)


def test_rewards_of_unlisted_moves_go_on_in_the_way_they_can():
    lake = MarkovGame.from_gymnasium(gymnasium.make("FrozenLake-v1"))
    assert (lake.rewards[0, 0, :, -1] == 1).all()  # a function of the next state
    given_value = MarkovGame.from_gymnasium(gymnasium.make("FrozenLake-v1"), unseen_reward=-7.0)
    assert (given_value.rewards[0, 0, :, -1] == -7).all()


class Table:
    """A state that ends play from one side and is passed through from the other."""

    P: ClassVar = {
        0: {0: [(1.0, 1, 1.0, True)], 1: [(1.0, 1, 0.5, False)]},
        1: {0: [(0.5, 0, 0.0, False), (0.5, 1, 2.0, False)], 1: [(1.0, 0, 0.0, False)]},
    }


def test_a_state_that_ends_play_only_sometimes_gets_an_end_of_its_own():
    game = MarkovGame.from_gymnasium(Table())
    assert game.n_states == 3
    np.testing.assert_array_equal(game.terminal, [False, False, True])
    np.testing.assert_array_equal(game.transitions[0, 0], [0, 0, 1])
    np.testing.assert_array_equal(game.transitions[0, 1], [0, 1, 0])


def test_what_has_no_table_is_refused():
    with pytest.raises(TypeError, match="env must have a table P"):
        MarkovGame.from_gymnasium(gymnasium.make("CartPole-v1"))


@pytest.mark.parametrize("name", NAMED_GAMES)
def test_every_named_game_is_a_game_that_knows_where_it_is_exposed(name):
    game = named_game(name)
    assert exposure(name).shape == game.transitions.shape[:-1]
    assert set(np.unique(exposure(name))) <= {0.0, 1.0}
    assert named_game(name, discount=0.5).discount == 0.5


def test_players_are_found_by_name_and_index():
    game = named_game("chicken")
    assert (game.player("player_1"), game.player(0), game.player(np.int64(1))) == (1, 0, 1)
    for who in ("player_2", 2, -1, True, 0.0):
        with pytest.raises(ValueError, match="player must be one of player_0, player_1"):
            game.player(who)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("machine-replacement", {"conditions": 1}, "conditions must be an int >= 2, got conditions=1"),
        ("riverswim", {"length": 2.5}, "length must be an int >= 2"),
        ("inventory", {"demand": 0.0}, "demand must be finite and > 0"),
    ],
)
def test_bad_sizes_of_named_games_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        named_game(name, **options)


def test_soccer_moves_as_littman_says():
    game = named_game("grid-soccer")
    at = {name: i for i, name in enumerate(game.states)}
    north, south, east, west, stand = range(5)
    beside = at["(1, 2) (1, 1) first has the ball"]
    # Moving into a player who stands hands over the ball.
    following = game.transitions[beside, west, stand]
    assert following[at["(1, 2) (1, 1) second has the ball"]] == 1
    # Off the field is no move, but through the goal with the ball scores and kicks off again.
    goal = at["(1, 0) (3, 4) first has the ball"]
    assert game.rewards[:, goal, west, stand].tolist() == [1, -1]
    np.testing.assert_array_equal(game.transitions[goal, west, stand], game.start)
    corner = at["(0, 0) (3, 4) first has the ball"]
    assert game.transitions[corner, west, stand, corner] == 1
    # Who comes first to a free cell is a coin's business.
    assert np.count_nonzero(game.transitions[at["(1, 1) (1, 3) first has the ball"], east, west]) == 2
    assert (north, south) == (0, 1)


def test_walkers_who_meet_go_back_and_pay():
    game = named_game("grid-world")
    at = {name: i for i, name in enumerate(game.states)}
    north, _, east, west = range(4)
    start = at["(2, 0) (2, 2)"]
    assert game.rewards[:, start, east, west].tolist() == [-1, -1]
    assert game.transitions[start, east, west, start] == 1
    near = at["(1, 2) (1, 0)"]
    assert game.rewards[:, near, north, north].tolist() == [100, 100]
    assert game.transitions[near, north, north, -1] == 1
