"""The updates that MADDPG and its robust relatives are made of, for all agents at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from algos.deep.ernie import Ernie
from algos.deep.heads import TorchHead
from algos.deep.losses import actor_loss, bootstrapped_target, critic_loss
from algos.deep.nets import LearnedStack, StackedMLP
from algos.deep.seeding import device_generator

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
    """Hold the actors (own observation to action) and the critics (everybody's observations and actions to value).

    Args:
        actors: one for each agent.
        critics: one for each agent, or twins: then the agents' first critics stand before their second ones.
        head: from the actors' outputs to actions.
        seeds: one for each run.
        twins: critics of an agent, 1 or 2.
        ernie: the price of policies that change with their observations, None if there is none.
    """

    actors: LearnedStack
    critics: LearnedStack
    head: TorchHead
    seeds: tuple[int, ...]
    twins: int
    ernie: Ernie | None = None

    @classmethod
    def make(
        cls, team: Team, config: ActorCriticConfig, generators: Generators, device: torch.device, seeds: tuple[int, ...]
    ) -> ActorCritic:
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
        twins = 1 + config.twin_critics
        rate = config.critic_learning_rate
        critics = joint_stack(team, config, generators("critics"), device, rate, copies=twins)
        ernie = Ernie.of(config, team, device, len(own))
        return cls(actors, critics, TorchHead(team, device, runs=len(own)), seeds, twins, ernie)

    def first_q(self, seen: Tensor) -> Tensor:
        """Return what the first critics say (N, B) of what they see (N, B, J), without a gradient by parameters."""
        return self.critics.net(self._first(self.critics.parameters.detach()), seen)[..., 0]

    def first_target_q(self, seen: Tensor) -> Tensor:
        """Return what the targets of the first critics say, (N, B)."""
        return self.critics.net(self._first(self.critics.target), seen)[..., 0]

    def least_target_q(self, seen: Tensor) -> Tensor:
        """Return the lowest of what the targets of each agent's critics say, (N, B)."""
        if self.twins == 1:
            return self.critics.evaluate_target(seen)[..., 0]
        q: Tensor = self.critics.evaluate_target(self.by_critic(seen, 3))[..., 0]
        by_critic: Tensor = q.unflatten(0, (len(self.seeds), self.twins, -1))
        return by_critic.amin(1).flatten(0, 1)

    def by_critic(self, values: Tensor, rank: int) -> Tensor:
        """Repeat what is known for each agent, (N, ...) of this rank, for each of its critics."""
        if self.twins == 1:
            return values
        by_run = values.reshape(len(self.seeds), 1, -1, *values.shape[1 - rank :])
        return by_run.expand(-1, self.twins, *by_run.shape[2:]).flatten(0, 2)

    def _first(self, parameters: Tensor) -> Tensor:
        if self.twins == 1:
            return parameters
        by_critic: Tensor = parameters.unflatten(0, (len(self.seeds), self.twins, -1))
        return by_critic[:, 0].flatten(0, 1)

    def draws(self, name: str) -> list[torch.Generator]:
        """Return streams for this round of updates, one per run: made of seed and round, so nothing need be kept."""
        device, rounds = self.critics.parameters.device, self.critics.steps
        return [device_generator(seed, f"{name}/{rounds}", device) for seed in self.seeds]

    def are_due(self, policy_delay: int) -> bool:
        """Tell whether this round moves actors and targets: every `policy_delay`-th one does."""
        return policy_delay == 1 or self.critics.steps % policy_delay == 0


def joint_stack(
    team: Team,
    config: ActorCriticConfig,
    generators: Sequence[torch.Generator],
    device: torch.device,
    learning_rate: float,
    *,
    copies: int = 1,
    outputs: int = 1,
) -> LearnedStack:
    """Draw `copies` networks per agent, of each run, from all observations and all actions to `outputs` numbers."""
    agents = len(team.seats)
    real = sum(seat.observation_size + seat.action_size for seat in team.seats)
    inputs = agents * (team.observation_size + team.action_size)
    norm, runs = config.max_grad_norm, len(generators)
    net = StackedMLP((real,) * agents * copies, (inputs, *config.hidden_sizes, outputs), runs)
    parameters = net.initialise(*generators).to(device)
    return LearnedStack(net, parameters, learning_rate=learning_rate, max_grad_norm=norm, runs=runs)


def everybody_sees(joint: Tensor, networks: int) -> Tensor:
    """Show inputs (B, J), or (R, B, J) of R runs, to the networks of all agents: (N, B, J), or (R, N, B, J), a view."""
    runs, inputs = joint.shape[:-2], joint.shape[-2:]
    return joint.unsqueeze(-3).expand(*runs, networks // runs.numel(), *inputs)


def by_transition(parts: Tensor, runs: torch.Size) -> Tensor:
    """Put what N agents saw or did side by side: (N, B, n) to (B, N * n), or (R * N, B, n) to (R, B, N * n)."""
    by_run = parts.reshape(*runs, len(parts) // runs.numel(), *parts.shape[1:])
    return by_run.transpose(-3, -2).flatten(-2)


def target_actions(nets: ActorCritic, batch: Batch, seen: Tensor, config: ActorCriticConfig) -> Tensor:
    """Return the target actors' actions (N, B, A) on what they see next (N, B, O), with noise if there is any."""
    outputs = nets.actors.evaluate_target(seen)
    if config.target_noise == 0:
        return nets.head(outputs, batch.next_legal)
    noise = torch.empty_like(outputs)
    for share, generator in zip(noise.chunk(len(nets.seeds)), nets.draws("target noise"), strict=True):
        share.normal_(generator=generator)
    clip = config.target_noise_clip
    return nets.head.shaken(outputs, batch.next_legal, (config.target_noise * noise).clamp(-clip, clip))


def see_next(batch: Batch, actions: Tensor) -> Tensor:
    """Show critics the next observations and actions (N, B, A), as (N, B, J) or (R, N, B, J); the dead do not act."""
    living = actions * batch.continues[:, :, None]
    runs = batch.joint.shape[:-2]
    joint = torch.cat([by_transition(part, runs) for part in (batch.next_observation, living)], dim=-1)
    return everybody_sees(joint, len(batch.reward))


def update_critics(nets: ActorCritic, batch: Batch, rewards: Tensor, seen_t: Tensor, *, gamma: float) -> Metrics:
    """Move every critic towards `rewards + gamma Q'(seen_t)`; rewards (N, B) are whatever the trainer believes."""
    with torch.no_grad():
        target = bootstrapped_target(rewards, gamma * batch.continues, nets.least_target_q(seen_t))
    networks = len(batch.reward) * nets.twins
    q_tm1 = nets.critics(everybody_sees(batch.joint, networks))[..., 0]
    losses = critic_loss(q_tm1, nets.by_critic(target, 2), nets.by_critic(batch.present, 2))
    nets.critics.descend(losses)
    if nets.twins == 1:
        return {"critic_loss": losses.detach(), "q": q_tm1.detach().mean(1)}
    shape = (len(nets.seeds), nets.twins, -1)
    by_agent, q = (values.detach().unflatten(0, shape) for values in (losses, q_tm1.mean(1)))
    return {"critic_loss": by_agent.sum(1).flatten(), "q": q[:, 0].flatten()}


class Played(NamedTuple):
    """What the actors see (N, B, O), their outputs and actions (N, B, A), and what critics then see (N, B, J)."""

    observation: Tensor
    outputs: Tensor
    own: Tensor
    seen: Tensor


def play(nets: ActorCritic, batch: Batch, observation: Tensor) -> Played:
    """Have every actor act on what it sees (N, B, O), the others as they did."""
    outputs = nets.actors(observation)
    own = nets.head(outputs, batch.legal)
    return Played(observation, outputs, own, see_own_action(batch, own))


def update_actors(nets: ActorCritic, batch: Batch, played: Played, config: ActorCriticConfig) -> Metrics:
    """Move every actor up its critic at what was `played`, less the price of a policy that changes."""
    q_tm1 = nets.first_q(played.seen)
    losses = actor_loss(q_tm1, played.outputs, nets.head.real, batch.present, config.logit_penalty)
    metrics = {}
    if nets.ernie is not None:
        seen = (played.observation, batch.legal, batch.present)
        change = nets.ernie.change(nets.actors, nets.head, seen, played.own, nets.draws("ernie"))
        losses = losses + config.ernie_weight * change
        metrics["policy_change"] = change.detach()
    nets.actors.descend(losses)
    return {"actor_loss": losses.detach(), **metrics}


def see_own_action(batch: Batch, own: Tensor) -> Tensor:
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
        seen = everybody_sees(joint, len(own)).flatten(0, -3).clone(memory_format=torch.contiguous_format)
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
