"""The updates that MADDPG and its robust relatives are made of, for all agents at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from algos.deep.heads import TorchHead
from algos.deep.losses import actor_loss, bootstrapped_target, critic_loss
from algos.deep.nets import LearnedStack, StackedMLP

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.config import ActorCriticConfig
    from algos.deep.games import Team

    Generators = Callable[[str], torch.Generator]

Metrics = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ActorCritic:
    """Hold the actors (own observation to action) and the critics (everybody's observations and actions to value)."""

    actors: LearnedStack
    critics: LearnedStack
    head: TorchHead

    @classmethod
    def make(cls, team: Team, config: ActorCriticConfig, generators: Generators, device: torch.device) -> ActorCritic:
        """Draw the networks, each kind from a generator of its own name."""
        sizes = (team.observation_size, *config.hidden_sizes, team.action_size)
        net = StackedMLP(tuple(seat.observation_size for seat in team.seats), sizes)
        actors = LearnedStack(
            net,
            net.initialise(generators("actors")).to(device),
            learning_rate=config.actor_learning_rate,
            max_grad_norm=config.max_grad_norm,
        )
        critics = joint_stack(team, config, generators("critics"), device, config.critic_learning_rate)
        return cls(actors, critics, TorchHead(team, device))


def joint_stack(
    team: Team, config: ActorCriticConfig, generator: torch.Generator, device: torch.device, learning_rate: float
) -> LearnedStack:
    """Draw one network per agent from all observations and all actions to one number."""
    agents = len(team.seats)
    real = sum(seat.observation_size + seat.action_size for seat in team.seats)
    inputs = agents * (team.observation_size + team.action_size)
    net = StackedMLP((real,) * agents, (inputs, *config.hidden_sizes, 1))
    parameters = net.initialise(generator).to(device)
    return LearnedStack(net, parameters, learning_rate=learning_rate, max_grad_norm=config.max_grad_norm)


def everybody_sees(joint: Tensor, agents: int) -> Tensor:
    """Show the same inputs (B, J) to the networks of all agents, (N, B, J), without copying."""
    return joint.expand(agents, *joint.shape)


def next_joint(nets: ActorCritic, batch: Batch) -> Tensor:
    """Return the next observations and the target actors' actions there, (B, J); the dead do not act."""
    actions = nets.head(nets.actors.evaluate_target(batch.next_observation), batch.next_legal)
    living = actions * batch.continues[:, :, None]
    stacked = (batch.next_observation, living)
    return torch.cat([part.transpose(0, 1).flatten(1) for part in stacked], dim=1)


def update_critics(nets: ActorCritic, batch: Batch, rewards: Tensor, *, gamma: float) -> Metrics:
    """Move every critic towards `rewards + gamma Q'(o', a')`; rewards (N, B) are whatever the trainer believes."""
    agents = len(batch.reward)
    with torch.no_grad():
        q_t = nets.critics.evaluate_target(everybody_sees(next_joint(nets, batch), agents))[..., 0]
        target = bootstrapped_target(rewards, gamma * batch.continues, q_t)
    q_tm1 = nets.critics(everybody_sees(batch.joint, agents))[..., 0]
    losses = critic_loss(q_tm1, target, batch.present)
    nets.critics.descend(losses)
    return {"critic_loss": losses.detach(), "q": q_tm1.detach().mean(1)}


def update_actors(nets: ActorCritic, batch: Batch, *, penalty: float) -> Metrics:
    """Move every actor up its critic: own action from the actor, the others' from the buffer."""
    agents = len(batch.reward)
    outputs = nets.actors(batch.observation)
    own = nets.head(outputs, batch.legal)
    mine = torch.eye(agents, dtype=torch.bool, device=own.device)[:, None, :, None]
    actions = torch.where(mine, own[:, :, None], batch.action)
    observations = batch.joint[:, : -actions[0, 0].numel()]
    joint = torch.cat([everybody_sees(observations, agents), actions.flatten(2)], dim=2)
    q_tm1 = nets.critics(joint)[..., 0]
    losses = actor_loss(q_tm1, outputs, nets.head.real, batch.present, penalty)
    nets.actors.descend(losses)
    return {"actor_loss": losses.detach()}


def follow(*stacks: LearnedStack, tau: float) -> None:
    """Let the targets follow their networks."""
    for stack in stacks:
        stack.follow(tau)
