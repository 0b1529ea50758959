"""BenchMARL plays any PettingZoo environment through our task, natures as a group of their own."""

import pytest

pytest.importorskip("benchmarl", reason="benchmarl is not installed: python tests/interop/stacks.py")

import pickle
from functools import partial

from glassbox import FAMILY, EchoParallel
from mpe2 import simple_spread_v3, simple_tag_v3
from torchrl.envs import check_env_specs
from trained import example

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters.benchmarl import GameTask
from robust_envs.adapters.torchrl import RobustTransform

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("nature", "groups"), [(Uniform(), ["agent"]), (AsAgents(), ["agent", "nature"])], ids=repr)
def test_training_changes_every_group_and_nature_reaches_what_is_seen(watched, nature, groups):
    trained = watched.train(example("benchmarl"), 250, nature)
    assert sorted(trained) == groups
    assert all(watched.changed(network) for network in trained.values())
    assert 0 < watched.largest_move <= 1 + 1e-6


def tag():
    return simple_tag_v3.parallel_env(max_cycles=5)


def spread(nature=None):
    game = simple_spread_v3.parallel_env(max_cycles=5, continuous_actions=True)
    return game if nature is None else robust(game, observation=Linf(0.5), nature=nature)


@pytest.mark.parametrize("make", [tag, spread, partial(spread, AsAgents())])
def test_a_task_is_what_its_environment_is(make):
    task = pickle.loads(pickle.dumps(GameTask(make, max_steps=5)))
    env = task.get_env_fun(1, not task.supports_discrete_actions(), 0, "cpu")()
    check_env_specs(env)
    assert task.supports_continuous_actions() is (make is not tag)
    assert task.max_steps(env) == 5
    assert {agent for agents in task.group_map(env).values() for agent in agents} == set(make().possible_agents)
    assert "state" in task.state_spec(env).keys()  # noqa: SIM118 - a TorchRL spec is no mapping
    assert set(task.observation_spec(env).keys()) == set(task.group_map(env))


def test_one_transform_makes_a_task_robust():
    task = GameTask(spread, max_steps=5, transforms=[partial(RobustTransform, observation=Linf(0.1), nature=Uniform())])
    env = task.get_env_fun(1, True, 0, "cpu")()
    (transform,) = task.get_env_transforms(env)
    env.append_transform(transform).rollout(3)
    move = transform.last_move["observation", ("agent", "observation")]
    assert 0 < float(move.executed.abs().max()) <= 0.1


def mixed():
    return EchoParallel(FAMILY)


def different():
    game = robust(simple_spread_v3.parallel_env(continuous_actions=True), observation=Linf(0.5), nature=AsAgents())
    return robust(game, reward=Linf(0.5), nature=AsAgents())


BAD = {
    "no environment": (
        {"env_fn": lambda: None, "max_steps": 5},
        TypeError,
        "env_fn must build a pettingzoo ParallelEnv",
    ),
    "no length": ({"env_fn": spread, "max_steps": 0}, ValueError, "max_steps must be"),
    "two kinds of actions": ({"env_fn": mixed, "max_steps": 5}, ValueError, "in turns through AsAgents"),
    "natures that differ": ({"env_fn": different, "max_steps": 5}, ValueError, "uniform_spaces=True"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_benchmarl_cannot_hold_is_refused_when_the_task_is_made(case):
    options, kind, words = BAD[case]
    with pytest.raises(kind, match=words):
        GameTask(**options)
