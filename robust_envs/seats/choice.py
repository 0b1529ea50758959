"""The seat of a nature that replaces a discrete choice."""

from __future__ import annotations

from typing import Any

import numpy as np

from robust_envs.channels import DiscretePort
from robust_envs.natures import AsAgents, Nominal, Policy, Replay, Uniform
from robust_envs.natures.move import cue
from robust_envs.seats.seat import Array, OutsideSetError, Seat
from robust_envs.sets import Finite, Switch

__all__ = ["ChoiceSeat"]


class ChoiceSeat(Seat):
    """Replace a discrete choice: by a member of `Finite`, or with some probability by any legal one (`Switch`)."""

    port: DiscretePort

    def _settle(self) -> None:
        super()._settle()
        self.idle = self.idle or isinstance(self.nature, Nominal)

    def choose(self, value: Any, observation: Any, mask: Any = None, action: Any = None) -> Array:
        toss, pick = self._coins()
        nominal, options = self.port.flat(value).copy(), self._options(mask)
        turn = cue(self.nature, self._stretch(self.members, self.step, 1))
        if turn is None or not toss < self._probability(turn.stretch.set) or len(options) == 0:
            return nominal
        choice = self._choice(turn.nature, nominal, options, pick, observation, action)
        if choice[0] != nominal[0]:
            turn.pay()
        return choice

    def _choice(self, nature: Any, nominal: Array, options: Array, pick: float, observation: Any, action: Any) -> Array:
        if isinstance(nature, Nominal):
            return nominal
        if isinstance(nature, Uniform):
            return self._uniform(options, pick, nominal)
        if isinstance(nature, AsAgents):
            return self._legal(self._meant(action, self.members), options, nominal)
        if isinstance(nature, Policy):
            return self._legal(self._play(nature, self.members, observation), options, nominal)
        choices = Finite(tuple(float(option) for option in options), discrete=True, dim=1)
        return self._one_of(nature(self._move(nominal, choices, observation)), options, nominal)

    def execute(self, value: Any, delta: Array) -> Any:
        self._last = value, delta
        self.step += 1
        nominal = self.port.flat(value)
        if self.recording:
            self._chosen.append(delta.astype(np.float64))
            self._executed.append((delta - nominal).astype(np.float64))
        return value if delta[0] == nominal[0] else self.port.put(value, delta)

    def again(self, value: Any) -> Any:
        if self.idle or self._last is None or self._last[1] is None:
            return value
        return value if self._last[1][0] == self.port.flat(self._last[0])[0] else self.port.put(value, self._last[1])

    def _nothing(self, nominal: Array) -> Array:
        return nominal.astype(np.float64)

    def _coins(self) -> tuple[float, float]:
        """Draw what decides whether nature may act now, and what to pick with: two draws a move, whatever comes."""
        row = next(self._rows, None)
        if row is None:
            self._rows = iter(self.rng.random((256, 2)).tolist())
            row = next(self._rows)
        toss, pick = row
        return toss, pick

    def _probability(self, members: Any) -> float:
        """How likely nature may act; a replayed choice has met its coin when it was recorded."""
        return members.probability if isinstance(members, Switch) and not isinstance(self.nature, Replay) else 1.0

    def _options(self, mask: Any) -> Array:
        space: Any = self.port.space
        if isinstance(self.members, Finite):
            options = np.asarray(self.members.members, np.int64).reshape(-1)
        else:
            options = np.arange(space.start, space.start + space.n)
        if mask is None:
            return options
        return np.asarray(options[np.asarray(mask, bool)[options - space.start]])

    def _uniform(self, options: Array, pick: float, nominal: Array) -> Array:
        if isinstance(self.members, Switch):
            return options[[int(pick * len(options))]]
        slot = int(pick * (len(options) + 1))  # slot 0: leave it
        return nominal if slot == 0 else options[[slot - 1]]

    def _legal(self, answer: Array, options: Array, nominal: Array) -> Array:
        """Nature as an agent says "leave it" (NaN) or an option; an illegal one leaves it."""
        return answer.astype(options.dtype) if answer[0] in options else nominal

    def _one_of(self, answer: Any, options: Array, nominal: Array) -> Array:
        choice = np.asarray(answer)
        if choice.size == 1 and choice.reshape(-1)[0] in (*options, nominal[0]):
            return choice.reshape(-1).astype(np.int64)
        allowed = sorted({*options.tolist(), int(nominal[0])})
        raise OutsideSetError(f"{self._who()} must answer one of {allowed}, got {answer!r}")
