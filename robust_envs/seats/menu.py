"""Seats whose natures pick from a menu: how late, whether at all, which word, whose policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.natures import Replay
from robust_envs.parts import DigitPort, MenuPort
from robust_envs.policies import MixedPolicy, act
from robust_envs.seats.choice import ChoiceSeat
from robust_envs.seats.seat import Array, OutsideSetError
from robust_envs.sets.choices import Delay, Dropout
from robust_envs.sets.menus import Policies, Words
from robust_envs.traces import Executed

__all__ = ["DelaySeat", "DigitSeat", "DropoutSeat", "MenuSeat", "PartnerSeat", "WordSeat"]


class DigitSeat(ChoiceSeat):
    """Replace the message in a Discrete action that says two things at once."""

    port: DigitPort

    def choose(self, value: Any, observation: Any, mask: Any = None, action: Any = None) -> Array:
        allowed = None if mask is None else self.port.legal(value, mask)
        return super().choose(value, observation, allowed, action)


class MenuSeat(ChoiceSeat):
    """Let nature pick the number of a choice; what comes of it depends on what has been before in the episode.

    What is recorded as chosen is what the choice comes to: a delay of 3 at the second step is a delay of 1.
    """

    port: MenuPort
    members: Any

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.masked = self.masked and self.port.part.discrete

    @property
    def once(self) -> bool:  # type: ignore[override]
        return bool(self.members.each == "episode")

    def clear(self) -> None:
        super().clear()
        self.past: list[Any] = []
        self.held: int | None = None

    def choose(self, value: Any, observation: Any, mask: Any = None, action: Any = None) -> Array:
        self._arrive(value)
        if self.held is None:
            picked = int(super().choose(value, observation, mask, action)[0])
            if self.members.each == "episode" and not isinstance(self.nature, Replay):
                self.held = picked
        else:
            picked = self.held
        return np.array([self._reach(picked, value, mask)])

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        if self.idle and not self.recording:  # nothing is kept: a radius set later counts from then
            self._last = value, None
            self.step += 1
            return value
        if self.idle or not self._plain:
            return super(ChoiceSeat, self).perturb(value, observation, mask)
        self._arrive(value)
        picked = self.held
        if picked is None:
            picked = self._toss(value)
        return self._carry(self._reach(picked, value, mask), value)

    def _toss(self, value: Any) -> int:
        """Draw a choice, as `choose` would for `Uniform`."""
        toss, pick = self._coins()
        options = self._numbers() if toss < self._probability(self.members) else ()
        picked = options[int(pick * len(options))] if options else self._least
        if self.members.each == "episode":
            self.held = picked
        return picked

    def execute(self, value: Any, delta: Array) -> Any:
        return self._carry(int(delta[0]), value)

    def _carry(self, choice: int, value: Any) -> Any:
        new = value if choice == 0 else self._make(choice, value)
        self._last = value, choice
        self.step += 1
        if self.recording:
            self._chosen.append(np.array([float(choice)]))
            self._executed.append(np.array([float(choice)]))
        self._left(choice, value)
        return new

    def again(self, value: Any) -> Any:
        return value if self._last is None or not self._last[1] else self._make(self._last[1], value)

    @property
    def last(self) -> Executed | None:
        if self._last is None:
            return None
        choice = np.array([float(self._last[1] or 0)])
        return Executed(np.zeros(1), choice, choice.copy())

    def _pass(self, value: Any) -> Any:
        self._arrive(value)
        new = super()._pass(value)
        self._left(0, value)
        return new

    def _settle(self) -> None:
        super()._settle()
        self._menu = tuple(self.members.choices(self.port.space))
        self._least = 0  # the choice that stands if nature does nothing

    def _numbers(self) -> tuple[int, ...]:
        """Return what nature may choose now."""
        return self._menu

    def _nominal(self, value: Any) -> Array:
        return np.array([self._least])

    def _options(self, mask: Any) -> Array:
        return np.array(self._numbers(), np.int64)

    def _uniform(self, options: Array, pick: float, nominal: Array) -> Array:
        return options[[int(pick * len(options))]]

    def _probability(self, members: Any) -> float:
        return 1.0 if isinstance(self.nature, Replay) else getattr(members, "probability", 1.0)

    def _one_of(self, answer: Any, options: Array, nominal: Array) -> Array:
        choice = np.asarray(answer)
        if choice.size == 1 and choice.dtype.kind in "fiub":
            number = float(choice.reshape(-1)[0])
            if number in (*options, nominal[0]) or (isinstance(self.nature, Replay) and 0 <= number <= options.max()):
                return np.array([int(number)])
        allowed = sorted({*options.tolist(), int(nominal[0])})
        raise OutsideSetError(f"{self._who()} must answer one of {allowed}, got {answer!r}")

    def _arrive(self, value: Any) -> None:
        """Note a value before nature moves on it."""

    def _reach(self, choice: int, value: Any, mask: Any) -> int:
        """Return what a choice comes to at this move."""
        return choice

    def _make(self, choice: int, value: Any) -> Any:
        """Return what takes the place of `value`."""
        raise NotImplementedError

    def _left(self, choice: int, value: Any) -> None:
        """Note what came of a value."""


class DelaySeat(MenuSeat):
    """Show a value of some steps ago; `past` holds the last ones, the present one last."""

    members: Delay

    def _settle(self) -> None:
        super()._settle()
        self._menu: tuple[int, ...] = tuple(self.members.steps)  # type: ignore[arg-type]
        self._least = min(self._menu)
        # a delay that is always there is there whatever nature does
        self.idle = self.members.is_zero or (self.idle and self._least == 0)
        self._kept = 0 if self.members.is_zero else 1 + self.members.radius

    def _arrive(self, value: Any) -> None:
        if self._kept:
            self.past.append(self.port.part.get(value))
            del self.past[: -self._kept]

    def _reach(self, choice: int, value: Any, mask: Any) -> int:
        late = min(choice, len(self.past) - 1)
        if late and mask is not None and not self.port.part.legal(self.past[-1 - late], mask):
            return 0
        return late

    def _make(self, choice: int, value: Any) -> Any:
        return self.port.part.put(value, self.past[-1 - choice])


class DropoutSeat(MenuSeat):
    """Lose a value; `past` holds the last one that came through."""

    members: Dropout

    def clear(self) -> None:
        super().clear()
        self.lost, self.jammed = 0, False

    def _numbers(self) -> tuple[int, ...]:
        budget = self.members.budget
        return () if budget is not None and self.lost >= budget and not self.jammed else self._menu

    def _reach(self, choice: int, value: Any, mask: Any) -> int:
        part = self.port.part
        choice = 1 if self.jammed else choice
        if choice == 0 or (self.members.mode != "zero" and not self.past):
            return 0
        if mask is None:
            return 1
        instead = part.zero(value) if self.members.mode == "zero" else self.past[0]
        return int(part.legal(instead, mask))

    def _make(self, choice: int, value: Any) -> Any:
        part = self.port.part
        return part.put(value, part.zero(value) if self.members.mode == "zero" else self.past[0])

    def _left(self, choice: int, value: Any) -> None:
        if choice == 0:
            if self.members.mode != "zero" and not self.members.is_zero:
                self.past = [self.port.part.get(value)]
            return
        self.jammed = self.members.mode == "stuck"
        self.lost += 1


class WordSeat(MenuSeat):
    """Put another word in place of a message of numbers."""

    members: Words

    def _make(self, choice: int, value: Any) -> Any:
        kind = np.asarray(self.port.part.get(value)).dtype
        return self.port.part.put(value, np.asarray(self.members.words[choice - 1], kind))


class PartnerSeat(MenuSeat):
    """Let another policy act: it sees what the agent sees that it plays, after nature has moved on that."""

    members: Policies

    def __init__(self, **parts: Any) -> None:
        self.space: spaces.Space[Any] = parts.pop("space")
        super().__init__(**parts)

    def clear(self) -> None:
        super().clear()
        self.faced: Any = None
        self.luck = 0.0

    def face(self, observation: Any) -> None:
        """Note what the agent sees at the moment."""
        self.faced = observation

    def _coins(self) -> tuple[float, float]:
        coins = super()._coins()
        if self.step == 0 or self.members.each == "move":
            self.luck = coins[0]  # of a mixed policy: drawn when the partner is
        return coins

    def _make(self, choice: int, value: Any) -> Any:
        policy = self.members.members[choice - 1]
        policy = policy.drawn(self.luck) if isinstance(policy, MixedPolicy) else policy
        try:
            action = act(policy, self.faced, agent=self.agents[0])
        except Exception as error:
            raise RuntimeError(f"{self._who()}: partner {choice} could not act: {error}") from error
        return self._checked_action(choice, action)

    def _checked_action(self, choice: int, action: Any) -> Any:
        """Return an action of the agent's space, of its dtype."""
        space = self.space
        if isinstance(space, spaces.Box):
            cast = np.asarray(action, space.dtype)
            if cast.shape == space.shape and np.isfinite(cast).all():
                return np.clip(cast, space.low, space.high)
        elif isinstance(space, spaces.Discrete) and np.size(action) == 1:
            number = np.asarray(action).reshape(-1)[0]
            if space.contains(int(number)):
                return np.int64(number)
        elif not isinstance(space, spaces.Discrete) and space.contains(action):
            return action
        raise ValueError(f"{self._who()}: partner {choice} must act in {space}, got {action!r}")
