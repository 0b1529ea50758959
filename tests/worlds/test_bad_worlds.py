"""Bad input on the channels of the world: each message says the parameter, the rule and the value."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from mpe2 import simple_spread_v3

from robust_envs import (
    Interval,
    Linf,
    Noise,
    Parameter,
    Relative,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    per_state,
    per_step,
    robust,
)
from robust_envs.worlds.paths import parse


def cartpole():
    return gymnasium.make("CartPole-v1")


def spread():
    return simple_spread_v3.parallel_env()


def factor(observation, action):
    return 1.0


VALUES = {
    "no such name, close": (cartpole, {"dynamics": {"maspole": Linf(0.1)}}, "there are masspole, .*mean 'masspole'"),
    "no such path": (
        spread,
        {"dynamics": {"world.dampin": Linf(0.1)}},
        "there is no 'world.dampin' .*there are world.damping",
    ),
    "no such item": (
        spread,
        {"dynamics": {"world.agents[9].size": Linf(0.1)}},
        r"there is no 'world.agents\[9\].size'",
    ),
    "no path at all": (cartpole, {"dynamics": {"gravity..x": Linf(0.1)}}, "a path must look like"),
    "no number": (spread, {"dynamics": {"world": Linf(0.1)}}, "'world' must be a number or an array of numbers"),
    "text": (cartpole, {"dynamics": {"kinematics_integrator": Linf(0.1)}}, "must be a number .* got 'euler'"),
    "a switch": (cartpole, {"dynamics": {"isopen": Linf(0.1)}}, "must be a number .* got True"),
    "read-only": (spread, {"dynamics": {"world.agents[0].mass": Linf(0.1)}}, "must be writable .*there are"),
    "mass 0": (cartpole, {"dynamics": {"masspole": Linf(0.1)}}, "must be > 0, its set reaches masspole=0"),
    "mass < 0": (
        spread,
        {"dynamics": {"mass": Interval(-1.0, 2.0)}},
        "initial_mass' must be > 0, its set reaches .*=-1",
    ),
    "friction": (
        spread,
        {"dynamics": {"damping": Linf(0.9)}},
        "must be >= 0 and be <= 1, its set reaches world.damping=-0.65",
    ),
    "guessed": (cartpole, {"dynamics": {"polemass_length": Linf(1.0)}}, "'polemass_length' must be > 0"),
    "no name": (cartpole, {"dynamics": Linf(0.1)}, "must be a dict by parameter, .*CartPoleEnv: gravity"),
    "nothing": (cartpole, {"dynamics": {}}, "must name at least one parameter"),
    "mixed clocks": (
        cartpole,
        {"dynamics": {"gravity": per_step(Linf(1.0)), "tau": Linf(0.01)}},
        "per_step must be on all parameters or on none",
    ),
    "joint": (cartpole, {"dynamics": {"gravity": joint(Linf(1.0))}}, "there is one nature for all agents already"),
    "per state": (
        cartpole,
        {"dynamics": {"gravity": per_state(Linf(1.0), factor)}},
        "per_state asks what one agent saw",
    ),
    "a budget among others": (
        cartpole,
        {"dynamics": {"gravity": per_step(per_episode(Linf(1.0))), "tau": per_step(Linf(0.01))}},
        "parts must be plain sets",
    ),
    "start per step": (cartpole, {"start": per_step(Linf(1.0))}, "start moves once an episode"),
    "no state": (
        lambda: gymnasium.make("Blackjack-v1"),
        {"start": Linf(1.0)},
        "start must be a dict by parameter, .*none is ready-made here",
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_bad_values_are_refused_with_parameter_rule_and_value(case):
    make, channels, sentence = VALUES[case]
    with pytest.raises(ValueError, match=sentence) as caught:
        robust(make(), **channels, nature=Uniform())
    assert "\n" not in str(caught.value)


KINDS = {
    "no set": {"dynamics": {"gravity": 0.1}},
    "no dict": {"dynamics": 0.1},
    "no path": {"dynamics": {3: Linf(0.1)}},
}


@pytest.mark.parametrize("case", KINDS)
def test_wrong_kinds_are_type_errors(case):
    with pytest.raises(TypeError, match=r"dynamics.*must be"):
        robust(cartpole(), **KINDS[case], nature=Uniform())


def test_parameters_check_their_arguments():
    with pytest.raises(TypeError, match="path must be text, got path=3"):
        Parameter(3)
    with pytest.raises(ValueError, match="get and set must be given together"):
        Parameter("total", get=factor)
    with pytest.raises(ValueError, match="a path must look like"):
        Parameter("a..b")
    with pytest.raises(ValueError, match=r"radius must be finite and >= 0, got radius=-0\.1"):
        Relative(-0.1)


def test_paths_are_taken_apart():
    assert parse("world.agents[*].state.p_pos[1]") == ("world", "agents", "*", "state", "p_pos", 1)


@pytest.mark.parametrize("channel", ["dynamics", "start", "transition"])
def test_natures_that_know_no_direction_are_refused(channel):
    members = {"gravity": Linf(1.0)} if channel == "dynamics" else Linf(0.1)
    with pytest.raises(ValueError, match="a reward only"):
        robust(cartpole(), **{channel: members}, nature=WorstCase())


def test_noise_needs_a_box():
    robust(cartpole(), dynamics={"gravity": Linf(1.0)}, nature=Noise()).reset(seed=0)
    robust(cartpole(), dynamics={"gravity": Interval(9.0, 10.0)}, nature=Noise()).reset(seed=0)
    with pytest.raises(ValueError, match="the set must be Linf or Interval"):
        robust(cartpole(), dynamics={"gravity": Linf(1.0), "tau": Linf(0.01)}, nature=Noise())


def test_copies_out_of_reach_are_refused_with_what_to_do():
    fleet = AsyncVectorEnv([cartpole] * 2)
    try:
        with pytest.raises(ValueError, match=r"in other processes .*AsyncVectorEnv\(\[lambda: robust\(make\(\)"):
            robust(fleet, dynamics={"gravity": Linf(1.0)}, nature=Uniform())
    finally:
        fleet.close()
    native = gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="vector_entry_point")
    with pytest.raises(ValueError, match="dynamics needs copies within reach"):
        robust(native, dynamics={"gravity": Linf(1.0)}, nature=Uniform())
    native.close()
    fleet = SyncVectorEnv([cartpole] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match="cannot move the last state of an episode"):
        robust(fleet, transition=Linf(0.1), nature=Uniform())


def test_an_array_parameter_counts_its_numbers():
    env = robust(spread(), dynamics={"world.agents[*].size": Linf(0.01)}, nature=Uniform(), trace=True)
    env.reset(seed=0)
    assert env.trace.moves["dynamics", "*"].executed.shape == (1, 3)
    with pytest.raises(ValueError, match=r"dynamics 'size'.*unit"):
        robust(spread(), dynamics={"size": Linf(0.01, unit=np.ones(2))}, nature=Uniform())
