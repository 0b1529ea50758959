"""Seeded copies go on where the original stands, unseeded ones draw afresh; values print themselves."""

import copy
import pickle

import cloudpickle
import gymnasium
import numpy as np
import pytest
from glassbox import FAMILY, EchoAEC, EchoEnv, EchoParallel, EchoTurns, all_channels, draw, play, same

import robust_envs
from robust_envs import (
    L1,
    L2,
    AsAgents,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    Nominal,
    Policy,
    Product,
    Replay,
    Switch,
    Uniform,
    WorstCase,
    joint,
    per_episode,
    robust,
)

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: pickle.loads(cloudpickle.dumps(env)),
}
KINDS = {
    "gym": EchoEnv,
    "parallel": EchoParallel,
    "born": lambda: EchoParallel(FAMILY),
    "aec": EchoAEC,
    "turns": EchoTurns,
}


@pytest.fixture(params=COPIES)
def duplicate(request):
    return COPIES[request.param]


@pytest.fixture(params=KINDS)
def make(request):
    kind = KINDS[request.param]
    return lambda nature=Uniform(), **options: robust(kind(), **all_channels(kind(), 0.7), nature=nature, **options)  # noqa: B008


def go_on(env, steps=4):
    """Step an environment that was reset already; return all it said."""
    rng = np.random.default_rng(0)
    if isinstance(env, gymnasium.Env):
        return [env.step(draw(env.action_space, rng)) for _ in range(steps)]
    if hasattr(env, "agent_selection"):
        said = []
        for agent in env.agent_iter(3 * steps):
            said.append((agent, *env.last()))
            env.step(None if said[-1][3] or said[-1][4] else draw(env.action_space(agent), rng))
        return said
    return [env.step({agent: draw(env.action_space(agent), rng) for agent in env.agents}) for _ in range(steps)]


def test_a_seeded_copy_goes_on_identically(make, duplicate):
    env = make(trace=True)
    env.reset(seed=2)
    go_on(env)
    twin = duplicate(env)
    assert same(go_on(env), go_on(twin))
    assert env.trace == twin.trace


def test_a_seeded_copy_shares_nothing_with_the_original(make, duplicate):
    env = make()
    env.reset(seed=2)
    go_on(duplicate(env))
    twin = duplicate(env)
    assert same(go_on(env), go_on(twin))


def test_unseeded_copies_draw_afresh(make, duplicate):
    env = make(trace=True)
    env.reset()
    twins = [duplicate(env) for _ in range(2)]
    for twin in twins:
        go_on(twin)
    first, second = (twin.trace.moves for twin in twins)
    for key in first:
        if key[0] == "reward":
            assert not np.any(first[key].chosen[1:] == second[key].chosen[1:])


def test_copies_made_before_the_first_reset_work_and_obey_the_seed(make, duplicate):
    env = make()
    twin = duplicate(env)
    for one in (env, twin):
        one.reset(seed=3)
    assert same(go_on(env), go_on(twin))


@pytest.mark.parametrize("kind", [EchoParallel, EchoAEC])
def test_natures_as_agents_survive_copies(kind, duplicate):
    env = robust(kind(), reward=Linf(0.5), observation=Linf(0.2), nature=AsAgents())
    env.reset(seed=1)
    twin = duplicate(env)
    assert env.possible_agents == twin.possible_agents
    assert same(go_on(env), go_on(twin))


def answer(observation):
    return np.ones(99)


@pytest.mark.parametrize("nature", [Nominal(), Noise(), Policy(answer)], ids=repr)
def test_every_nature_survives_copies(nature, duplicate):
    env = robust(EchoParallel(), observation=Linf(0.7), nature=nature)
    env.reset(seed=1)
    assert same(go_on(duplicate(env)), go_on(env))


def test_a_replay_survives_copies(duplicate):
    env = robust(EchoParallel(), observation=Linf(0.7), nature=Uniform(), trace=True)
    env.reset(seed=1)
    go_on(env)
    twin = duplicate(robust(EchoParallel(), observation=Linf(0.7), nature=Replay(env.trace), trace=True))
    twin.reset()
    go_on(twin)
    assert twin.trace == env.trace
    assert duplicate(env.trace) == env.trace


def test_a_budget_under_way_survives_copies(duplicate):
    env = robust(EchoEnv(), observation=per_episode(L2(1.0), horizon=9), nature=Uniform(), trace=True)
    env.reset(seed=1)
    go_on(env)
    twin = duplicate(env)
    assert same(go_on(twin), go_on(env))
    assert twin.trace == env.trace


def test_mpe_copies_start_over_but_keep_working(duplicate):
    # mpe2 environments are made anew when they are copied (EzPickle); the noise of a seeded episode is not
    from mpe2 import simple_spread_v3

    env = robust(simple_spread_v3.parallel_env(max_cycles=5), reward=Linf(1.0), nature=Uniform())
    twin = duplicate(env)
    assert same(*(one.reset(seed=4)[0] for one in (env, twin)))
    assert same(go_on(env), go_on(twin))


SETS = [
    Linf(0.1),
    Linf(0.5, unit=(0.1, 0.2)),
    Linf(1.0, names=("x", "y")),
    L1(2.0),
    L2(0.5, unit=2.0),
    Interval(-0.1, (0.2, 0.3)),
    Ellipsoid([[2.0, 0.0], [0.0, 1.0]], radius=0.5),
    Finite([[0.0, 0.1], [0.2, 0.0]]),
    Switch(0.25),
    Product({"position": Linf(0.1), "velocity": L2(1.0)}),
    joint(L2(0.5)),
    per_episode(L1(2.0), horizon=25),
    joint(per_episode(L2(2.0))),
]
NATURES = [Nominal(), Uniform(), Noise(), Noise(cut=3.0), WorstCase(), AsAgents(), AsAgents(observe="state", grid=3)]


@pytest.mark.parametrize("value", SETS + NATURES, ids=repr)
def test_a_value_prints_as_the_code_that_makes_it(value):
    names = vars(robust_envs) | {"Joint": type(joint(L2(1.0))), "PerEpisode": type(per_episode(L2(1.0)))}
    assert eval(repr(value), names) == value


@pytest.mark.parametrize("value", SETS + NATURES, ids=repr)
def test_values_are_hashable_equal_and_picklable(value):
    twin = pickle.loads(pickle.dumps(value))
    assert twin == value
    assert hash(twin) == hash(value)


@pytest.mark.parametrize("value", SETS + NATURES, ids=repr)
def test_values_are_frozen(value):
    with pytest.raises(AttributeError):
        value.radius = 3.0


@pytest.mark.parametrize("kind", [EchoEnv, EchoParallel, EchoAEC])
def test_a_robust_environment_prints_as_one(kind):
    env = robust(kind(), reward=Linf(0.5), nature=Uniform())
    assert str(env)
    assert repr(env)


def test_copied_environments_keep_the_fast_path():
    # numpy's dtypes are singletons until they are pickled: an identity test on them would send copies the slow way
    env = pickle.loads(pickle.dumps(robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())))
    (seat,) = env._perturber.seats
    taken = []
    seat.execute = lambda value, delta: taken.append(delta) or value  # the slow way ends here
    play(env)
    assert taken == []
