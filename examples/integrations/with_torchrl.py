# TorchRL: independent PPO for each group of agents; nature's agents are one more group, or a transform moves the batch.

from typing import Any

import torch
from mpe2 import simple_spread_v3
from tensordict.nn import NormalParamExtractor, TensorDictModule, TensorDictSequential
from torchrl.envs import PettingZooWrapper, TransformedEnv
from torchrl.modules import MultiAgentMLP, ProbabilisticActor, TanhNormal
from torchrl.objectives import ClipPPOLoss, ValueEstimators

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters.torchrl import RobustTransform


def learner(env: Any, group: str) -> ClipPPOLoss:
    action = env.full_action_spec[group, "action"]
    seen, acts = env.observation_spec[group, "observation"].shape[-1], action.shape[-1]
    common = {"n_agents": len(env.group_map[group]), "centralized": False, "share_params": True, "num_cells": [64, 64]}
    body = torch.nn.Sequential(MultiAgentMLP(seen, 2 * acts, **common), NormalParamExtractor())
    law = TensorDictModule(body, [(group, "observation")], [(group, "loc"), (group, "scale")])
    keys = {"in_keys": [(group, "loc"), (group, "scale")], "out_keys": [(group, "action")]}
    bounds = {"low": action.space.low, "high": action.space.high}
    options = {"distribution_kwargs": bounds, "return_log_prob": True, "log_prob_key": (group, "log_prob")}
    actor = ProbabilisticActor(law, distribution_class=TanhNormal, **keys, **options)
    critic = TensorDictModule(MultiAgentMLP(seen, 1, **common), [(group, "observation")], [(group, "state_value")])
    loss = ClipPPOLoss(actor, critic)
    names = {"value": "state_value", "sample_log_prob": "log_prob", "reward": "reward", "action": "action"}
    names |= {name: name for name in ("done", "terminated")}
    loss.set_keys(**{name: (group, key) for name, key in names.items()})
    loss.make_value_estimator(ValueEstimators.GAE, gamma=0.95, lmbda=0.9)
    return loss


def train(steps: int = 4000, nature: Any = Uniform()) -> dict[str, ClipPPOLoss]:  # noqa: B008
    torch.manual_seed(0)
    game = simple_spread_v3.parallel_env(continuous_actions=True)
    if isinstance(nature, AsAgents):
        env = PettingZooWrapper(robust(game, observation=Linf(1.0), nature=nature))
    else:  # the same by one line, for any environment of TorchRL and for batches of them
        env = TransformedEnv(PettingZooWrapper(game), RobustTransform(observation=Linf(1.0), nature=nature))
    losses = {group: learner(env, group) for group in env.group_map}
    optimizer = torch.optim.Adam([weight for loss in losses.values() for weight in loss.parameters()], 1e-3)
    players = TensorDictSequential(*(loss.actor_network for loss in losses.values()))
    for _ in range(max(steps // 500, 1)):
        with torch.no_grad():
            batch = env.rollout(min(steps, 500), players, break_when_any_done=False)
        for loss in losses.values():
            parts = {"params": loss.critic_network_params, "target_params": loss.target_critic_network_params}
            loss.value_estimator(batch, **parts)
            for _ in range(4):
                optimizer.zero_grad()
                sum(part for name, part in loss(batch).items() if name.startswith("loss_")).backward()
                optimizer.step()
    return losses


if __name__ == "__main__":
    for nature in (Uniform(), AsAgents()):
        print(nature, "trained", list(train(nature=nature)))
