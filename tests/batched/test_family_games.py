"""The actor-critic family on many games at once: alone, beside others, and resumed."""

import pytest
import torch

from algos.deep import M3DDPG, MATD3, RMAAC, M3DDPGConfig, MATD3Config, RMAACConfig, SideBySide
from robust_envs import L2

SMALL = {"hidden_sizes": (64, 64), "learning_starts": 40, "update_every": 10, "batch_size": 64}
FAMILY = [
    (MATD3, MATD3Config(**SMALL)),
    (M3DDPG, M3DDPGConfig(**SMALL, ernie_weight=0.5, ernie_set=L2(0.2), twin_critics=True)),
    (RMAAC, RMAACConfig(**SMALL, observation_set=L2(0.2))),
]


def tensors(model, run=0):
    _, found = model._state.save(run, include_buffer=True)
    return {f"{group}/{name}": t for group, part in found.items() for name, t in part.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize(("algorithm", "config"), FAMILY)
def test_seeds_trained_together_are_bit_for_bit_what_each_is_alone(counting, algorithm, config):
    seeds = [5, 0]
    together = algorithm(SideBySide([counting() for _ in seeds]), config, seeds=seeds).learn(120)
    for run, seed in enumerate(seeds):
        assert_same(tensors(together, run), tensors(algorithm(counting(), config, seed=seed).learn(120)))


@pytest.mark.parametrize(("algorithm", "config"), FAMILY)
def test_saved_and_loaded_games_go_on_as_the_uninterrupted_ones(counting, algorithm, config, tmp_path):
    whole = algorithm(counting(), config, seed=1).learn(192)
    algorithm(counting(), config, seed=1).learn(96).save(tmp_path / "c")
    assert_same(
        tensors(whole), tensors(algorithm.load(tmp_path / "c", counting()).learn(96, reset_num_timesteps=False))
    )
