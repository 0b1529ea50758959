"""Stable-Baselines3 trains a shared policy and a nature, in turns."""

import pytest

pytest.importorskip("stable_baselines3", reason="stable_baselines3 is not installed")

import numpy as np
from trained import example

from robust_envs import AsAgents, robust


@pytest.mark.slow
def test_team_and_nature_are_both_trained_in_turns(monkeypatch):
    module, made = example("stable_baselines3"), []

    def recorded(env, **options):
        made.append(robust(env, **options, trace=True))
        return made[-1]

    monkeypatch.setattr(module, "robust", recorded)
    team, nature = module.train(768)
    assert min(team.num_timesteps, nature.num_timesteps) >= 384  # of the last turn
    assert nature.observation_space == made[-1].observation_space("agent_0")
    moves = [np.abs(one.executed).max(initial=0.0) for env in made for one in env.trace.moves.values()]
    assert 0 < max(moves) <= 1 + 1e-6


def test_a_model_plays_nature_from_its_own_side():
    module = example("stable_baselines3")
    game = module.make(AsAgents(team=lambda seen: np.full(5, 0.5, np.float32)))
    assert game.possible_agents == ["nature_0", "nature_1", "nature_2"]
    env = module.Shared(game)
    env.seed(0)
    rows = env.reset()
    assert rows.shape == (3, 18)
    env.step(np.ones((3, 18), np.float32))
    assert np.abs(game.last_move["observation", "agent_0"].executed).max() == pytest.approx(1)


def test_one_agent_and_a_nature_are_trained_in_turns(monkeypatch):
    module, made = example("stable_baselines3_alone"), []

    def recorded(env, **options):
        made.append(robust(env, **options, trace=True))
        return made[-1]

    monkeypatch.setattr(module, "robust", recorded)
    monkeypatch.setitem(module.OPTIONS, "n_steps", 64)
    agent, nature = module.train(256)
    assert min(agent.num_timesteps, nature.num_timesteps) >= 128  # of the last turn
    assert nature.action_space == agent.action_space
    moves = [np.abs(one.executed).max(initial=0.0) for env in made for one in env.trace.moves.values()]
    assert 0 < max(moves) <= 1 + 1e-6
