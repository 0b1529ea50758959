"""Q-learners on many games at once."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from algos.deep import (
    IQL,
    QMIX,
    VDN,
    IQLConfig,
    ProcessGames,
    QMIXConfig,
    SideBySide,
    VDNConfig,
    VectorGames,
    VmasGames,
)
from robust_envs.envs import MarkovGameEnv, named_game

SMALL = {"hidden_sizes": (16, 16), "learning_starts": 40, "update_every": 10, "batch_size": 32, "epsilon_steps": 100}
SETS = {"transition_set": "TotalVariation(0.2)", "reward_set": "Linf(0.1)"}
ALGORITHMS = [(IQL, IQLConfig), (VDN, VDNConfig), (QMIX, QMIXConfig)]
ACTIONS = (spaces.Discrete(3), spaces.Discrete(2, start=4))


def everything(model, run=0):
    """Return all tensors that a checkpoint of one run would hold."""
    _, tensors = model._state.save(run, include_buffer=True)
    return {f"{group}/{name}": t for group, part in tensors.items() for name, t in part.items()}


def assert_same(one, other, runs=(0, 0)):
    tensors, others = everything(one, runs[0]), everything(other, runs[1])
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_seeds_trained_together_are_bit_for_bit_what_each_is_alone(counting, algorithm, config, tmp_path):
    seeds, chosen = [5, 0, 3], config(**SMALL, **SETS)
    together = algorithm(SideBySide([counting(actions=ACTIONS) for _ in seeds]), chosen, seeds=seeds).learn(192)
    for run, seed in enumerate(seeds):
        assert_same(together, algorithm(counting(actions=ACTIONS), chosen, seed=seed).learn(192), (run, 0))
    together.save(tmp_path / "c")
    games = SideBySide([counting(actions=ACTIONS) for _ in seeds])
    resumed = algorithm.load(tmp_path / "c", games).learn(48, reset_num_timesteps=False)
    together.learn(48, reset_num_timesteps=False)
    for run in range(3):
        assert_same(together, resumed, (run, run))


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_vmas_with_discrete_actions_is_played(vmas_env, algorithm, config):
    games = VmasGames(vmas_env(continuous_actions=False))
    model = algorithm(games, config(**SMALL, **SETS), seed=1).learn(120)
    assert_same(model, algorithm(VmasGames(vmas_env(continuous_actions=False)), model.config, seed=1).learn(120))
    assert model.num_timesteps == 120


def test_continuous_actions_of_vmas_are_refused_with_agent_and_space(vmas_env):
    with pytest.raises(ValueError, match=r"agent 'agent_0': QMIX needs a Discrete action space, got Box"):
        QMIX(VmasGames(vmas_env()), QMIXConfig(**SMALL))


def soccer():
    return MarkovGameEnv(named_game("grid-soccer"), horizon=5)


@pytest.mark.parametrize("state", [False, True])
def test_processes_tell_the_state_where_they_are_asked_to(state):
    games = ProcessGames(soccer, num_envs=2, wave=5, state=state)
    try:
        model = QMIX(games, QMIXConfig(**SMALL, **SETS), seed=0).learn(60)
    finally:
        games.close()
    batch = model._state.buffer.sample(16, torch.device("cpu"))
    if state:
        assert torch.equal(batch.state, batch.observation[0])  # both players see the state, one-hot
        assert torch.equal(batch.next_state, batch.next_observation[0])
    else:
        assert batch.state is None


@pytest.mark.parametrize(("algorithm", "config"), ALGORITHMS)
def test_vector_environment_is_learnt_by_its_one_agent(algorithm, config):
    gymnasium = pytest.importorskip("gymnasium")
    games = VectorGames(gymnasium.make_vec("CartPole-v1", num_envs=4), wave=50)
    model = algorithm(games, config(**SMALL), seed=0).learn(400)
    games.close()
    action = model.predict({"agent_0": np.zeros(4, np.float32)})[0]["agent_0"]
    assert action in (0, 1)


def test_epsilon_counts_the_steps_of_all_games(counting):
    model = IQL(counting(actions=ACTIONS), IQLConfig(**{**SMALL, "epsilon_steps": 48}), seed=0).learn(24)
    assert model._epsilon() == pytest.approx((1.0 + 0.05) / 2)


def with_state(games):
    """Tell a state of three numbers: how far each game is, and its number."""
    view = games._view

    def telling():
        shown = view()
        numbers = torch.arange(games.num_envs).float()
        return shown._replace(state=torch.stack([games._time, numbers, numbers + games._time], dim=1))

    games._view, games.state_size = telling, 3
    return games


def test_state_of_many_games_is_stored_and_each_run_is_what_it_is_alone(counting):
    seeds, config = [5, 3], QMIXConfig(**SMALL, **SETS)
    games = [with_state(counting(actions=ACTIONS)) for _ in seeds]
    together = QMIX(SideBySide(games), config, seeds=seeds).learn(192)
    alone = QMIX(with_state(counting(actions=ACTIONS)), config, seed=3).learn(192)
    assert_same(together, alone, (1, 0))
    batch = together._state.sample(16, torch.device("cpu"))
    assert torch.equal(batch.state[..., 0] + 1, batch.next_state[..., 0])
    assert torch.equal(batch.state[..., 2], batch.state[..., 0] + batch.state[..., 1])
    with pytest.raises(ValueError, match=r"parts must agree in state_size, got \[3, 0\]"):
        SideBySide([with_state(counting(actions=ACTIONS)), counting(actions=ACTIONS)])
