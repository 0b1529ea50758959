"""RLlib's new API stack checks what we give it and trains team and nature as policies of one algorithm."""

import os

import pytest

# dm-tree comes with RLlib and not with ray alone: the processes of other tests keep their own settings
pytest.importorskip("tree", reason="ray[rllib] is not installed: python tests/interop/stacks.py")
os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray reads it when it is imported
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
pytest.importorskip("ray.rllib", reason="ray[rllib] is not installed: python tests/interop/stacks.py")

import pickle

import numpy as np
import ray
import trained
from mpe2 import simple_spread_v3
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv
from ray.rllib.utils.pre_checks.env import check_multiagent_environments
from ray.tune.registry import register_env
from trained import example, still

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters.rllib import zero_sum

pytestmark = pytest.mark.filterwarnings("ignore")
CHANNELS = {"observation": Linf(0.5), "reward": Linf(0.5)}


@pytest.fixture(autouse=True, scope="module")
def alone():
    ray.init(num_cpus=3, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.parametrize("nature", [Uniform(), AsAgents()], ids=repr)
@pytest.mark.parametrize("api", ["parallel", "turns"])
def test_check_multiagent_environments_passes(nature, api):
    make, convert = {
        "parallel": (simple_spread_v3.parallel_env, ParallelPettingZooEnv),
        "turns": (simple_spread_v3.env, PettingZooEnv),
    }[api]
    game = make(continuous_actions=True, max_cycles=10)
    check_multiagent_environments(convert(robust(game, **CHANNELS, nature=nature)))


@pytest.mark.parametrize(("nature", "policies"), [(Uniform(), ["team"]), (AsAgents(), ["nature", "team"])], ids=repr)
def test_training_changes_every_policy_and_nature_reaches_what_is_seen(watched, nature, policies):
    trained = watched.train(example("rllib"), 250, nature)
    assert sorted(trained) == policies
    assert len(watched.optimizers) == len(policies)
    assert all(watched.changed_by(optimizer) for optimizer in watched.optimizers)
    assert 0 < watched.largest_move <= 1 + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("nature", [Uniform(), AsAgents()], ids=repr)
def test_env_runners_in_processes_see_noise_of_their_own(nature):
    ray.cloudpickle.register_pickle_by_value(trained)  # a module of the tests is nowhere to be imported from there
    register_env("still", lambda _: ParallelPettingZooEnv(still(nature)))
    team = {"policies": {"team"}, "policy_mapping_fn": lambda agent, episode, **_: "team"}
    config = (
        PPOConfig()
        .environment("still")
        .multi_agent(**(zero_sum(still(nature)) if isinstance(nature, AsAgents) else team))
        .env_runners(num_env_runners=2)
        .debugging(seed=3, log_level="ERROR")
    )
    algorithm = config.build_algo()
    try:
        episodes = algorithm.env_runner_group.foreach_env_runner(
            lambda runner: runner.sample(num_episodes=1)[0], local_env_runner=False
        )
        seen = [episode.agent_episodes["agent_0"].get_observations(1) for episode in episodes]
        assert len(seen) == 2
        assert not np.array_equal(*seen)
    finally:
        algorithm.stop()


def game(**options):
    env = simple_spread_v3.parallel_env(continuous_actions=True)
    return robust(env, **(options or CHANNELS), nature=AsAgents())


def test_zero_sum_gives_the_team_and_nature_a_policy_each():
    found = zero_sum(game())
    mapping = found["policy_mapping_fn"]
    assert found["policies"] == {"team", "nature"}
    assert [mapping(agent, None) for agent in ("agent_2", "nature_5")] == ["team", "nature"]
    assert pickle.loads(pickle.dumps(mapping)) == mapping


def test_agents_whose_spaces_differ_get_policies_of_their_own():
    nested = robust(game(observation=Linf(0.5)), reward={"agent_0": Linf(0.1)}, nature=AsAgents())
    found = zero_sum(nested)
    assert found["policies"] == {"team", "nature", "nature_1"}
    assert found["policy_mapping_fn"]("nature_3") == "nature_1"
    assert zero_sum(game(), share=False)["policies"] == set(game().possible_agents)


@pytest.mark.parametrize("side", ["team", "nature"])
def test_one_side_can_be_trained_while_the_other_stays(side):
    assert zero_sum(game(), train=side)["policies_to_train"] == [side]


def test_bad_input_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"AsAgents\(\)"):
        zero_sum(simple_spread_v3.parallel_env())
    with pytest.raises(ValueError, match="train must be"):
        zero_sum(game(), train="adversary")
