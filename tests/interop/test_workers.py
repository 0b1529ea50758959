"""Copies of an environment in the workers of a library draw noise of their own, the same again with the same seed."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from mpe2 import simple_spread_v3

pytest.importorskip("torch", reason="torch is not installed")

from trained import Still, example, still

from robust_envs import AsAgents, Linf, Uniform, robust

pytestmark = pytest.mark.filterwarnings("ignore")
TWO = [still, still]


def all_differ(rows):
    rows = [np.asarray(row).tobytes() for row in rows]
    return len(set(rows)) == len(rows) > 1


class StillPendulum(gymnasium.Wrapper):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=0, options=options)


def pendulum():
    return robust(StillPendulum(gymnasium.make("Pendulum-v1")), observation=Linf(0.1), nature=Uniform())


@pytest.mark.parametrize("seed", [None, 3])
def test_stable_baselines3_processes(seed):
    vec = pytest.importorskip("stable_baselines3.common.vec_env", reason="stable_baselines3 is not installed")
    env = vec.SubprocVecEnv([pendulum, pendulum], start_method="fork")
    try:
        env.seed(seed)
        seen = env.reset()
        assert all_differ(seen)
        env.seed(seed)
        assert np.array_equal(env.reset(), seen) is (seed is not None)
    finally:
        env.close()


def turns(nature=Uniform()):  # noqa: B008
    from pettingzoo.utils.conversions import parallel_to_aec
    from tianshou.env import PettingZooEnv

    return PettingZooEnv(parallel_to_aec(still(nature)))


@pytest.mark.parametrize("kind", ["DummyVectorEnv", "SubprocVectorEnv"])
def test_tianshou_workers(kind):
    env_kinds = pytest.importorskip("tianshou.env", reason="tianshou is not installed")
    env = getattr(env_kinds, kind)([turns, turns])
    try:
        env.seed(3)
        seen = [row["obs"] for row in env.reset()[0]]
        assert all_differ(seen)
        env.seed(3)
        assert np.array_equal([row["obs"] for row in env.reset()[0]], seen)
    finally:
        env.close()


def test_torchrl_batches_of_copies():
    envs = pytest.importorskip("torchrl.envs", reason="torchrl is not installed")
    batch = envs.SerialEnv(2, lambda: envs.PettingZooWrapper(still()))
    batch.set_seed(3)
    assert all_differ(batch.reset()["agent", "observation"])


def test_torchrl_copies_of_a_transform_made_inside_draw_the_same_unless_their_seeds_differ():
    envs = pytest.importorskip("torchrl.envs", reason="torchrl is not installed")
    from robust_envs.adapters.torchrl import RobustTransform

    def make(seed):
        game = envs.PettingZooWrapper(Still(simple_spread_v3.parallel_env(continuous_actions=True)))
        return envs.TransformedEnv(game, RobustTransform(observation=Linf(1.0), nature=Uniform(), seed=seed))

    def first(*seeds):
        batch = envs.SerialEnv(len(seeds), [partial(make, seed) for seed in seeds])
        batch.set_seed(3)
        return batch.reset()["agent", "observation"]

    assert np.array_equal(*first(0, 0))
    assert all_differ(first(0, 1))


def wrapped(nature=Uniform()):  # noqa: B008
    from torchrl.envs import PettingZooWrapper

    return PettingZooWrapper(still(nature))


@pytest.mark.slow
@pytest.mark.parametrize("nature", [Uniform(), AsAgents()], ids=repr)
def test_torchrl_collectors_in_processes(nature):
    pytest.importorskip("torchrl", reason="torchrl is not installed")
    from torchrl.collectors import MultiSyncCollector

    options = {"frames_per_batch": 10, "total_frames": 10, "cat_results": "stack"}
    collector = MultiSyncCollector([partial(wrapped, nature)] * 2, policy=None, **options)
    try:
        collector.set_seed(3)
        (batch,) = collector
        assert batch["agent", "observation"].shape[:2] == (2, 5)
        assert all_differ(batch["agent", "observation"][:, 1])  # by their actions where nature is an agent
    finally:
        collector.shutdown()


def test_benchmarl_copies_of_a_task():
    pytest.importorskip("benchmarl", reason="benchmarl is not installed")
    from torchrl.envs import SerialEnv

    from robust_envs.adapters.benchmarl import GameTask

    batch = SerialEnv(2, GameTask(still, max_steps=25).get_env_fun(2, True, 3, "cpu"))
    batch.set_seed(3)  # as BenchMARL's collector does
    assert all_differ(batch.reset()["agent", "observation"])


def test_agilerl_processes():
    vector = pytest.importorskip("agilerl.vector", reason="agilerl is not installed")
    env = vector.AsyncPettingZooVecEnv(TWO)
    try:
        seen = env.reset(seed=3)[0]["agent_0"].copy()
        assert all_differ(seen)
        assert np.array_equal(env.reset(seed=3)[0]["agent_0"], seen)
    finally:
        env.close()


def test_xuance_copies(monkeypatch):
    pytest.importorskip("xuance", reason="xuance is not installed")
    module = example("xuance")
    monkeypatch.setattr(module, "make", still)
    config = module.get_arguments("ippo", "mpe", "simple_spread_v3")
    ours = {"env_name": "robust", "vectorize": "DummyVecMultiAgentEnv", "parallels": 2, "env_seed": 3}
    vars(config).update(ours, nature=Uniform())
    assert all_differ([row["agent_0"] for row in module.make_envs(config).reset()[0]])


def test_what_begins_alike_is_moved_by_nature_alone():
    game = Still(simple_spread_v3.parallel_env())
    assert np.array_equal(game.reset(seed=1)[0]["agent_0"], game.reset(seed=2)[0]["agent_0"])
