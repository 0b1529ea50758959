"""What every agent thinks that the others' policies are, learnt from what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from algos.deep.actor_critic import by_transition, everybody_sees
from algos.deep.heads import TorchHead
from algos.deep.nets import LearnedStack, StackedMLP
from algos.deep.robust_losses import inference_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.config import ActorCriticConfig
    from algos.deep.games import Team


class InferredPolicies:
    """Hold N * N networks: network (i, j) is what agent i takes agent j's policy to be. (i, i) is never used.

    Args:
        team: the agents.
        config: sizes and the clip of the networks.
        generators: initial weights, one per run.
        device: of the networks.
        learning_rate: Adam step size.
        entropy: weight of the entropy in the loss.
    """

    def __init__(
        self,
        team: Team,
        config: ActorCriticConfig,
        generators: Sequence[torch.Generator],
        device: torch.device,
        *,
        learning_rate: float,
        entropy: float,
    ) -> None:
        agents, self._runs, self._entropy = len(team.seats), len(generators), entropy
        sizes = (team.observation_size, *config.hidden_sizes, team.action_size)
        net = StackedMLP(tuple(seat.observation_size for seat in team.seats) * agents, sizes, self._runs)
        self.stack = LearnedStack(
            net,
            net.initialise(*generators).to(device),
            learning_rate=learning_rate,
            max_grad_norm=config.max_grad_norm,
            runs=self._runs,
        )
        self._head = TorchHead(team, device, runs=self._runs * agents)
        self._own = torch.eye(agents, dtype=torch.bool, device=device)

    def see_next(self, batch: Batch, own: Tensor) -> Tensor:
        """Show each critic the next observations, its agent's action `own` (N, B, A) and the others' as inferred."""
        outputs = self.stack.evaluate_target(self._by_pair(batch.next_observation))
        legal = None if batch.next_legal is None else self._by_pair(batch.next_legal)
        inferred = self._head(outputs, legal).unflatten(0, (self._runs, *self._own.shape))
        mine = own.unflatten(0, (self._runs, 1, -1))
        living = batch.continues.unflatten(0, (self._runs, 1, -1))[..., None]
        actions = torch.where(self._own[:, :, None, None], mine, inferred) * living
        runs = batch.joint.shape[:-2]
        observations = everybody_sees(by_transition(batch.next_observation, runs), len(batch.reward)).flatten(0, -3)
        return torch.cat([observations, actions.flatten(0, 1).transpose(1, 2).flatten(2)], -1)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """Move every network towards what the agent that it stands for did."""
        outputs = self.stack(self._by_pair(batch.observation))
        legal = None if batch.legal is None else self._by_pair(batch.legal)
        done = self._by_pair(batch.action.transpose(-3, -2).flatten(0, -3))
        likelihood, entropy = self._head.log_likelihood(outputs, done, legal)
        losses = inference_loss(likelihood, entropy, self._by_pair(batch.present), self._entropy)
        others = losses * (~self._own).flatten().repeat(self._runs)
        self.stack.descend(others)
        by_agent = others.detach().unflatten(0, (-1, len(self._own)))
        return {"inference_loss": by_agent.sum(1) / (len(self._own) - 1)}

    def _by_pair(self, values: Tensor) -> Tensor:
        """Repeat what is known of each agent j, (R * N, ...), for each agent i that watches: (R * N * N, ...)."""
        by_run: Tensor = values.unflatten(0, (self._runs, 1, -1))
        return by_run.expand(-1, len(self._own), *by_run.shape[2:]).flatten(0, 2)
