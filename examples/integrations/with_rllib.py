# RLlib, new API stack: the team and nature are two policies of one algorithm; `zero_sum` sets them up.

from typing import Any

from mpe2 import simple_spread_v3
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters.rllib import zero_sum


def make(nature: Any) -> Any:
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)
    return robust(game, observation=Linf(1.0), nature=nature)


def train(steps: int = 4000, nature: Any = Uniform()) -> dict[str, Any]:  # noqa: B008
    register_env("spread", lambda _: ParallelPettingZooEnv(make(nature)))
    team = {"policies": {"team"}, "policy_mapping_fn": lambda agent, episode, **_: "team"}
    config = (
        PPOConfig()
        .environment("spread")
        .multi_agent(**(zero_sum(make(nature)) if isinstance(nature, AsAgents) else team))
        .env_runners(num_env_runners=0)  # more: so many processes; on a cluster they spread over its machines
        .training(train_batch_size_per_learner=min(steps, 1000), minibatch_size=250, num_epochs=4, gamma=0.95)
        .debugging(seed=0, log_level="ERROR")
    )
    algorithm = config.build_algo()
    for _ in range(max(steps // 1000, 1)):
        algorithm.train()
    return {name: algorithm.get_module(name) for name in config.policies}


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", sorted(train(nature=nature)))
