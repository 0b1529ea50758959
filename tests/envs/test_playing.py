"""Markov games played as environments: the arrays and the environment are one game."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test

from robust_envs import L2, Linf, Switch, Uniform, WorstCase, robust
from robust_envs.envs import NAMED_GAMES, MarkovDecisionEnv, MarkovGame, MarkovGameEnv, named_game


def roll(env, seed, steps=60):
    """States, rewards and ends of some steps with actions of their own seed."""
    rng, story = np.random.default_rng(0), []
    observations, _ = env.reset(seed=seed)
    for _ in range(steps):
        actions = {agent: int(rng.integers(env.action_space(agent).n)) for agent in env.agents}
        observations, *rest = env.step(actions)
        story.append((observations, *rest[:3]))
        if not env.agents:
            observations, _ = env.reset()
    return story


@pytest.mark.parametrize("name", NAMED_GAMES)
def test_every_named_game_passes_pettingzoos_test(name):
    parallel_api_test(MarkovGameEnv(named_game(name), horizon=15), num_cycles=60)


def test_the_same_seed_gives_the_same_play_and_another_seed_another():
    parallel_seed_test(lambda: MarkovGameEnv(named_game("grid-soccer"), horizon=30))
    env = MarkovGameEnv(named_game("grid-soccer"), horizon=30)
    assert roll(env, 1) == roll(env, 1)
    assert roll(env, 1) != roll(env, 2)


@pytest.mark.parametrize("name", ["riverswim", "machine-replacement", "inventory"])
def test_one_player_is_a_gymnasium_environment(name):
    check_env(MarkovDecisionEnv(named_game(name), horizon=10), skip_render_check=True)


def test_moves_come_as_often_as_the_arrays_say():
    game = named_game("riverswim")
    env = MarkovDecisionEnv(game, horizon=1)
    env.reset(seed=0)
    counts = np.zeros(6)
    for _ in range(4000):
        env.reset(options={"state": 3})
        counts[env.step(1)[0]] += 1
    assert (counts[game.transitions[3, 1] == 0] == 0).all()
    np.testing.assert_allclose(counts / 4000, game.transitions[3, 1], atol=4 * 0.5 / 4000**0.5)


def test_a_terminal_state_terminates_and_a_horizon_truncates():
    env = MarkovGameEnv(named_game("grid-world"), horizon=4)
    env.reset(seed=0, options={"state": env.game.states.index("(1, 2) (1, 0)")})
    _, rewards, terminations, truncations, _ = env.step({"player_0": 0, "player_1": 0})
    assert set(rewards.values()) == {100.0}
    assert all(terminations.values())
    assert not any(truncations.values())
    assert env.agents == []
    env.reset(seed=0)
    for step in range(4):
        _, _, terminations, truncations, _ = env.step({"player_0": 1, "player_1": 1})
        assert (set(terminations.values()), set(truncations.values())) == ({False}, {step == 3})
    with pytest.raises(RuntimeError, match="the episode is over"):
        env.step({"player_0": 0, "player_1": 0})


def test_rewards_of_the_next_state_are_paid_for_it():
    rewards = np.array([[[[5.0, 7.0]], [[0.0, 0.0]]]])
    game = MarkovGame(rewards, [[[0.5, 0.5]], [[0, 1]]], 0.9, start=[1, 0])
    env = MarkovDecisionEnv(game)
    for seed in range(10):
        env.reset(seed=seed)
        following, reward, *_ = env.step(0)
        assert reward == [5.0, 7.0][following]


def test_the_state_is_what_everybody_sees():
    env = MarkovGameEnv(named_game("grid-soccer"))
    observations, _ = env.reset(seed=3)
    assert set(observations.values()) == {env.state()[()]}
    assert env.state_space.contains(env.state()[()])


def test_radius_zero_leaves_the_game_as_it_is():
    plain = MarkovGameEnv(named_game("grid-soccer"), horizon=30)
    wrapped = robust(
        MarkovGameEnv(named_game("grid-soccer"), horizon=30), reward=L2(0.0), action=Switch(0.0), nature=Uniform()
    )
    assert roll(plain, 5) == roll(wrapped, 5)


def test_nature_takes_from_rewards_what_it_may():
    env = robust(MarkovGameEnv(named_game("stag-hunt")), reward=Linf(0.5), nature=WorstCase())
    env.reset(seed=0)
    assert env.step({"player_0": 0, "player_1": 0})[1] == {"player_0": 3.5, "player_1": 3.5}
    alone = robust(MarkovDecisionEnv(named_game("riverswim")), reward=Linf(0.5), nature=WorstCase())
    alone.reset(seed=0)
    assert alone.step(0)[1] == pytest.approx(0.005 - 0.5)


def test_the_latest_move_is_told_in_words():
    env = MarkovGameEnv(named_game("coordination-under-risk"), render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "work"
    env.step({"player_0": 0, "player_1": 1})
    assert env.render() == "work --(high, low: 0, 1)-> work"
    alone = MarkovDecisionEnv(named_game("riverswim"), render_mode="ansi")
    alone.reset(seed=0)
    alone.step(0)
    assert alone.render() == "state 0 --(drift: 0.005)-> state 0"
    assert MarkovGameEnv(named_game("chicken")).render() is None


def test_bad_arguments_and_moves_are_refused():
    game = named_game("chicken")
    with pytest.raises(TypeError, match="game must be a MarkovGame"):
        MarkovGameEnv("chicken")
    with pytest.raises(ValueError, match="game must have one player, got 2"):
        MarkovDecisionEnv(game)
    with pytest.raises(ValueError, match="horizon must be an int >= 1, got horizon=0"):
        MarkovGameEnv(game, horizon=0)
    with pytest.raises(ValueError, match="render_mode must be None or 'ansi'"):
        MarkovGameEnv(game, render_mode="human")
    env = MarkovGameEnv(game)
    with pytest.raises(RuntimeError, match="has not begun"):
        env.step({"player_0": 0, "player_1": 0})
    with pytest.raises(ValueError, match=r"state must be an int in 0..0, got state=1"):
        env.reset(options={"state": 1})
    env.reset(seed=0)
    for actions, message in [
        ({"player_0": 0}, "actions must be for player_0, player_1"),
        ({"player_0": 0, "player_1": 0, "you": 0}, "got actions for player_0, player_1, you"),
        ({"player_0": 0, "player_1": 2}, r"action of player_1 must be an int in 0..1, got .*=2"),
        ({"player_0": 0.5, "player_1": 0}, "action of player_0 must be an int"),
    ]:
        with pytest.raises(ValueError, match=message):
            env.step(actions)
    alone = MarkovDecisionEnv(named_game("riverswim"))
    with pytest.raises(RuntimeError, match="has not begun"):
        alone.step(0)


def test_torch_arrays_are_played_as_well():
    torch = pytest.importorskip("torch")
    game = named_game("grid-soccer")
    assert roll(MarkovGameEnv(game.map_arrays(torch.as_tensor)), 0) == roll(MarkovGameEnv(game), 0)
