"""Budgets for the whole episode in thousands of games at once: each game has spent its own share."""

from __future__ import annotations

from typing import Any

from robust_envs.channels import DiscretePort
from robust_envs.natures import Move, Noise, Nominal, Policy, Uniform, WorstCase
from robust_envs.natures.move import must_plan
from robust_envs.seats import OutsideSetError, Seat
from robust_envs.sets import PerEpisode
from robust_envs.shells.batched_seats import OURS, BatchedChoice, BatchedSeat
from robust_envs.shells.batched_streams import Tensor

__all__ = ["BudgetedSeat", "make_batched_seat"]


class BudgetedSeat(BatchedSeat):
    """Move within `per_episode` sets: what a game may still do shrinks with what was executed in it.

    `Uniform` and `WorstCase` plan a game's episode where it begins, if they must. A policy's action is scaled to what
    is left. A function of `Move` is shown the whole budget, and what it answers must lie in what is left of it.
    """

    def begin(self) -> None:
        """Begin an episode of all games, nothing spent."""
        super().begin()
        torch = self._torch
        self._spent = torch.zeros(self._games, dtype=torch.float64, device=self._device)
        share = self._games // len(self._rng)
        plans = [] if self.seat.idle else [self._planned(rng, share) for rng in self._rng]
        known = [plan for plan in plans if plan is not None]
        self._plan = torch.cat(known) if known else None

    def begin_one(self, game: int) -> None:
        """Begin an episode of one game, nothing spent; the budgets of the others stay as they are."""
        super().begin_one(game)
        self._spent[game] = 0.0
        if self._plan is not None:
            fresh = self._planned(self._rng[game // (self._games // len(self._rng))], 1)
            assert fresh is not None  # a nature that planned once always does
            self._plan[game] = fresh[0]

    def again(self, value: Any, seen: Any) -> Any:
        """Show the move of this turn once more; only games that began since move, and pay."""
        due = None if self.seat.idle or self.last is None else self._due
        shown = super().again(value, seen)
        if due is not None:
            self._pay(due)
        return shown

    def _apply(self, value: Any, nominal: Tensor, delta: Tensor) -> Any:
        moved = super()._apply(value, nominal, delta)
        self._pay(None)
        return moved

    def _pay(self, games: Tensor | None) -> None:
        """Count what was executed in the last move, of these games or of all."""
        last: Any = self.executed
        assert last is not None  # there was a move
        executed = last.executed.to(self._torch.float64)
        if games is not None:
            executed = executed * games[:, None]
        self._spent = self._budget.spend(self._spent, executed)

    def _choose(self, nominal: Tensor, seen: Any, steps: Tensor, rows: Any = None) -> Tensor:
        left = self._budget.remaining(self._spent if rows is None else self._spent[rows])[:, None].to(nominal.dtype)
        nature = self.seat.nature
        if isinstance(nature, Policy):
            return self._played(seen, nominal, self._unit) * left
        if isinstance(nature, Nominal):
            return self._torch.zeros_like(nominal)
        if isinstance(nature, Uniform | WorstCase) and self._budget.horizon is not None:
            return self._within(self._due_now(steps, rows, nominal), left)
        if isinstance(nature, WorstCase):
            return self._row(self._unit.worst(self._ones()), nominal) * left
        if isinstance(nature, Uniform | Noise):  # of a ball that steps do not use up
            return self._in_shares(self._drawn, nominal, rows)
        move = Move(
            self.seat.channel, self.seat.agent, steps.clone(), nominal.clone(), self._budget, seen, self._rng[0].torch
        )
        return self._affordable(self._checked(nature(move), nominal), left)

    def _affordable(self, answer: Tensor, left: Tensor) -> Tensor:
        beyond = (answer - self._within(answer, left)).abs().amax(1)
        slack = 8 * self._torch.finfo(answer.dtype).eps * (answer.abs().amax(1) + left[:, 0])
        if bool((beyond > slack).any()):
            game = int((beyond > slack).nonzero()[0])
            raise OutsideSetError(
                f"{self._who()}, game {game}, step {int(self.steps[game])} must answer what is left of "
                f"{self._budget!r}, {float(left[game]):g}, got delta {answer[game].tolist()}"
            )
        return answer

    @property
    def _budget(self) -> PerEpisode:
        members = self.seat.members
        assert isinstance(members, PerEpisode)  # it was chosen for that
        return members

    @property
    def _unit(self) -> Any:
        """The ball of radius 1: balls of all radii are multiples of it."""
        return self._budget.ball.with_radius(1.0)

    def _within(self, delta: Tensor, left: Tensor) -> Tensor:
        """Project every game's delta onto the ball of the radius that is left to it."""
        radius = left.clamp(min=self._torch.finfo(left.dtype).tiny)
        return self._torch.where(left > 0, self._unit.project(delta / radius) * radius, 0.0)

    def _ones(self) -> Any:
        return self._torch.ones(1, self.seat.port.dim, dtype=self._torch.float64).numpy()

    def _planned(self, rng: Any, games: int) -> Tensor | None:
        """Plan the episodes of some games, (games, horizon, dim); None where nature takes each step as it comes."""
        nature, budget = self.seat.nature, self._budget
        if budget.horizon is None or must_plan(budget):
            return None
        if isinstance(nature, Uniform):
            flat: Any = budget._stacked().sample(rng.torch, (games,))
            return flat.reshape(games, budget.horizon, -1).to(self._torch.float32)
        if isinstance(nature, WorstCase):
            plan = self._torch.as_tensor(budget.plan_worst(self._ones()[0]), device=self._device)
            return plan.to(self._torch.float32).expand(games, -1, -1).clone()
        return None

    def _due_now(self, steps: Tensor, rows: Any, like: Tensor) -> Tensor:
        """Return what was planned for the present step of every game; nothing beyond the horizon."""
        if self._plan is None:  # the radius was 0 when the episode began
            return self._torch.zeros_like(like)
        games = self._torch.arange(self._games, device=self._device) if rows is None else rows
        length = self._plan.shape[1]
        planned = self._plan[games, steps.clamp(max=length - 1)]
        return planned.to(like.dtype) * (steps < length)[:, None]


def make_batched_seat(seat: Seat, *, games: int, device: Any, depth: int) -> BatchedSeat:
    """Choose the kind of seat, and refuse what has no meaning in thousands of games at once.

    Raises:
        ValueError: naming channel, agent and the reason.
    """
    who = f"{seat.channel} of {seat.agent}"
    if hasattr(seat.nature, "block") and not isinstance(seat.nature, OURS):
        raise ValueError(
            f"{who}: nature draws numpy blocks, a batched environment needs a function of Move that answers tensors, "
            f"got {seat.nature!r}"
        )
    kind: type[BatchedSeat] = BatchedChoice if isinstance(seat.port, DiscretePort) else BatchedSeat
    if isinstance(seat.members, PerEpisode):
        kind = BudgetedSeat
    return kind(seat, games=games, device=device, depth=depth)
