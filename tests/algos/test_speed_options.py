"""Options that make updates faster change what is computed by rounding only."""

import shutil

import numpy as np
import pytest
import torch

from algos.deep import MADDPG, MADDPGConfig

FAST = {"hidden_sizes": (32,), "batch_size": 64, "update_every": 2, "learning_starts": 100, "tau": 0.1}
RATES = {"actor_learning_rate": 0.01, "critic_learning_rate": 0.01}
PAYOFF = [[1, 0, 0], [0, 0, 3], [0, 1, 0]]
SEEN = {"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)}


def test_half_precision_solves_the_matrix_game_and_keeps_parameters_whole(toys):
    model = MADDPG(toys.matrix_game(PAYOFF), MADDPGConfig(**FAST, **RATES, precision="bfloat16")).learn(1000)
    assert model.predict(SEEN)[0] == {"a": 1, "b": 2}
    whole = MADDPG(toys.matrix_game(PAYOFF), MADDPGConfig(**FAST, **RATES)).learn(1000)
    for name, stack in model._state.stacks.items():
        assert all(tensor.dtype == torch.float32 for tensor in stack.state().values())
        assert not torch.equal(stack.parameters, whole._state.stacks[name].parameters)


def test_half_precision_survives_a_checkpoint(toys, tmp_path):
    config = MADDPGConfig(**FAST, precision="bfloat16")
    MADDPG(toys.matrix_game(PAYOFF), config).learn(120).save(tmp_path / "c")
    assert MADDPG.load(tmp_path / "c").config == config


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_update_is_the_update_to_rounding(toys):
    settings = {**FAST, "learning_starts": 64, "update_every": 20}
    plain = MADDPG(toys.matrix_game(PAYOFF), MADDPGConfig(**settings), seed=1).learn(100)
    compiled = MADDPG(toys.matrix_game(PAYOFF), MADDPGConfig(**settings, compile=True), seed=1).learn(100)
    for name, stack in plain._state.stacks.items():
        found = compiled._state.stacks[name].parameters
        torch.testing.assert_close(found, stack.parameters, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("option", "kind", "said"),
    [
        ({"precision": "float16"}, ValueError, "precision must be one of 'float32', 'bfloat16'"),
        ({"compile": 1}, TypeError, "compile must be a bool"),
    ],
)
def test_option_that_is_none_is_refused(option, kind, said):
    with pytest.raises(kind, match=said):
        MADDPGConfig(**option)
