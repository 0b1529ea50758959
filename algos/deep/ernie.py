"""ERNIE: policies that change little where their observations do, as a price on the actors' loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from algos.deep.robust_losses import policy_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from algos.deep.config import ActorCriticConfig
    from algos.deep.games import Team
    from algos.deep.heads import TorchHead
    from algos.deep.nets import LearnedStack
    from robust_envs import UncertaintySet


class Ernie:
    """Find the perturbation of each observation, inside a set, that changes the policy most.

        R_i = E[max over d in the set of |mu_i(o_i + d) - mu_i(o_i)|^2]

    The maximum is sought by one step from a random member: at d = 0 the change has no slope. Where the set is a ball
    the step goes to its surface.

    Args:
        members: the set.
        team: whose observations.
        device: of the observations.
        runs: how often the team stands in the stack.

    References:
        Bukharin, Li, Yu, Zhang, Chen, Zuo, Zhang, Zhang, Zhao (2023), Robust Multi-Agent Reinforcement Learning via
        Adversarial Regularization: Theoretical Foundation and Stable Algorithms.
    """

    def __init__(self, members: UncertaintySet, team: Team, device: torch.device, runs: int) -> None:
        self._members = members.bind(team.observation_size)
        self._real = real_observations(team, device, runs)

    @classmethod
    def of(cls, config: ActorCriticConfig, team: Team, device: torch.device, runs: int) -> Ernie | None:
        """Return what the settings ask for; None where its weight is 0."""
        if config.ernie_weight == 0 or config.ernie_set is None or isinstance(config.ernie_set, str):
            return None
        return cls(config.ernie_set, team, device, runs)

    def change(
        self,
        actors: LearnedStack,
        head: TorchHead,
        seen: tuple[Tensor, Tensor | None, Tensor],
        own: Tensor,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Return how far each policy moves, (N,), to be differentiated.

        Args:
            actors: the policies.
            head: from their outputs to actions.
            seen: observations (N, B, O), legal actions, who was alive (N, B).
            own: what the policies do there, (N, B, A).
            generators: for the first guess, one per run.
        """
        observation, legal, present = seen
        guess = self._draw(observation, generators).requires_grad_()
        moved = head(actors.frozen(observation + guess), legal)
        (slope,) = torch.autograd.grad(policy_change(own.detach(), moved, present).sum(), [guess])
        worst = self._members.worst(-slope) * self._real
        return policy_change(own, head(actors(observation + worst), legal), present)

    def _draw(self, observation: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        agents = len(observation) // len(generators)
        shape = (agents, observation.shape[1])
        draws: Tensor = torch.cat([self._members.sample(generator, shape) for generator in generators])
        return draws.to(observation.dtype) * self._real


def real_observations(team: Team, device: torch.device, runs: int) -> Tensor:
    """Return 1 where a coordinate of the observations is real and 0 where it is padding, (N, 1, O)."""
    sizes = torch.tensor([seat.observation_size for seat in team.seats], device=device)
    columns = torch.arange(team.observation_size, device=device)
    return (columns < sizes[:, None, None]).float().repeat(runs, 1, 1)
