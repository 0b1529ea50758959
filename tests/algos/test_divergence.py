"""Runs that are lost are stopped with a word, and leave a state behind: NaN, explosions, environments that break."""

import math
import os
import signal

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.deep import MADDPG, RMADDPG, CheckpointAtEpisodeEnd, MADDPGConfig, ProcessGames, RMADDPGConfig, VectorGames
from algos.deep.divergence import has_exploded, largest_return

SMALL = MADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=5, batch_size=16)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0, 0.99))
def test_no_return_of_rewards_counts_as_an_explosion(rewards, gamma):
    value = 0.0
    for reward in rewards:
        value = reward + gamma * value
    largest = max(map(abs, rewards))
    assert abs(value) <= largest_return(largest, gamma) * (1 + 1e-9)
    assert not has_exploded(value, largest, gamma, factor=1.0)


def test_explosion_is_where_the_factor_says():
    assert not has_exploded(-399.9, 1.0, 0.5, factor=100.0)
    assert has_exploded(-400.1, 1.0, 0.5, factor=100.0)
    assert not has_exploded(1e30, 1.0, 1.0, factor=100.0)
    assert not has_exploded(1e30, 1.0, 0.5, factor=math.inf)


def exploding(model):
    """Push one agent's critic far out after a while."""
    update = model._update

    def pushed(batch):
        metrics = update(batch)
        if model._state.steps >= 50:
            metrics = {**metrics, "q": metrics["q"] + torch.tensor([0.0, 1e6, 0.0])}
        return metrics

    model._update = pushed
    return model


def test_exploding_value_stops_training_with_agent_and_step_and_the_last_good_checkpoint_stays(toys, tmp_path):
    model = exploding(MADDPG(toys.mixed_game(horizon=5), SMALL))
    with pytest.raises(FloatingPointError, match=r"q of agent 'late' is 1e\+06 after 50 steps, more than 100 times"):
        model.learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=10))
    assert MADDPG.load(tmp_path / "c").num_timesteps == 40
    patient = exploding(MADDPG(toys.mixed_game(horizon=5), SMALL))
    patient.explosion_factor = math.inf
    assert patient.learn(100).num_timesteps == 100


def test_rare_large_reward_is_no_false_alarm(toys):
    """The batch may miss the one reward that explains the values; the buffer does not."""
    model = exploding(MADDPG(toys.mixed_game(horizon=5), SMALL))
    model._state.buffer.largest_reward = lambda: 1e5
    assert model.learn(60).num_timesteps == 60


def test_natures_that_lower_the_reward_far_are_no_false_alarm(toys):
    config = RMADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=1, batch_size=16, nature_weight=1e-3)
    model = RMADDPG(toys.mixed_game(horizon=5), config).learn(300)
    assert min(model._state.means.state()["train/nature"]) < 0


def test_huge_learning_rate_is_noticed(toys):
    rates = {"actor_learning_rate": 1e3, "critic_learning_rate": 1e3, "max_grad_norm": 1e9}
    config = MADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=1, batch_size=16, tau=1.0, **rates)
    with pytest.raises(FloatingPointError, match=r"of agent '(early|late|masked)' is .*lower the learning rates"):
        MADDPG(toys.mixed_game(horizon=5, terminate=False), config).learn(2000)


def spoil(at, place, agent, value):
    def fault(env, outcome):
        if len(env.seeds) == 4 and env.time == at:
            outcome[place][agent] = value

    return fault


@pytest.mark.parametrize(
    ("place", "agent", "value", "said"),
    [
        (1, "late", float("nan"), r"agent 'late' must get a finite reward.*step 3 of episode 3"),
        (0, "early", np.full(3, np.nan, np.float32), r"agent 'early'.*finite.*step 3 of episode 3"),
        (0, "early", np.ones(7, np.float32), r"agent 'early'.*step 3 of episode 3"),
        (1, "late", np.ones(2), r"agent 'late' must get a reward that is one number.*step 3 of episode 3"),
    ],
)
def test_environment_that_breaks_down_is_named_and_the_last_state_is_saved(toys, tmp_path, place, agent, value, said):
    env = toys.mixed_game(horizon=5, fault=spoil(3, place, agent, value))
    model = MADDPG(env, SMALL)
    with pytest.raises(ValueError, match=said):
        model.learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=10_000))
    saved = MADDPG.load(tmp_path / "c", toys.mixed_game(horizon=5))
    assert saved.num_timesteps == 17
    assert len(saved._state.buffer) == 17
    assert saved.learn(10, reset_num_timesteps=False).num_timesteps == 27


class Frail(gymnasium.Env):
    """A vector environment's part that answers nonsense after a while."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.zeros(2, np.float32), math.nan if self.time == 7 else 0.0, False, False, {}


def test_vector_environment_that_breaks_down_is_named_and_the_last_state_is_saved(tmp_path):
    games = VectorGames(gymnasium.vector.SyncVectorEnv([Frail, Frail]), wave=20)
    with pytest.raises(ValueError, match=r"agent 'agent_0' must get a finite reward.*game 0, step 7 of wave 0, seed 0"):
        MADDPG(games, SMALL).learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=10_000))
    assert MADDPG.load(tmp_path / "c").num_timesteps == 12


def make_frail():
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    env = spread.parallel_env(max_cycles=5)
    plain, count = env.step, iter(range(100))

    def step(actions):
        outcome = plain(actions)
        if next(count) == 7:
            outcome[1]["agent_1"] = math.nan
        return outcome

    env.step = step
    return env


@pytest.mark.filterwarnings("ignore")
def test_environment_that_breaks_down_in_a_process_is_named_and_the_last_state_is_saved(tmp_path):
    pytest.importorskip("mpe2")
    games = ProcessGames(make_frail, num_envs=1, wave=10, context="fork")
    try:
        said = r"agent 'agent_1' must get a finite reward.*step 3 of episode 2.*step 8 of wave 0"
        with pytest.raises(ValueError, match=said):
            MADDPG(games, SMALL).learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=10_000))
        assert MADDPG.load(tmp_path / "c").num_timesteps == 7
    finally:
        games.close()


@pytest.mark.filterwarnings("ignore")
def test_process_that_dies_is_named_and_the_last_state_is_saved(tmp_path):
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    games = ProcessGames(spread.parallel_env, num_envs=2, wave=10, context="fork")

    def kill(local, _):
        if local["self"].num_timesteps == 8:
            os.kill(games._env.processes[1].pid, signal.SIGKILL)
            games._env.processes[1].join()
        return True

    from stable_baselines3.common.callbacks import ConvertCallback

    calls = [CheckpointAtEpisodeEnd(tmp_path / "c", every=10_000), ConvertCallback(kill)]
    try:
        with pytest.raises(RuntimeError, match=r"process of game 1 has died \(step 5 of wave 0\)"):
            MADDPG(games, SMALL).learn(100, callback=calls)
        assert MADDPG.load(tmp_path / "c").num_timesteps == 8
    finally:
        games.close()
