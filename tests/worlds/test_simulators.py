"""Ready-made parameters of simulators that are not always installed: Gymnasium's MuJoCo, and VMAS."""

import gymnasium
import numpy as np
import pytest

from robust_envs import Linf, Relative, Uniform, robust
from robust_envs.worlds.parameter import Reading
from robust_envs.worlds.tables import ready_parameters

READY = ["gravity", "timestep", "mass", "friction", "damping", "stiffness", "armature", "gear"]


def cheetah():
    pytest.importorskip("mujoco", reason="mujoco is not installed")
    return gymnasium.make("HalfCheetah-v5")


def last(env):
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        seen, *_ = env.step(rng.uniform(-1, 1, 6).astype(np.float32))
    return seen


@pytest.mark.parametrize("name", READY)
def test_parameters_of_mujoco_change_what_follows_and_come_back(name):
    env = robust(cheetah(), dynamics={name: Relative(0.3)}, nature=lambda move: move.set.worst(-np.ones(move.set.dim)))
    assert np.abs(last(env) - last(cheetah())).max() > 1e-3
    env.close()
    moved, own = env.unwrapped.model, cheetah().unwrapped.model
    for field in ("body_mass", "body_subtreemass", "body_invweight0", "dof_damping", "geom_friction", "actuator_gear"):
        assert np.array_equal(getattr(moved, field), getattr(own, field))


def test_what_mujoco_derives_from_masses_follows():
    env = robust(cheetah(), dynamics={"mass": Relative(0.3)}, nature=Uniform())
    env.reset(seed=0)
    model = env.unwrapped.model
    assert model.body_subtreemass[0] == pytest.approx(model.body_mass.sum())
    assert model.body_subtreemass[0] != pytest.approx(cheetah().unwrapped.model.body_subtreemass[0])


def test_states_of_mujoco_move():
    env = robust(cheetah(), start=Linf(0.05), transition={"velocity": Linf(0.01)}, nature=Uniform(), trace=True)
    observation, _ = env.reset(seed=0)
    assert np.array_equal(observation, env.unwrapped._get_obs())
    observation, *_ = env.step(np.zeros(6, np.float32))
    assert np.array_equal(observation, env.unwrapped._get_obs())
    assert env.trace.moves["transition", "*"].executed.shape == (1, 9)
    naked, zero = cheetah(), robust(cheetah(), start=Linf(0.0), dynamics={"mass": Relative(0.0)}, nature=Uniform())
    assert np.array_equal(last(naked), last(zero))


@pytest.mark.filterwarnings("ignore")  # of gym, which VMAS imports
def test_the_table_of_vmas_names_what_is_there_and_can_be_written():
    make_env = pytest.importorskip("vmas", reason="vmas is not installed").make_env
    env = make_env("navigation", num_envs=2, device="cpu", seed=0)
    for name, parameter in ready_parameters(env).items():
        if name == "max_speed":  # navigation sets none
            continue
        reading = Reading(parameter, env)
        before, kept = reading.read(), reading.keep()
        reading.write(1.1 * before)
        assert np.allclose(reading.read(), 1.1 * before)
        reading.put_back(kept)
        assert np.array_equal(reading.read(), before)
    assert env.world._sub_dt == env.world._dt / env.world._substeps
