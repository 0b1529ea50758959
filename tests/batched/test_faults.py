"""Games that break down mid-run are named, with the step; and random places are spread as they say."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm

from algos.deep import MADDPG, CheckpointAtEpisodeEnd, MADDPGConfig, VmasGames
from robust_envs.shells.batched_streams import Stream

SMALL = MADDPGConfig(hidden_sizes=(8,), learning_starts=20, update_every=10, batch_size=16)


def narrow(step, outcome):
    seen = outcome.following.observation[:, :, :1]
    return outcome._replace(following=outcome.following._replace(observation=seen)) if step == 5 else outcome


def test_games_of_another_shape_are_refused_with_the_step_and_the_last_state_is_saved(counting, tmp_path):
    model = MADDPG(counting(fault=narrow), SMALL)
    said = r"games must give observations \(4, 2, 2\) for the agents a, b, got \(4, 2, 1\) \(step 5 of wave 0\)"
    with pytest.raises(ValueError, match=said):
        model.learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=10_000))
    assert MADDPG.load(tmp_path / "c").num_timesteps == 16


@pytest.mark.parametrize(
    ("method", "spoiled", "said"),
    [
        ("observation", lambda value: value[:, :3], r"agent 'agent_1' must observe a tensor \(6, 14\), got \(6, 3\)"),
        ("reward", lambda value: value[:2], r"agent 'agent_1' must get rewards \(6,\), got \(2,\)"),
        (
            "reward",
            lambda value: value * torch.nan,
            r"agent 'agent_1' must get a finite reward, got nan \(game 0, step",
        ),
        ("observation", lambda value: value / 0.0, r"agent 'agent_1' must get a finite observation"),
    ],
)
def test_scenario_that_breaks_down_is_named_and_the_last_state_is_saved(vmas_env, tmp_path, method, spoiled, said):
    env = vmas_env()
    plain, wanted = getattr(env.scenario, method), env.agents[1]
    asked = []

    def broken(agent):
        value = plain(agent)
        if agent is wanted:
            asked.append(agent)
            late = len(asked) >= (4 if method == "observation" else 3)
            return spoiled(value) if late else value
        return value

    setattr(env.scenario, method, broken)
    games = VmasGames(env)
    asked.clear()
    with pytest.raises(ValueError, match=said):
        MADDPG(games, SMALL).learn(100, callback=CheckpointAtEpisodeEnd(tmp_path / "c", every=10_000))
    assert MADDPG.load(tmp_path / "c").num_timesteps == 12


def test_places_are_uniform_and_quantiles_normal():
    stream = Stream(torch, 3, torch.device("cpu"))
    places = stream.signed((300, 101)).numpy()
    assert places.dtype == np.float32
    assert np.abs(places).max() < 1.0
    assert kstest(places.ravel(), "uniform", args=(-1, 2)).pvalue > 1e-3
    for cut in (1.0, 2.0, 3.0):
        normal = stream.cut_normal((300, 101), cut).numpy()
        assert np.abs(normal).max() < 1.0
        assert kstest(normal.ravel() * cut, truncnorm(-cut, cut).cdf).pvalue > 1e-3
    assert stream.signed((3, 1)).shape == (3, 1)
