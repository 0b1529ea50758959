"""Partners whose actions are uncertain: each agent's nature moves what the others play, to that agent's harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from algos.deep.heads import ActionSets
from algos.deep.robust_losses import into_ball, worst_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from algos.deep.games import Team

    Critics = Callable[[Tensor], Tensor]


class Partners:
    """Move the actions of all agents but its own in what each critic sees.

    Player j's action, in the networks' form, moves by at most epsilon_j in the Euclidean norm and stays one that can
    be played. Who is absent does not act and is not moved.

    Args:
        team: the players.
        epsilon: how far each player's action may be taken to move, (N,), >= 0.
        device: of the networks.
        runs: how often the team stands in the stack.
    """

    def __init__(self, team: Team, epsilon: Sequence[float], device: torch.device, runs: int) -> None:
        agents = len(team.seats)
        self._runs, self._agents, self._width = runs, agents, team.action_size
        self._sets = ActionSets(team, device)
        self._epsilon = torch.tensor(epsilon, dtype=torch.float32, device=device)[:, None]
        own = torch.eye(agents, dtype=torch.bool, device=device)
        self._others = ~own[:, None, :, None]
        self.certain = not any(epsilon)

    def worst(self, critics: Critics, seen: Tensor, alive: Tensor, legal: Tensor | None) -> Tensor:
        """Return what critics see (N, B, J) with one step of each partner down the critic's slope.

        Args:
            critics: from what they see to values (N, B).
            seen: observations and actions, (N, B, J) or (R, N, B, J).
            alive: who acts, (N, B).
            legal: legal actions (N, B, A), None where all are.
        """
        if self.certain:
            return seen
        seen = seen.flatten(0, -3)
        with torch.enable_grad():
            point = seen.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(critics(point).sum(), [point])
        allowed = self._legal(legal)
        slopes = self._sets.tangent(self._actions(slope), allowed)
        return self._moved(seen, worst_step(slopes, self._epsilon), alive, allowed)

    def answered(self, outputs: Tensor, seen: Tensor, alive: Tensor, legal: Tensor | None) -> Tensor:
        """Return what critics see (N, B, J) with each partner moved as a network says, outputs (N, B, agents * A)."""
        if self.certain:
            return seen
        seen = seen.flatten(0, -3)
        allowed = self._legal(legal)
        wanted = self._sets.tangent(outputs.unflatten(0, (self._runs, -1)).unflatten(-1, (self._agents, -1)), allowed)
        return self._moved(seen, into_ball(wanted, self._epsilon), alive, allowed)

    def _moved(self, seen: Tensor, steps: Tensor, alive: Tensor, legal: Tensor | None) -> Tensor:
        actions = self._actions(seen)
        given = actions.detach()
        acting = self._by_critic(alive[..., None] > 0)
        moved = torch.where(self._others & acting, self._sets.project(given + steps, legal), given)
        # The change is added, so that the gradient by the own action finds its way as if nobody had been moved.
        joint = (actions + (moved - given)).flatten(0, 1).flatten(-2)
        return torch.cat([seen[..., : -joint.shape[-1]], joint], -1)

    def _actions(self, joint: Tensor) -> Tensor:
        """Turn (R * N, B, J) into the actions in it, (R, N, B, N, A)."""
        actions = joint[..., -self._agents * self._width :]
        by_player: Tensor = actions.unflatten(0, (self._runs, -1)).unflatten(-1, (self._agents, -1))
        return by_player

    def _by_critic(self, values: Tensor) -> Tensor:
        """Turn (R * N, B, n) of the players into (R, 1, B, N, n), to stand beside what each critic sees."""
        by_run: Tensor = values.unflatten(0, (self._runs, -1))
        return by_run.transpose(1, 2)[:, None]

    def _legal(self, legal: Tensor | None) -> Tensor | None:
        return None if legal is None else self._by_critic(legal)
