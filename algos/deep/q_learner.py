"""What IQL, VDN and QMIX share: epsilon-greedy play, and one update of all agents towards robust targets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
from gymnasium.spaces import Discrete

from algos.deep.losses import bootstrapped_target, critic_loss
from algos.deep.nets import LearnedStack, StackedMLP
from algos.deep.q_config import QConfig
from algos.deep.q_heads import EpsilonGamesHead, EpsilonHead
from algos.deep.q_losses import greedy_value, least, tail_loss, tail_value, taken, with_floor
from algos.deep.q_sets import reward_shifts
from algos.deep.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.games import Team

Config = TypeVar("Config", bound=QConfig)


class Scored(NamedTuple):
    """What L learners are paid for: every agent by itself, or a team.

    Args:
        reward: after nature, (L, B).
        present: 1 where the transition counts, (L, B).
        continues: 1 where the learner lives on, (L, B).
    """

    reward: Tensor
    present: Tensor
    continues: Tensor


class QLearner(Trainer[Config]):
    """Learn values of discrete actions, `Q_i(o_i, a_i)`, and act greedily by them.

    An algorithm says who is paid (`_scored`), how the agents' values make up what is paid for (`_joined`), and what
    the dual variables of a set of distributions see (`_tail_net`, `_tails_taken`). L learners stand for R * N agents or
    R teams.
    """

    acting = "q"

    @abstractmethod
    def _scored(self, batch: Batch) -> Scored:
        """Return what the learners are paid."""

    @abstractmethod
    def _joined(self, values: Tensor, batch: Batch, *, following: bool, target: bool) -> Tensor:
        """Turn the agents' values (R * N, B), 0 of the absent, into the learners' (L, B).

        Args:
            values: of the agents.
            batch: the transitions.
            following: whether they are values of the next step.
            target: whether slowly following networks join them.
        """

    @abstractmethod
    def _tail_net(self, runs: int) -> StackedMLP:
        """Describe the networks of the dual variables."""

    @abstractmethod
    def _tails_taken(self, batch: Batch, *, target: bool) -> Tensor:
        """Return the dual variables at the observations and actions stored, (L, B)."""

    def _check_team(self, team: Team) -> None:
        for seat in team.seats:
            if not isinstance(seat.action_space, Discrete):
                name = type(self).__name__
                raise ValueError(f"agent {seat.agent!r}: {name} needs a Discrete action space, got {seat.action_space}")

    def _game_head(self) -> EpsilonHead:
        return EpsilonHead(self._epsilon)

    def _games_head(self, device: torch.device) -> EpsilonGamesHead:
        return EpsilonGamesHead(self._team, device, runs=len(self.seeds), epsilon=self._epsilon)

    def _epsilon(self) -> float:
        return self.config.epsilon(self._state.steps)

    def _make_stacks(self) -> dict[str, LearnedStack]:
        team, runs, config = self._team, len(self.seeds), self.config
        sizes = (team.observation_size, *config.hidden_sizes, team.action_size)
        self._q = self._stack("q", StackedMLP(tuple(seat.observation_size for seat in team.seats), sizes, runs))
        self._moving = [self._q]  # what the loss moves
        self._real = torch.from_numpy(team.real_actions).to(self.device).repeat(runs, 1)[:, None]
        shifts = reward_shifts(config.reward_sets, team.agents)
        self._shifts = None if shifts is None else torch.from_numpy(shifts).to(self.device).repeat(runs)[:, None]
        self._tail = config.tail
        stacks = {"q": self._q}
        if self._tail.level < 1.0:
            self._tails = self._stack("tails", self._tail_net(runs))
            stacks["tails"] = self._tails
        return stacks

    def _stack(self, name: str, net: StackedMLP) -> LearnedStack:
        parameters = net.initialise(*self._generators(name)).to(self.device)
        rate, norm = self.config.learning_rate, self.config.max_grad_norm
        return LearnedStack(net, parameters, learning_rate=rate, max_grad_norm=norm, runs=net.runs)

    def _measured_update(self) -> dict[str, Tensor]:
        networks = len(self.seeds) * len(self._team.seats)
        # Not in the update: what torch.compile makes of that must not depend on a number that always changes.
        return {**super()._measured_update(), "epsilon": torch.full((networks,), self._epsilon(), device=self.device)}

    def _update(self, batch: Batch) -> dict[str, Tensor]:
        scored = self._scored(batch)
        with torch.no_grad():
            ahead = self._value_ahead(batch) * scored.continues
            worst = self._worst_ahead(batch, scored, ahead)
            target = bootstrapped_target(scored.reward, torch.full_like(worst, self.config.gamma), worst)
        q_tm1 = taken(self._q(batch.observation), by_agent(batch)) * batch.present
        q_tm1 = self._joined(q_tm1, batch, following=False, target=False)
        losses = critic_loss(q_tm1, target, scored.present)
        descend(losses, self._moving)
        metrics = {"q_loss": losses.detach(), "q": q_tm1.detach().mean(1)}
        if self._shifts is not None:
            metrics["nature"] = scored.reward.contiguous().mean(1)  # sums are rounded by layout
        if not self._tail.is_nominal:
            metrics |= {"value_ahead": ahead.mean(1), "worst_value_ahead": worst.mean(1)}
        if self._tail.level < 1.0:
            metrics["tail_loss"] = self._update_tails(batch, scored, ahead)
        for stack in self._state.stacks.values():
            stack.follow(self.config.tau)
        return {name: self._by_network(values) for name, values in metrics.items()}

    def _value_ahead(self, batch: Batch) -> Tensor:
        """Return the learners' value of the next step, (L, B)."""
        q_t = self._q.evaluate_target(batch.next_observation)
        chooser_t = self._q(batch.next_observation) if self.config.double else q_t
        legal = self._real if batch.next_legal is None else batch.next_legal
        values = greedy_value(q_t, chooser_t, legal) * batch.continues
        return self._joined(values, batch, following=True, target=True)

    def _worst_ahead(self, batch: Batch, scored: Scored, ahead: Tensor) -> Tensor:
        """Return one sample of the least expectation of the value ahead, (L, B)."""
        tail, worst = self._tail, ahead
        if tail.level < 1.0:
            worst = tail_value(ahead, self._tails_taken(batch, target=True), tail.level)
        if tail.floor_share > 0.0:
            seen = torch.cat([ahead, self._value_here(batch)], dim=1)
            worst = with_floor(worst, least(seen, scored.present.repeat(1, 2)), tail.floor_share)
        return worst

    def _value_here(self, batch: Batch) -> Tensor:
        """Return the learners' value of the present step, (L, B): nature may move the game there as well."""
        q = self._q.evaluate_target(batch.observation)
        values = greedy_value(q, q, self._real if batch.legal is None else batch.legal) * batch.present
        return self._joined(values, batch, following=False, target=True)

    def _update_tails(self, batch: Batch, scored: Scored, ahead: Tensor) -> Tensor:
        eta_tm1 = self._tails_taken(batch, target=False)
        losses = tail_loss(ahead, eta_tm1, scored.present, self._tail.level)
        self._tails.descend(losses)
        return losses.detach()

    def _by_network(self, values: Tensor) -> Tensor:
        """Return a number for every agent of every run: what is a team's stands for each of its agents."""
        return values.repeat_interleave(len(self.seeds) * len(self._team.seats) // len(values))


def by_agent(batch: Batch) -> Tensor:
    """Return the stored actions by agent, (R * N, B, A)."""
    return batch.action.transpose(-3, -2).flatten(0, -3)


def descend(losses: Tensor, stacks: Sequence[LearnedStack]) -> None:
    """Take one Adam step on the sum of the losses with all these stacks, by one backward pass."""
    gradients = torch.autograd.grad(losses.sum(), [stack.parameters for stack in stacks])
    for stack, gradient in zip(stacks, gradients, strict=True):
        stack.move(gradient)
