"""The channel `dynamics`: named physical parameters really change the simulation, and come back."""

import warnings

import gymnasium
import numpy as np
import pytest
from glassbox import play, same
from mpe2 import simple_spread_v3, simple_tag_v3

from robust_envs import (
    L2,
    Finite,
    Interval,
    Linf,
    Nominal,
    OutsideSetError,
    Parameter,
    Product,
    Relative,
    Replay,
    Uniform,
    per_episode,
    per_step,
    robust,
)

RIGHT = np.float32([0, 0, 1, 0, 0])


def spread(**options):
    return simple_spread_v3.parallel_env(continuous_actions=True, **options)


def always(*delta):
    return lambda move: np.array(delta, float)


def velocities(env, steps=2):
    """Push all agents to the right from rest and return the velocity of the first after each step."""
    env.reset(seed=1)
    agents = env.unwrapped.world.agents
    for k, agent in enumerate(agents):
        agent.state.p_pos = np.array([10.0 * k, 0.0])  # far apart: no collisions
    found = []
    for _ in range(steps):
        env.step(dict.fromkeys(env.agents, RIGHT))
        found.append(agents[0].state.p_vel[0])
    return np.array(found)


def test_damping_of_mpe2_slows_by_the_factor_that_the_simulator_says():
    env = robust(spread(), dynamics={"damping": Linf(0.2)}, nature=always(0.15))
    kick = 5.0 * 0.1  # force times dt at mass 1
    assert np.allclose(velocities(env), [kick, kick * (1 - 0.25 - 0.15) + kick])
    assert np.allclose(velocities(spread()), [kick, kick * (1 - 0.25) + kick])


def test_mass_of_mpe2_divides_the_acceleration():
    env = robust(spread(), dynamics={"mass": Relative(0.5)}, nature=always(0.25, -0.5, 0.0))
    assert np.allclose(velocities(env, 1) / velocities(spread(), 1), 1 / 1.25)


def test_mass_of_a_pendulum_enters_its_equation_of_motion():
    def kick(env):
        env.reset(seed=0)
        env.unwrapped.state = np.zeros(2)
        env.step(np.float32([1.0]))
        return env.unwrapped.state[1]

    env = robust(gymnasium.make("Pendulum-v1"), dynamics={"m": Interval(0.5, 2.0)}, nature=always(1.0))
    assert kick(gymnasium.make("Pendulum-v1")) == pytest.approx(3 * 0.05)
    assert kick(env) == pytest.approx(3 * 0.05 / 2)


@pytest.mark.parametrize("name", ["masspole", "masscart", "length"])
def test_what_cartpole_derives_from_its_masses_follows(name):
    env = robust(gymnasium.make("CartPole-v1"), dynamics={name: Relative(0.5)}, nature=lambda move: move.set.grid(1)[0])
    byhand = gymnasium.make("CartPole-v1")
    inside = byhand.unwrapped
    setattr(inside, name, 1.5 * getattr(inside, name))
    inside.total_mass = inside.masspole + inside.masscart
    inside.polemass_length = inside.masspole * inside.length
    wrapped, free = play(env, 3), play(gymnasium.make("CartPole-v1"), 3)
    assert same(wrapped, play(byhand, 3))
    assert not same(wrapped, free)


@pytest.mark.parametrize("name", ["force_mag", "gravity", "tau"])
def test_the_other_parameters_of_cartpole_are_read_at_every_step(name):
    env = robust(gymnasium.make("CartPole-v1"), dynamics={name: Relative(0.3)}, nature=lambda move: move.set.grid(1)[0])
    byhand = gymnasium.make("CartPole-v1")
    setattr(byhand.unwrapped, name, 1.3 * getattr(byhand.unwrapped, name))
    assert np.allclose(play(env, 3)[5][0], play(byhand, 3)[5][0])
    assert not np.allclose(play(env, 3)[5][0], play(gymnasium.make("CartPole-v1"), 3)[5][0])


