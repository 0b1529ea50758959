# Tianshou: AEC games of discrete actions, a learner for each agent; natures are padded to the team's spaces.

from typing import Any

import torch
from mpe2 import simple_spread_v3
from tianshou.algorithm import DQN, MultiAgentOffPolicyAlgorithm
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, PettingZooEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

from robust_envs import AsAgents, Linf, Uniform, robust

# nature chooses among doing nothing and four members of the set: as many actions as an agent of the team has
NATURES = AsAgents(uniform_spaces=True, grid=4)


def make(nature: Any) -> Any:
    game = simple_spread_v3.env(max_cycles=25, continuous_actions=False)
    return PettingZooEnv(robust(game, observation=Linf(1.0), nature=nature))


def learner(game: Any) -> DQN[Any]:
    net = Net(state_shape=game.observation_space.shape, action_shape=game.action_space.n, hidden_sizes=(64, 64))
    policy = DiscreteQLearningPolicy(model=net, action_space=game.action_space, eps_training=0.2)
    return DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.95, target_update_freq=100)


def train(steps: int = 12_000, nature: Any = Uniform()) -> dict[str, Any]:  # noqa: B008
    torch.manual_seed(0)
    game = make(nature)
    team = MultiAgentOffPolicyAlgorithm(algorithms=[learner(game) for _ in game.agents], env=game)
    collector = Collector(team, DummyVectorEnv([lambda: game]), VectorReplayBuffer(20_000, 1), exploration_noise=True)
    collector.reset()
    team.run_training(
        OffPolicyTrainerParams(
            training_collector=collector,
            max_epochs=1,
            epoch_num_steps=steps,
            collection_step_num_env_steps=min(steps, 100),
            update_step_num_gradient_steps_per_sample=0.1,
            multi_agent_return_reduction=lambda returns: returns[:, 0],
            verbose=False,
            show_progress=False,
        )
    )
    return dict(team.policy.policies)


if __name__ == "__main__":
    for nature in (Uniform(), NATURES):
        print(nature, "trained", list(train(nature=nature)))
