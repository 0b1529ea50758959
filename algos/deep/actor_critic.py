"""The updates that MADDPG and its robust relatives are made of, for all agents at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from algos.deep.heads import TorchHead
from algos.deep.losses import actor_loss, bootstrapped_target, critic_loss
from algos.deep.nets import LearnedStack, StackedMLP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.config import ActorCriticConfig
    from algos.deep.games import Team

    Generators = Callable[[str], Sequence[torch.Generator]]

Metrics = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ActorCritic:
    """Hold the actors (own observation to action) and the critics (everybody's observations and actions to value)."""

    actors: LearnedStack
    critics: LearnedStack
    head: TorchHead

    @classmethod
    def make(cls, team: Team, config: ActorCriticConfig, generators: Generators, device: torch.device) -> ActorCritic:
        """Draw the networks, each kind from generators of its own name, one per run."""
        sizes = (team.observation_size, *config.hidden_sizes, team.action_size)
        own = generators("actors")
        net = StackedMLP(tuple(seat.observation_size for seat in team.seats), sizes, len(own))
        actors = LearnedStack(
            net,
            net.initialise(*own).to(device),
            learning_rate=config.actor_learning_rate,
            max_grad_norm=config.max_grad_norm,
            runs=len(own),
        )
        critics = joint_stack(team, config, generators("critics"), device, config.critic_learning_rate)
        return cls(actors, critics, TorchHead(team, device, runs=len(own)))


def joint_stack(
    team: Team,
    config: ActorCriticConfig,
    generators: Sequence[torch.Generator],
    device: torch.device,
    learning_rate: float,
) -> LearnedStack:
    """Draw one network per agent, of each run, from all observations and all actions to one number."""
    agents = len(team.seats)
    real = sum(seat.observation_size + seat.action_size for seat in team.seats)
    inputs = agents * (team.observation_size + team.action_size)
    norm, runs = config.max_grad_norm, len(generators)
    net = StackedMLP((real,) * agents, (inputs, *config.hidden_sizes, 1), runs)
    parameters = net.initialise(*generators).to(device)
    return LearnedStack(net, parameters, learning_rate=learning_rate, max_grad_norm=norm, runs=runs)


def everybody_sees(joint: Tensor, networks: int) -> Tensor:
    """Show inputs (B, J), or (R, B, J) of R runs, to the networks of all their agents, (networks, B, J)."""
    runs, inputs = joint.shape[:-2], joint.shape[-2:]
    return joint.unsqueeze(-3).expand(*runs, networks // runs.numel(), *inputs).flatten(0, -3)


def by_transition(parts: Tensor, runs: torch.Size) -> Tensor:
    """Put what N agents saw or did side by side: (N, B, n) to (B, N * n), or (R * N, B, n) to (R, B, N * n)."""
    by_run = parts.reshape(*runs, len(parts) // runs.numel(), *parts.shape[1:])
    return by_run.transpose(-3, -2).flatten(-2)


def next_joint(nets: ActorCritic, batch: Batch) -> Tensor:
    """Return the next observations and the target actors' actions there, (B, J) or (R, B, J); the dead do not act."""
    actions = nets.head(nets.actors.evaluate_target(batch.next_observation), batch.next_legal)
    living = actions * batch.continues[:, :, None]
    runs = batch.joint.shape[:-2]
    return torch.cat([by_transition(part, runs) for part in (batch.next_observation, living)], dim=-1)


def update_critics(nets: ActorCritic, batch: Batch, rewards: Tensor, *, gamma: float) -> Metrics:
    """Move every critic towards `rewards + gamma Q'(o', a')`; rewards (N, B) are whatever the trainer believes."""
    networks = len(batch.reward)
    with torch.no_grad():
        q_t = nets.critics.evaluate_target(everybody_sees(next_joint(nets, batch), networks))[..., 0]
        target = bootstrapped_target(rewards, gamma * batch.continues, q_t)
    q_tm1 = nets.critics(everybody_sees(batch.joint, networks))[..., 0]
    losses = critic_loss(q_tm1, target, batch.present)
    nets.critics.descend(losses)
    return {"critic_loss": losses.detach(), "q": q_tm1.detach().mean(1)}


def update_actors(nets: ActorCritic, batch: Batch, *, penalty: float) -> Metrics:
    """Move every actor up its critic: own action from the actor, the others' from the buffer."""
    outputs = nets.actors(batch.observation)
    own = nets.head(outputs, batch.legal)
    q_tm1 = nets.critics(_with_own_action(batch, own))[..., 0]
    losses = actor_loss(q_tm1, outputs, nets.head.real, batch.present, penalty)
    nets.actors.descend(losses)
    return {"actor_loss": losses.detach()}


def _with_own_action(batch: Batch, own: Tensor) -> Tensor:
    """Return what each critic sees when its agent plays `own` (N, B, A) in place of the action stored, (N, B, J)."""
    actions = batch.action.flatten(-2)
    stored = torch.cat([batch.joint[..., : -actions.shape[-1]], actions], dim=-1)
    seen: Tensor = _OwnAction.apply(stored, own, batch.action.shape[-2])  # type: ignore[no-untyped-call]
    return seen


class _OwnAction(torch.autograd.Function):
    """Write every agent's action over the stored one in what its critic sees; its gradient is read off there again."""

    @staticmethod
    def forward(ctx: Any, joint: Tensor, own: Tensor, agents: int) -> Tensor:
        ctx.agents, ctx.width = agents, own.shape[-1]
        seen = everybody_sees(joint, len(own)).clone(memory_format=torch.contiguous_format)
        _OwnAction._own_columns(seen, agents, own.shape[-1]).copy_(own.unflatten(0, (-1, agents)))
        return seen

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        own = _OwnAction._own_columns(gradients[0].contiguous(), ctx.agents, ctx.width)
        return None, own.flatten(0, 1).clone(memory_format=torch.contiguous_format), None

    @staticmethod
    def _own_columns(seen: Tensor, agents: int, width: int) -> Tensor:
        """View agent i's action in row i of (R * N, B, J), as (R, N, B, A): a row further is an action further."""
        networks, batch, inputs = seen.shape
        first = seen.storage_offset() + inputs - agents * width
        strides = (agents * batch * inputs, batch * inputs + width, inputs, 1)
        return seen.as_strided((networks // agents, agents, batch, width), strides, first)


def follow(*stacks: LearnedStack, tau: float) -> None:
    """Let the targets follow their networks."""
    for stack in stacks:
        stack.follow(tau)