READY = {
    "Acrobot-v1": ["LINK_LENGTH_1", "LINK_MASS_1", "LINK_MASS_2", "LINK_COM_POS_1", "LINK_COM_POS_2", "LINK_MOI", "dt"],
    "Pendulum-v1": ["g", "m", "l", "dt", "max_torque", "max_speed"],
    "MountainCar-v0": ["force", "gravity"],
    "MountainCarContinuous-v0": ["power"],
}


@pytest.mark.parametrize(("name", "parameter"), [(name, one) for name, some in READY.items() for one in some])
def test_ready_made_parameters_of_classic_control_change_what_follows(name, parameter):
    def make():
        return gymnasium.make(name)

    env = robust(make(), dynamics={parameter: Relative(0.4)}, nature=lambda move: move.set.grid(2)[1])
    assert not same(play(env, 1, steps=60), play(make(), 1, steps=60))


def crowd(env):
    """Push agents that touch each other to the right, for long enough to reach the highest speed."""
    env.reset(seed=2)
    for k, agent in enumerate(env.unwrapped.world.agents):
        agent.state.p_pos = np.array([0.06 * k, 0.0])
    for _ in range(30):
        said = env.step(dict.fromkeys(env.agents, RIGHT))
    return said[0]


READY_MPE2 = ["damping", "dt", "contact_force", "contact_margin", "mass", "size", "max_speed", "accel"]


@pytest.mark.parametrize("parameter", READY_MPE2)
def test_ready_made_parameters_of_mpe2_change_what_follows(parameter):
    def make():
        return simple_tag_v3.parallel_env(max_cycles=60, continuous_actions=True)

    env = robust(
        make(), dynamics={parameter: Relative(0.4)}, nature=lambda move: move.set.project(-9 + 0 * move.nominal)
    )
    assert not same(crowd(env), crowd(make()))


def test_nature_draws_once_an_episode_and_with_per_step_at_every_step():
    once = robust(spread(), dynamics={"damping": Linf(0.1)}, nature=Uniform(), trace=True)
    often = robust(spread(), dynamics={"damping": per_step(Linf(0.1))}, nature=Uniform(), trace=True)
    for env, moves in ((once, 1), (often, 7)):
        env.reset(seed=0)
        seen = []
        for _ in range(7):
            env.step(dict.fromkeys(env.agents, RIGHT))
            seen.append(env.unwrapped.world.damping)
        executed = env.trace.moves["dynamics", "*"].executed[:, 0]
        assert len(executed) == moves
        assert np.allclose(np.array(seen), 0.25 + (executed if moves == 7 else np.repeat(executed, 7)))
        assert len(set(seen)) == moves


def test_a_budget_over_the_episode_is_shared_by_its_steps():
    sets = {"damping": per_step(per_episode(L2(0.1)))}
    env = robust(spread(), dynamics=sets, nature=lambda move: move.set.worst(np.ones(1)), trace=True)
    env.reset(seed=0)
    for _ in range(4):
        env.step(dict.fromkeys(env.agents, RIGHT))
    executed = env.trace.moves["dynamics", "*"].executed
    assert np.linalg.norm(executed) == pytest.approx(0.1)
    assert np.count_nonzero(np.abs(executed) > 1e-9) == 1


def test_one_ball_over_several_parameters_is_one_set_with_a_tuple_for_its_name():
    env = robust(spread(), dynamics={("damping", "dt"): L2(0.05)}, nature=Uniform(), trace=True)
    radii = []
    for seed in range(40):
        env.reset(seed=seed)
        radii.append(np.linalg.norm(env.last_move["dynamics", "*"].executed))
    assert 0.045 < max(radii) <= 0.05 + 1e-12
    with pytest.raises(OutsideSetError, match=r"'dynamics', agent \('agent_0'"):
        robust(spread(), dynamics={("damping", "dt"): L2(0.05)}, nature=always(0.05, 0.05)).reset(seed=0)


