# AgileRL: IPPO shares a policy among agents whose names begin alike, so natures get one of their own.

from typing import Any

import torch
from agilerl.algorithms import IPPO
from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Linf, Uniform, robust


def make(nature: Any) -> Any:
    game = simple_spread_v3.parallel_env(max_cycles=25, continuous_actions=True)
    return robust(game, observation=Linf(1.0), nature=nature)


def train(steps: int = 4000, nature: Any = Uniform()) -> dict[str, Any]:  # noqa: B008
    torch.manual_seed(0)
    game = make(nature)
    learner = IPPO(
        [game.observation_space(agent) for agent in game.possible_agents],
        [game.action_space(agent) for agent in game.possible_agents],
        list(game.possible_agents),
        learn_step=min(steps, 500),
        lr=1e-3,
        gamma=0.95,
    )
    (learner,), _ = train_multi_agent_on_policy(
        game, "spread", "IPPO", [learner], max_steps=steps, evo_steps=min(steps, 500), eval_steps=25, verbose=False
    )
    return dict(learner.actors)


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", list(train(nature=nature)))
