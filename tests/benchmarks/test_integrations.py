"""What a robust layer costs inside other libraries: their steps per CPU-second on the wrapped game over the naked one.

`python tests/benchmarks/test_integrations.py [LIBRARY ...]` prints the rows of docs/integrations/index.md for what is
installed: the ratio and an interval for it. Both sides do the same work, with the same lengths of episodes.
"""

import importlib.util
import warnings

import pytest
from interleaved import paired
from mpe2 import simple_spread_v3

from robust_envs import Linf, Uniform, robust

STEPS = 75


def make(wrapped, turns=False):
    kind = simple_spread_v3.env if turns else simple_spread_v3.parallel_env
    game = kind(continuous_actions=not turns, max_cycles=25)
    return robust(game, observation=Linf(0.1), nature=Uniform()) if wrapped else game


def torchrl(wrapped):
    from torchrl.envs import PettingZooWrapper

    env = PettingZooWrapper(make(wrapped), seed=0)
    return lambda: env.rollout(STEPS, break_when_any_done=False)


def rllib(wrapped):
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
    from ray.tune.registry import register_env

    register_env(f"spread_{wrapped}", lambda _: ParallelPettingZooEnv(make(wrapped)))
    team = {"policies": {"team"}, "policy_mapping_fn": lambda agent, episode, **_: "team"}
    runner = MultiAgentEnvRunner(config=PPOConfig().environment(f"spread_{wrapped}").multi_agent(**team))
    return lambda: runner.sample(num_timesteps=STEPS)


def agilerl(wrapped):
    from agilerl.vector import PzDummyVecEnv

    env = PzDummyVecEnv(make(wrapped))
    actions = {agent: env.single_action_space(agent).sample()[None] for agent in make(False).possible_agents}

    def chunk():
        env.reset(seed=0)
        for _ in range(STEPS):
            env.step(actions)

    return chunk


def tianshou(wrapped):
    from tianshou.algorithm import MultiAgentOffPolicyAlgorithm
    from tianshou.data import Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv, PettingZooEnv
    from trained import example

    game = PettingZooEnv(make(wrapped, turns=True))
    team = MultiAgentOffPolicyAlgorithm(algorithms=[example("tianshou").learner(game) for _ in game.agents], env=game)
    collector = Collector(team, DummyVectorEnv([lambda: game]), VectorReplayBuffer(1000, 1), exploration_noise=True)
    collector.reset()
    return lambda: collector.collect(n_step=STEPS)


def stable_baselines3(wrapped):
    from stable_baselines3 import PPO
    from trained import example

    game = example("stable_baselines3").Shared(make(wrapped))
    model = PPO("MlpPolicy", game, n_steps=STEPS, batch_size=STEPS, n_epochs=1, seed=0, device="cpu")
    return lambda: model.learn(STEPS * 3)


LIBRARIES = {
    "torchrl": (torchrl, "torchrl"),
    "rllib": (rllib, "ray.rllib"),
    "agilerl": (agilerl, "agilerl"),
    "tianshou": (tianshou, "tianshou"),
    "stable_baselines3": (stable_baselines3, "stable_baselines3"),
}


def installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def ratio(name, rounds):
    """Return the ratio and the ends of an interval for it, after a chunk of each that is not counted."""
    chunks = [LIBRARIES[name][0](wrapped) for wrapped in (False, True)]
    for chunk in chunks:
        chunk()
    return paired(*chunks, rounds=rounds)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_is_not_much_slower_on_the_wrapped_game(name):
    pytest.importorskip(LIBRARIES[name][1], reason=f"{name} is not installed")
    assert ratio(name, rounds=11)[0] > 0.8  # 0.93 or more; so few rounds on a busy machine shift it


if __name__ == "__main__":
    import logging
    import os
    import sys

    os.environ.setdefault("RAY_AUTH_MODE", "token")
    sys.path.append("tests")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    for name in sys.argv[1:] or LIBRARIES:
        if installed(LIBRARIES[name][1]):
            print("| {} | {:.3f} | {:.3f} to {:.3f} |".format(name, *ratio(name, rounds=101)), flush=True)