def test_intervals_and_lists_hold_values_and_balls_stand_around_the_nominal_value():
    values = {"masspole": Interval(0.2, 0.3), "gravity": Finite([5.0, 15.0]), "force_mag": Linf(1.0)}
    env = robust(gymnasium.make("CartPole-v1"), dynamics=values, nature=Uniform())
    seen = []
    for seed in range(30):
        env.reset(seed=seed)
        inside = env.unwrapped
        assert 0.2 <= inside.masspole <= 0.3
        assert abs(inside.force_mag - 10.0) <= 1.0
        seen.append(inside.gravity)
    assert np.allclose(sorted(set(np.round(seen, 9))), [5.0, 15.0])
    same_sets = robust(gymnasium.make("CartPole-v1"), dynamics=Product(values), nature=Uniform())
    same_sets.reset(seed=29)
    assert same_sets.unwrapped.masspole == env.unwrapped.masspole


def test_an_interval_of_values_without_the_nominal_one_moves_the_nominal_nature_to_its_nearest_end():
    env = robust(gymnasium.make("CartPole-v1"), dynamics={"masspole": Interval(0.2, 0.3)}, nature=Nominal())
    env.reset(seed=0)
    assert env.unwrapped.masspole == pytest.approx(0.2)


def parameters(env):
    inside = env.unwrapped
    if hasattr(inside, "world"):
        return [inside.world.damping, *(agent.initial_mass for agent in inside.world.agents)]
    return [inside.masspole, inside.total_mass, inside.polemass_length]


@pytest.mark.parametrize(
    ("make", "sets"),
    [
        (spread, {"damping": per_step(Linf(0.1)), "mass": Relative(0.2)}),
        (lambda: gymnasium.make("CartPole-v1"), {"masspole": Relative(0.3)}),
    ],
)
def test_the_parameters_come_back_on_reset_and_on_close(make, sets):
    sets = {name: per_step(members) if len(sets) > 1 else members for name, members in sets.items()}
    env = robust(make(), dynamics=sets, nature=Uniform())
    nominal = parameters(env)
    env.reset(seed=0)
    play(env, 0)
    assert parameters(env) != nominal
    env.radius  # noqa: B018 - asking changes nothing
    env._perturber.begin(1, None)
    assert same(parameters(env), nominal)
    play(env, 0)
    env.close()
    assert same(parameters(env), nominal)


def test_a_getter_and_a_setter_name_what_no_path_does():
    def get(env):
        return env.masspole + env.masscart

    def put(env, value):
        env.total_mass = value

    env = robust(
        gymnasium.make("CartPole-v1"), dynamics={Parameter("total", get=get, set=put): Linf(0.3)}, nature=always(0.25)
    )
    env.reset(seed=0)
    assert env.unwrapped.total_mass == pytest.approx(1.35)


def test_a_trace_replays_the_physics():
    sets = {"damping": per_step(Linf(0.1)), "mass": per_step(Relative(0.3))}
    first = robust(spread(), dynamics=sets, nature=Uniform(), trace=True)
    said = play(first, 4)
    again = robust(spread(), dynamics=sets, nature=Replay(first.trace), trace=True)
    assert same(play(again, 4), said)
    assert again.trace == first.trace


def test_info_tells_all_agents_the_same_numbers_of_fixed_shape():
    env = robust(spread(), dynamics={"mass": Relative(0.2)}, nature=Uniform(), info="numeric")
    _, infos = env.reset(seed=0)
    told = [infos[agent]["robust_dynamics_delta"] for agent in env.agents]
    assert all(np.array_equal(one, env.last_move["dynamics", "*"].executed) for one in told)
    assert told[0].shape == (3,)


def test_a_parameter_that_the_simulation_never_reads_is_warned_of_by_name():
    env = gymnasium.make("CartPole-v1")
    env.unwrapped.colour = 1.0
    with pytest.warns(UserWarning, match="dynamics 'colour' has no effect in random episodes of CartPoleEnv"):
        robust(env, dynamics={"colour": Linf(0.1)}, nature=Uniform())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        robust(gymnasium.make("CartPole-v1"), dynamics={"gravity": Linf(0.1)}, nature=Uniform())
