"""Ready-made parameters and states of well-known environments, by the class of ``env.unwrapped``.

Classes are named by text, so that nothing is imported that is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from robust_envs.worlds.parameter import Parameter

__all__ = ["observe_again", "ready_parameters", "ready_states"]

Table = Mapping[str, Parameter]
_CLASSIC = "gymnasium.envs.classic_control"
_TOY = "gymnasium.envs.toy_text"


def _cartpole_totals(env: Any) -> None:
    """Follow a change of masses or length: Gymnasium's CartPole works these out once, when it is made."""
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length


def _mujoco_constants(env: Any) -> None:
    """Let MuJoCo work out what it derives from masses once, at compilation: subtree masses and inverse weights.

    ``mj_setConst`` moves the data it is given through the reference pose, so it gets data of its own.
    """
    import mujoco  # whoever has such an environment has it

    mujoco.mj_setConst(env.model, mujoco.MjData(env.model))


def _vmas_substeps(env: Any) -> None:
    """Follow a change of the time step, of which VMAS keeps a fraction."""
    env.world._sub_dt = env.world._dt / env.world._substeps  # noqa: SLF001 - it has no other name


def _friction(env: Any) -> Any:
    return env.model.geom_friction[:, 0].copy()


def _put_friction(env: Any, values: Any) -> None:
    env.model.geom_friction[:, 0] = values


def _gear(env: Any) -> Any:
    return env.model.actuator_gear[:, 0].copy()


def _put_gear(env: Any, values: Any) -> None:
    env.model.actuator_gear[:, 0] = values


def _masses(env: Any) -> Any:
    return env.model.body_mass[1:].copy()  # body 0 is the world, which has none


def _put_masses(env: Any, values: Any) -> None:
    env.model.body_mass[1:] = values


def _joints(env: Any) -> Any:
    return np.concatenate([env.data.qpos, env.data.qvel])


def _put_joints(env: Any, values: Any) -> None:
    n = env.model.nq
    env.set_state(np.asarray(values[:n]), np.asarray(values[n:]))


def _positions(env: Any) -> Any:
    return env.data.qpos.copy()


def _put_positions(env: Any, values: Any) -> None:
    env.set_state(np.asarray(values), env.data.qvel.copy())


def _velocities(env: Any) -> Any:
    return env.data.qvel.copy()


def _put_velocities(env: Any, values: Any) -> None:
    env.set_state(env.data.qpos.copy(), np.asarray(values))


def _table(*parameters: Parameter, **named: Parameter) -> Table:
    return {**{parameter.path: parameter for parameter in parameters}, **named}


_PARAMETERS: dict[str, Table] = {
    f"{_CLASSIC}.cartpole.CartPoleEnv": _table(
        Parameter("gravity"),
        Parameter("masscart", positive=True, after=_cartpole_totals),
        Parameter("masspole", positive=True, after=_cartpole_totals),
        Parameter("length", positive=True, after=_cartpole_totals),
        Parameter("force_mag"),
        Parameter("tau", positive=True),
    ),
    f"{_CLASSIC}.pendulum.PendulumEnv": _table(
        Parameter("g"),
        Parameter("m", positive=True),
        Parameter("l", positive=True),
        Parameter("dt", positive=True),
        Parameter("max_torque", low=0.0),
        Parameter("max_speed", positive=True),
    ),
    f"{_CLASSIC}.acrobot.AcrobotEnv": _table(
        *(Parameter(f"LINK_{what}_{k}", positive=True) for what in ("LENGTH", "MASS", "COM_POS") for k in (1, 2)),
        Parameter("LINK_MOI", positive=True),
        Parameter("dt", positive=True),
    ),
    f"{_CLASSIC}.mountain_car.MountainCarEnv": _table(
        Parameter("force"), Parameter("gravity"), Parameter("max_speed", positive=True)
    ),
    f"{_CLASSIC}.continuous_mountain_car.Continuous_MountainCarEnv": _table(
        Parameter("power"), Parameter("max_speed", positive=True)
    ),
    "mpe2._mpe_utils.simple_env.SimpleEnv": _table(
        damping=Parameter("world.damping", low=0.0, high=1.0),
        dt=Parameter("world.dt", positive=True),
        contact_force=Parameter("world.contact_force", low=0.0),
        contact_margin=Parameter("world.contact_margin", positive=True),
        mass=Parameter("world.agents[*].initial_mass", positive=True),  # `mass` itself only reads it
        size=Parameter("world.agents[*].size", positive=True),
        max_speed=Parameter("world.agents[*].max_speed", positive=True),
        accel=Parameter("world.agents[*].accel"),
    ),
    "gymnasium.envs.mujoco.mujoco_env.MujocoEnv": _table(
        gravity=Parameter("model.opt.gravity[2]"),
        timestep=Parameter("model.opt.timestep", positive=True),
        density=Parameter("model.opt.density", low=0.0),
        viscosity=Parameter("model.opt.viscosity", low=0.0),
        wind=Parameter("model.opt.wind"),
        mass=Parameter("mass", get=_masses, set=_put_masses, positive=True, after=_mujoco_constants),
        friction=Parameter("friction", get=_friction, set=_put_friction, low=0.0),
        damping=Parameter("model.dof_damping", low=0.0),
        stiffness=Parameter("model.jnt_stiffness", low=0.0),
        armature=Parameter("model.dof_armature", low=0.0, after=_mujoco_constants),
        gear=Parameter("gear", get=_gear, set=_put_gear),
    ),
    "vmas.simulator.environment.environment.Environment": _table(
        drag=Parameter("world._drag", low=0.0, high=1.0),
        dt=Parameter("world._dt", positive=True, after=_vmas_substeps),
        collision_force=Parameter("world._collision_force", low=0.0),
        contact_margin=Parameter("world._contact_margin", positive=True),
        joint_force=Parameter("world._joint_force", low=0.0),
        mass=Parameter("agents[*]._mass", positive=True),
        max_speed=Parameter("agents[*]._max_speed", positive=True),
    ),
}


