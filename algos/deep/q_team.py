"""What VDN and QMIX share: one reward and one value for the whole team."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from algos.deep.nets import StackedMLP
from algos.deep.q_config import QConfig
from algos.deep.q_learner import QLearner, Scored

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch

Config = TypeVar("Config", bound=QConfig)


class TeamQLearner(QLearner[Config]):
    """Learn one value per team. Its reward is the sum of its agents'; it lives while any of them does."""

    def _scored(self, batch: Batch) -> Scored:
        reward = batch.reward if self._shifts is None else batch.reward + self._shifts
        return Scored(self._summed(reward * batch.present), self._any(batch.present), self._any(batch.continues))

    def _tail_net(self, runs: int) -> StackedMLP:
        team = self._team
        real = sum(seat.observation_size + seat.action_size for seat in team.seats)
        inputs = len(team.seats) * (team.observation_size + team.action_size)
        return StackedMLP((real,), (inputs, *self.config.hidden_sizes, 1), runs)

    def _tails_taken(self, batch: Batch, *, target: bool) -> Tensor:
        evaluate = self._tails.evaluate_target if target else self._tails
        return evaluate(by_run(batch.joint))[..., 0]

    def _by_member(self, values: Tensor) -> list[Tensor]:
        """Return what the first agents of all runs have, the second ones, ..., (R, B) each."""
        members: list[Tensor] = list(values.unflatten(0, (len(self.seeds), -1)).unbind(1))
        return members

    def _summed(self, values: Tensor) -> Tensor:
        """Add up (R * N, B) over each team, (R, B); agent by agent, as sums over an axis are rounded by layout."""
        first, *others = self._by_member(values)
        for other in others:
            first = first + other
        return first.contiguous()

    def _any(self, flags: Tensor) -> Tensor:
        return self._summed(flags).clamp(max=1.0)


def by_run(values: Tensor) -> Tensor:
    """Give (B, n) of one run the axis of runs that (R, B, n) has."""
    return values if values.ndim == 3 else values.unsqueeze(0)
