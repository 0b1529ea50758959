"""The actor-critic family: what each is at radius zero, in its targets, alone, together and resumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from algos.deep import (
    M3DDPG,
    MADDPG,
    MATD3,
    RMAAC,
    RMADDPG,
    M3DDPGConfig,
    MADDPGConfig,
    MATD3Config,
    RMAACConfig,
    RMADDPGConfig,
)
from robust_envs import L2, Finite, Linf, per_state

SMALL = {"hidden_sizes": (16, 16), "learning_starts": 20, "update_every": 5, "batch_size": 16}
ERNIE = {"ernie_weight": 0.5, "ernie_set": L2(0.2)}
FAMILY = {
    "matd3": (MATD3, MATD3Config(**SMALL)),
    "m3ddpg": (M3DDPG, M3DDPGConfig(**SMALL, epsilon=(0.2, 0.1, 0.0))),
    "m3ddpg learned": (M3DDPG, M3DDPGConfig(**SMALL, nature="learned", twin_critics=True)),
    "rmaddpg set": (RMADDPG, RMADDPGConfig(**SMALL, nature="set", reward_set={"late": Linf(0.5)}, twin_critics=True)),
    "rmaac": (RMAAC, RMAACConfig(**SMALL, observation_set=L2(0.3))),
    "maddpg inferring": (MADDPG, MADDPGConfig(**SMALL, infer_policies=True, **ERNIE)),
    "everything": (M3DDPG, M3DDPGConfig(**SMALL, **ERNIE, twin_critics=True, policy_delay=2, target_noise=0.3)),
}


def everything(model, run=0):
    values, tensors = model._state.save(run, include_buffer=True)
    values.pop("means")  # for people to read: their sums may round otherwise
    return values, {f"{group}/{name}": t for group, part in tensors.items() for name, t in part.items()}


def assert_same(one, other, runs=(0, 0)):
    (values, tensors), (others, other_tensors) = everything(one, runs[0]), everything(other, runs[1])
    np.testing.assert_equal(others, values)
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, other_tensors[name]), name


PLAIN = {"twin_critics": False, "policy_delay": 1, "target_noise": 0.0}
ZEROS = {
    "m3ddpg": (M3DDPG, M3DDPGConfig(**SMALL, epsilon=0.0)),
    "m3ddpg learned": (M3DDPG, M3DDPGConfig(**SMALL, epsilon=(0.0, 0.0, 0.0), nature="learned")),
    "rmaddpg set": (RMADDPG, RMADDPGConfig(**SMALL, nature="set", reward_set=Linf(0.0))),
    "rmaac max norm": (RMAAC, RMAACConfig(**SMALL, observation_set=Linf(0.0))),
    "rmaac euclidean": (RMAAC, RMAACConfig(**SMALL, observation_set=L2(0.0))),
    "matd3": (MATD3, MATD3Config(**SMALL, **PLAIN)),
    "ernie": (MADDPG, MADDPGConfig(**SMALL, ernie_weight=0.0, ernie_set=L2(0.5))),
    "ernie's radius": (MADDPG, MADDPGConfig(**SMALL, ernie_weight=1.0, ernie_set=L2(0.0))),
}


@pytest.mark.parametrize("name", ZEROS)
def test_at_zero_actors_and_critics_are_those_of_maddpg_bit_for_bit(toys, name):
    algorithm, config = ZEROS[name]
    plain = MADDPG(toys.box_game(), MADDPGConfig(**SMALL), seed=3).learn(100)
    robust = algorithm(toys.box_game(), config, seed=3).learn(100)
    for stack in ("actors", "critics"):
        for part, tensor in plain._state.stacks[stack].state().items():
            assert torch.equal(tensor, robust._state.stacks[stack].state()[part]), (stack, part)
    assert torch.equal(plain._state.buffer.state()["rows"], robust._state.buffer.state()["rows"])


def test_regression_with_a_set_of_radius_zero_is_regression_bit_for_bit(toys):
    config = RMADDPGConfig(**SMALL, nature="regression")
    models = [RMADDPG(toys.box_game(), c, seed=3).learn(60) for c in (config, replace(config, reward_set=Linf(0.0)))]
    assert_same(*models)
    other = RMADDPG(toys.box_game(), replace(config, reward_set=Linf(1.0)), seed=3).learn(60)
    assert not torch.equal(
        everything(other)[1]["networks/critics.target"], everything(models[0])[1]["networks/critics.target"]
    )


CHANGES = {
    "epsilon": (M3DDPG, M3DDPGConfig(**SMALL), {"epsilon": 0.3}),
    "epsilon of one": (M3DDPG, M3DDPGConfig(**SMALL), {"epsilon": (0.1, 0.1, 0.3)}),
    "nature": (M3DDPG, M3DDPGConfig(**SMALL), {"nature": "learned"}),
    "partners' rate": (M3DDPG, M3DDPGConfig(**SMALL, nature="learned"), {"nature_learning_rate": 0.1}),
    "radius": (RMAAC, RMAACConfig(**SMALL), {"observation_set": Linf(0.5)}),
    "norm": (RMAAC, RMAACConfig(**SMALL), {"observation_set": L2(0.1)}),
    "natures' rate": (RMAAC, RMAACConfig(**SMALL), {"nature_learning_rate": 0.1}),
    "reward set": (RMADDPG, RMADDPGConfig(**SMALL, nature="set", reward_set=Linf(0.1)), {"reward_set": Linf(0.5)}),
    "twins": (MATD3, MATD3Config(**SMALL), {"twin_critics": False}),
    "delay": (MATD3, MATD3Config(**SMALL), {"policy_delay": 3}),
    "noise": (MATD3, MATD3Config(**SMALL), {"target_noise": 0.5}),
    "clip": (MATD3, MATD3Config(**SMALL), {"target_noise_clip": 0.05}),
    "ernie's weight": (MADDPG, MADDPGConfig(**SMALL, **ERNIE), {"ernie_weight": 1.0}),
    "ernie's set": (MADDPG, MADDPGConfig(**SMALL, **ERNIE), {"ernie_set": L2(0.4)}),
    "inference": (MADDPG, MADDPGConfig(**SMALL), {"infer_policies": True}),
    "inference's rate": (MADDPG, MADDPGConfig(**SMALL, infer_policies=True), {"inference_learning_rate": 0.1}),
    "inference's entropy": (MADDPG, MADDPGConfig(**SMALL, infer_policies=True), {"inference_entropy": 1.0}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_matters(toys, name):
    algorithm, config, changes = CHANGES[name]
    one, other = (algorithm(toys.box_game(), c, seed=1).learn(60) for c in (config, replace(config, **changes)))
    first, second = (everything(model)[1]["networks/actors.parameters"] for model in (one, other))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", FAMILY)
def test_saved_and_loaded_run_equals_the_uninterrupted_one(toys, name, tmp_path):
    algorithm, config = FAMILY[name]
    whole = algorithm(toys.box_game(), config, seed=1).learn(100)
    algorithm(toys.box_game(), config, seed=1).learn(45).save(tmp_path / "c")  # after an odd number of rounds
    resumed = algorithm.load(tmp_path / "c", toys.box_game())
    assert resumed.config == config
    assert_same(whole, resumed.learn(55, reset_num_timesteps=False))


@pytest.mark.parametrize("name", FAMILY)
def test_seeds_trained_together_are_bit_for_bit_what_each_is_alone(toys, name):
    algorithm, config = FAMILY[name]
    config = replace(
        config, hidden_sizes=(64, 64), batch_size=64
    )  # smaller products are rounded by their place in memory
    seeds = [5, 0]
    together = algorithm([toys.box_game() for _ in seeds], config, seeds=seeds).learn(60)
    for run, seed in enumerate(seeds):
        assert_same(together, algorithm(toys.box_game(), config, seed=seed).learn(60), (run, 0))


REFUSED = [
    (lambda: RMADDPGConfig(nature="set", reward_set=Linf(1.0), rectangular="s"), ValueError, "must be L2 with rect"),
    (lambda: M3DDPGConfig(epsilon=-0.1), ValueError, "epsilon must be finite and >= 0"),
    (lambda: M3DDPGConfig(epsilon=(0.1, "x")), TypeError, "epsilon must be a number"),
    (lambda: M3DDPGConfig(nature="set"), ValueError, "nature must be one of"),
    (lambda: RMADDPGConfig(nature="set"), ValueError, "reward_set must be given with nature='set'"),
    (lambda: RMADDPGConfig(nature="published", reward_set=Linf(1.0)), ValueError, "knows no set"),
    (lambda: RMADDPGConfig(nature="none", reward_set="Linf(1.0)"), ValueError, "'none' is absent"),
    (lambda: RMADDPGConfig(nature="set", reward_set="Linf(-1)"), ValueError, "radius must be finite"),
    (lambda: RMADDPGConfig(nature="set", reward_set=3), TypeError, "reward_set must be an uncertainty set"),
    (
        lambda: RMADDPGConfig(nature="set", reward_set=per_state(Linf(1.0), radius=abs)),
        ValueError,
        "checkpoint can hold",
    ),
    (lambda: RMAACConfig(observation_set=Finite([[0.1]])), ValueError, "observation_set must be Linf or L2"),
    (lambda: RMAACConfig(observation_set="Linf"), ValueError, "set must be written as in Python"),
    (lambda: MADDPGConfig(ernie_weight=1.0), ValueError, "ernie_set must be given where ernie_weight > 0"),
    (lambda: MADDPGConfig(ernie_weight=-1.0), ValueError, "ernie_weight must be finite and >= 0"),
    (lambda: MADDPGConfig(policy_delay=0), ValueError, "policy_delay must be >= 1"),
    (lambda: MADDPGConfig(twin_critics=2), TypeError, "twin_critics must be True or False"),
    (lambda: MADDPGConfig(infer_policies="yes"), TypeError, "infer_policies must be True or False"),
    (lambda: MATD3Config(target_noise=float("nan")), ValueError, "target_noise must be finite"),
]


@pytest.mark.parametrize(("make", "error", "said"), REFUSED)
def test_what_cannot_be_is_refused_at_construction(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_what_does_not_fit_the_team_is_refused_at_construction(toys):
    env = toys.box_game()
    alone = toys.Toy(*toys.team_of(a=(toys.box(1), toys.box(1))), lambda actions: {"a": 0.0})
    with pytest.raises(ValueError, match=r"epsilon must hold one number for each of \['early', 'late', 'third'\]"):
        M3DDPG(env, M3DDPGConfig(epsilon=(0.1, 0.2)))
    with pytest.raises(ValueError, match="needs other agents"):
        M3DDPG(alone)
    with pytest.raises(ValueError, match="needs other agents"):
        MADDPG(alone, MADDPGConfig(infer_policies=True))
    with pytest.raises(ValueError, match="agent 'late': observation_set needs a Box"):
        RMAAC(toys.mixed_game())
    with pytest.raises(ValueError, match="agent 'late': rectangular='s' needs discrete actions"):
        RMADDPG(env, RMADDPGConfig(nature="set", reward_set=L2(1.0), rectangular="s"))
    with pytest.raises(ValueError, match="reward_set must be by agent of"):
        RMADDPG(env, RMADDPGConfig(nature="set", reward_set={"nobody": Linf(1.0)}))
    with pytest.raises(ValueError, match="unit must have"):
        RMAAC(env, RMAACConfig(observation_set=Linf(0.1, unit=(1.0, 2.0))))


def test_sets_may_be_written_as_text():
    assert RMAACConfig(observation_set="L2(0.3)") == RMAACConfig(observation_set=L2(0.3))
    by_agent = RMADDPGConfig(nature="set", reward_set={"a": "Linf(0.5)"})
    assert by_agent.reward_set == {"a": Linf(0.5)}
    assert by_agent.to_json()["reward_set"] == {"a": "Linf(0.5)"}