def _last_state(env: Any) -> Any:
    return env.game.n_states - 1


def _last_place(env: Any) -> Any:
    return int(env.observation_space.n) - 1


def _hill_low(env: Any) -> Any:
    return env.low


def _hill_high(env: Any) -> Any:
    return env.high


def _car_low(env: Any) -> Any:
    return env.low_state


def _car_high(env: Any) -> Any:
    return env.high_state


_GAME: Table = {"state": Parameter("_state", low=0.0, high=_last_state)}
_GRID: Table = {"state": Parameter("s", low=0.0, high=_last_place)}
_VECTOR: Table = {"state": Parameter("state")}
_CAR: Table = {"state": Parameter("state", low=_car_low, high=_car_high)}
_STATES: dict[str, Table] = {
    f"{_CLASSIC}.cartpole.CartPoleEnv": _VECTOR,
    f"{_CLASSIC}.pendulum.PendulumEnv": _VECTOR,
    f"{_CLASSIC}.acrobot.AcrobotEnv": _VECTOR,
    f"{_CLASSIC}.mountain_car.MountainCarEnv": {"state": Parameter("state", low=_hill_low, high=_hill_high)},
    f"{_CLASSIC}.continuous_mountain_car.Continuous_MountainCarEnv": _CAR,
    f"{_TOY}.frozen_lake.FrozenLakeEnv": _GRID,
    f"{_TOY}.cliffwalking.CliffWalkingEnv": _GRID,
    "mpe2._mpe_utils.simple_env.SimpleEnv": _table(
        position=Parameter("world.agents[*].state.p_pos"),
        velocity=Parameter("world.agents[*].state.p_vel"),
        landmarks=Parameter("world.landmarks[*].state.p_pos"),
    ),
    "gymnasium.envs.mujoco.mujoco_env.MujocoEnv": _table(
        state=Parameter("state", get=_joints, set=_put_joints),
        position=Parameter("position", get=_positions, set=_put_positions),
        velocity=Parameter("velocity", get=_velocities, set=_put_velocities),
    ),
    "robust_envs.envs.play.MarkovGameEnv": _GAME,
    "robust_envs.envs.play.MarkovDecisionEnv": _GAME,
}


def _of(tables: Mapping[str, Any], base: Any) -> Any:
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(base).__mro__]
    return next((tables[name] for name in names if name in tables), None)


def ready_parameters(base: Any) -> Table:
    """Return the parameters of an unwrapped environment that have names; none for an unknown one."""
    return _of(_PARAMETERS, base) or {}


def ready_states(base: Any) -> Table:
    """Return what makes up the state of an unwrapped environment; the first entry is all of it that is usual."""
    return _of(_STATES, base) or {}


def _plain_state(env: Any) -> Any:
    return np.array(env.state, dtype=np.float32)


def _place(env: Any) -> Any:
    return int(env.s)


_OBSERVE: dict[str, Callable[[Any], Any]] = {
    f"{_CLASSIC}.cartpole.CartPoleEnv": _plain_state,
    f"{_CLASSIC}.mountain_car.MountainCarEnv": _plain_state,
    f"{_CLASSIC}.continuous_mountain_car.Continuous_MountainCarEnv": _plain_state,
    f"{_TOY}.frozen_lake.FrozenLakeEnv": _place,
    f"{_TOY}.cliffwalking.CliffWalkingEnv": _place,
}


def observe_again(base: Any) -> Callable[[], Any] | None:
    """Return what asks an unwrapped environment for its observation without a step.

    That is ``_get_obs()``, as Gymnasium's tutorials and MuJoCo environments have it; ``None`` if there is nothing.
    """
    special = _of(_OBSERVE, base)
    if special is not None:
        return _Asked(special, base)
    for name in ("_get_obs", "_get_ob", "_observe"):
        if callable(getattr(base, name, None)):
            return getattr(base, name)  # type: ignore[no-any-return]
    return None


class _Asked:
    """A function of an environment with its environment, which copies together with it."""

    def __init__(self, function: Callable[[Any], Any], base: Any) -> None:
        self.function, self.base = function, base

    def __call__(self) -> Any:
        return self.function(self.base)
