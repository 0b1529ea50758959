"""A seat: one nature at one place (channel, agent), with its set, its random stream and its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from robust_envs.channels import BoxPort, DiscretePort, Fit, Port, ScalarPort
from robust_envs.natures import Move, Nominal, Policy, Replay, Uniform, WorstCase, must_plan
from robust_envs.nature_spaces import Interface
from robust_envs.policies import act
from robust_envs.sets import Finite, Interval, Linf, PerEpisode, Switch, UncertaintySet
from robust_envs.streams import block_rows
from robust_envs.traces import Executed, Recorded

__all__ = ["ChoiceSeat", "OutsideSetError", "Seat", "make_seat"]

Array = np.ndarray[Any, np.dtype[Any]]
_FLOATS = (float, np.float64)
_FEW = 6  # bounded coordinates that are checked one by one: cheaper than whole-array comparisons


class OutsideSetError(ValueError):
    """Nature answered with something that is not in its uncertainty set."""


class Seat:
    """Ask one nature once per move, check its answer, apply it and keep the executed delta.

    Args:
        channel: Channel name.
        agent: Agent id, or the tuple of ids for a nature that covers several.
        port: The numbers that move.
        members: The uncertainty set, bound.
        nature: Who picks.
        look: Turns the opposed agent's nominal observation into what nature sees.
        name: Id of nature as an agent, ``"nature_<k>"``.
        interface: How a `Policy` or an agent plays this nature.
    """

    def __init__(
        self,
        *,
        channel: str,
        agent: str | tuple[str, ...],
        port: Port,
        members: UncertaintySet,
        nature: Any,
        look: Callable[[Any], Array],
        name: str,
        interface: Interface | None = None,
    ) -> None:
        self.channel, self.agent, self.port, self.nature = channel, agent, port, nature
        self.look, self.name, self.interface = look, name, interface
        self.recording = False
        self.masked = channel == "action" and isinstance(port, DiscretePort)
        self.rng = np.random.default_rng()
        self.members = members
        self.spent = 0.0
        self._plan: Array | None = None
        self._settle()
        self.begin()

    @property
    def key(self) -> tuple[str, str]:
        """(channel, agent), where a nature that covers several agents is ``"*"``."""
        return self.channel, self.agent if isinstance(self.agent, str) else "*"

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents it opposes."""
        return (self.agent,) if isinstance(self.agent, str) else self.agent

    def set_radius(self, radius: float) -> None:
        """Change the radius of the set; blocks already drawn for the old one are dropped."""
        if not hasattr(self.members, "with_radius"):
            raise ValueError(f"radius can be set where a set has one radius, got {self.members!r} on {self.channel}")
        self.members = self.members.with_radius(radius)
        self._settle()

    def _settle(self) -> None:
        """Derive what follows from set and nature."""
        self.idle = self.members.is_zero or (isinstance(self.nature, Nominal) and self.members.monotone)
        self._fit: Fit = None
        self._whole = self.port.space.dtype is not None and np.dtype(self.port.space.dtype).kind in "iu"
        self.budget = self.members if isinstance(self.members, PerEpisode) else None
        self._rows: Iterator[Any] = iter(())  # drawn and not yet used

    def seed(self, rng: np.random.Generator) -> None:
        """Give nature a generator; what was drawn from the old one is dropped."""
        self.rng = rng
        self._rows = iter(())

    def begin(self) -> None:
        """Start an episode: clock, budget and record at zero."""
        self.step = 0
        self._last: tuple[Any, Any] | None = None
        if self.recording:
            self._chosen: list[Array] = []
            self._executed: list[Any] = []
        if self.budget is not None:
            self.spent = 0.0
            self._plan = None if self.idle else self._make_plan()

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        """Let nature move.

        Args:
            value: Nominal value (for a nature that covers several agents: by agent).
            observation: Nominal observation of the opposed agent (by agent), for natures that look.
            mask: Legal choices, for discrete actions.

        Returns:
            The perturbed value; `value` itself when the radius is 0.

        Raises:
            OutsideSetError: If nature's answer is not in the set.
        """
        if self.idle:
            return self._pass(value)
        return self.execute(value, self.choose(value, observation, mask))

    def choose(self, value: Any, observation: Any, mask: Any = None) -> Array:
        """Ask nature for a delta, shape (dim,)."""
        allowed = self._allowed()
        if hasattr(self.nature, "block"):
            return self._drawn(allowed)
        nominal = self.port.flat(value)
        if isinstance(self.nature, Policy):
            return self._play(allowed, observation)
        move = Move(self.channel, self.agent, self.step, nominal, allowed, self.look(observation), self.rng)
        return self._checked(self.nature(move), allowed)

    def obey(self, action: Any, value: Any, mask: Any = None) -> Any:
        """Let nature move as an agent: its action, in its action space, instead of an answer of ours.

        Returns:
            The perturbed value; `value` itself when the radius is 0.
        """
        return self._pass(value) if self.idle else self.execute(value, self._decode(action, value, mask))

    def shown(self, observation: Any) -> Array:
        """Return what nature sees as an agent, shape of its observation space."""
        assert self.interface is not None  # only natures that are agents or policies are shown anything
        return self.interface.pad(self.look(observation))

    def _decode(self, action: Any, value: Any, mask: Any) -> Array:
        return self._meant(action, self._allowed())

    def _meant(self, action: Any, allowed: UncertaintySet) -> Array:
        """Turn nature's action as an agent into a member of `allowed`."""
        assert self.interface is not None
        try:
            return self.interface.delta(action, allowed)
        except ValueError as error:
            raise ValueError(f"{self.name}, {self._who()}, {error}") from error

    def execute(self, value: Any, delta: Array) -> Any:
        """Apply a delta that lies in the set: clip it to the space, pay the budget, keep it."""
        self._fit = None if self.members.monotone else self._allowed().fit
        self._last = value, delta
        try:
            new = self.port.add(value, delta, self._fit)
        except ValueError as error:
            raise ValueError(f"{self._who()} cannot move {value!r} within its space: {error}") from error
        self.step += 1
        if self.recording or self.budget is not None:
            executed = self.port.flat(new).astype(np.float64) - self.port.flat(value)
            if self.budget is not None:
                self.spent = float(self.budget.spend(self.spent, executed))
            if self.recording:
                self._chosen.append(np.array(delta, np.float64).reshape(-1))
                self._executed.append(executed)
        return new

    def again(self, value: Any) -> Any:
        """Apply the last delta to another nominal value of the same turn; nothing is drawn, paid or kept."""
        if self.idle or self._last is None or self._last[1] is None:
            return value
        return self.port.add(value, np.asarray(self._last[1]).reshape(-1), self._fit)

    @property
    def last(self) -> Executed | None:
        """The last move, or ``None`` before the first of the episode."""
        if self._last is None:
            return None
        value, delta = self._last
        nominal = self.port.flat(value).astype(np.float64)
        if delta is None:
            return Executed(nominal, self._nothing(nominal), np.zeros(self.port.dim))
        executed = self.port.flat(self.again(value)).astype(np.float64) - nominal
        return Executed(nominal, np.array(delta, np.float64).reshape(-1), executed)

    def recorded(self) -> Recorded:
        """All moves of the episode so far, when recording."""
        shape = (len(self._chosen), self.port.dim)
        chosen = np.array([np.reshape(delta, -1) for delta in self._chosen], np.float64).reshape(shape)
        return Recorded(chosen, np.array(self._executed, np.float64).reshape(shape))

    def _pass(self, value: Any) -> Any:
        self._last = value, None
        self.step += 1
        if self.recording:
            self._chosen.append(self._nothing(self.port.flat(value)))
            self._executed.append(np.zeros(self.port.dim))
        return value

    def _nothing(self, nominal: Array) -> Array:
        return np.zeros(self.port.dim)

    def _allowed(self) -> UncertaintySet:
        return self.members if self.budget is None else self.budget.allowed(self.spent)

    def _make_plan(self) -> Array | None:
        assert self.budget is not None
        if must_plan(self.budget) or self.budget.horizon is None:
            return None
        if isinstance(self.nature, Uniform):
            return np.asarray(self.budget.plan_sample(self.rng))
        if isinstance(self.nature, WorstCase):
            return np.asarray(self.budget.plan_worst(np.ones(self.port.dim)))
        return None

    def _drawn(self, allowed: UncertaintySet) -> Array:
        if self._plan is not None:
            planned = self._plan[self.step] if self.step < len(self._plan) else np.zeros(self.port.dim)
            return np.asarray(allowed.project(planned))  # what was executed so far rounds: the last step pays for it
        if self.budget is not None:
            return np.asarray(self.nature.block(allowed, self.rng, 1)[0])
        row = next(self._rows, None)
        return np.asarray(self._refill() if row is None else row).reshape(-1)

    def _refill(self) -> Any:
        """Draw a block of moves and return the first."""
        self._rows = iter(self._rows_of(self.draw(block_rows(self.port.dim))))
        return next(self._rows)

    def draw(self, n: int) -> Array:
        """Draw n moves from a nature that does not look, shape (n, dim)."""
        block = np.asarray(self.nature.block(self.members, self.rng, n))
        if isinstance(self.nature, Uniform) and isinstance(self.members, Linf | Interval) and self._whole:
            return _whole_numbers(block, self.members.bounds)
        return block

    def _rows_of(self, block: Array) -> Any:
        return block

    def _play(self, allowed: UncertaintySet, observation: Any) -> Array:
        assert self.interface is not None
        policy, shown = self.nature.policy, self.shown(observation)
        action = act(policy, shown, agent=self.name, deterministic=self.nature.deterministic)
        return self._meant(action, allowed)

    def _checked(self, answer: Any, allowed: UncertaintySet) -> Array:
        raw = np.asarray(answer)
        if raw.dtype.kind not in "fiub" or raw.size != self.port.dim:
            raise OutsideSetError(f"{self._who()} must answer {self.port.dim} numbers, got {answer!r}")
        delta = raw.astype(np.float64).reshape(-1)
        # a trace keeps in double precision what may have been answered in single
        kind = np.float32 if isinstance(self.nature, Replay) else raw.dtype
        slack = np.finfo(kind).eps * np.abs(delta) if raw.dtype.kind == "f" else 0.0
        if not (np.isfinite(delta).all() and bool(allowed.contains(delta, tolerance=slack))):
            raise OutsideSetError(f"{self._who()} must answer a member of {allowed!r}, got delta {delta.tolist()}")
        return delta

    def _who(self) -> str:
        return f"nature of channel {self.channel!r}, agent {self.agent!r}, step {self.step}"


class _RewardSeat(Seat):
    """The same, fast, where a reward is a Python float and moves are drawn in blocks."""

    def _rows_of(self, block: Array) -> Any:
        return [float(number) for number in block[:, 0]]

    def perturb(self, value: Any, observation: Any = None, mask: Any = None) -> Any:
        if value.__class__ not in _FLOATS or self.idle:
            return super().perturb(value, observation, mask)
        delta = next(self._rows, None)
        if delta is None:
            delta = self._refill()
        self._last = value, delta
        new = value + delta
        if self.recording:
            self._chosen.append(np.array([delta]))
            self._executed.append(np.array([new - value]))
        return new


class _BoxSeat(Seat):
    """The same, fast, where the value is a float array and moves are drawn in blocks.

    ``perturb`` is compiled into a closure: half of what a step could save is attribute look-ups.
    """

    port: BoxPort

    def _settle(self) -> None:
        super()._settle()
        margin = np.maximum(np.abs(self.members.bounds.low), np.abs(self.members.bounds.high))
        low, high = (np.asarray(limit, np.float64) for limit in self.port.limits(None))
        bounded = np.flatnonzero((np.isfinite(low) | np.isfinite(high)) & (margin > 0))
        self._bounded = len(bounded) > 0
        # a hair more than the margin, for the rounding of the sum
        inner = [(int(k), float(low[k] + 1.001 * margin[k]), float(high[k] - 1.001 * margin[k])) for k in bounded]
        self._guards = tuple(inner) if len(inner) <= _FEW else ()
        self._compile()

    def _compile(self) -> None:
        space: Any = self.port.space
        # no value has dtype None: neither an idle seat nor a single number, which numpy adds to a scalar, has a fast path;
        # a space that was pickled holds a copy of the dtype, values hold numpy's own
        dtype = None if self.idle or not space.shape else np.dtype(space.dtype.type)
        guards, slow, low, high = self._guards, super().perturb, space.low, space.high
        check = self._bounded and not guards
        minimum, maximum = np.minimum, np.maximum

        def perturb(value: Any, observation: Any = None, mask: Any = None) -> Any:
            try:
                if value.dtype is not dtype:
                    return slow(value, observation, mask)
            except AttributeError:
                return slow(value, observation, mask)
            delta = next(self._rows, None)
            if delta is None:
                delta = self._refill()
            new = value + delta
            clip = check
            for k, lowest, highest in guards:
                if not lowest <= value.item(k) <= highest:
                    clip = True
            if clip:
                inside = minimum(maximum(value, low), high)
                if inside.tobytes() != value.tobytes():  # the nominal value is itself outside
                    return self.execute(value, delta.reshape(-1))
                new = minimum(maximum(new, low), high)
            self._last = value, delta
            if self.recording:
                self._chosen.append(delta)
                # worked out when asked for: a step affords no more than a copy
                self._executed.append((new.copy(), value.copy()))
            return new

        self.perturb = perturb  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "perturb"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._compile()

    def _rows_of(self, block: Array) -> Any:
        space: Any = self.port.space
        return block.astype(space.dtype).reshape(-1, *space.shape)

    def recorded(self) -> Recorded:
        self._executed = [self._exact(entry) for entry in self._executed]
        return super().recorded()

    def _exact(self, entry: Any) -> Array:
        if not isinstance(entry, tuple):
            return np.asarray(entry)
        new, value = entry
        return np.asarray(new.astype(np.float64) - value).reshape(-1)


class ChoiceSeat(Seat):
    """Replace a discrete choice: by a member of `Finite`, or with some probability by any legal one (`Switch`)."""

    port: DiscretePort

    def _settle(self) -> None:
        super()._settle()
        self.idle = self.idle or isinstance(self.nature, Nominal)

    def choose(self, value: Any, observation: Any, mask: Any = None) -> Array:
        coin, pick = self._coins()
        nominal, options = self.port.flat(value), self._options(mask)
        if not coin or len(options) == 0:
            return nominal
        if isinstance(self.nature, Uniform):
            return self._uniform(options, pick, nominal)
        if isinstance(self.nature, Policy):
            return self._legal(self._play(self.members, observation), options, nominal)
        choices = Finite(tuple(float(option) for option in options), discrete=True, dim=1)
        move = Move(self.channel, self.agent, self.step, nominal, choices, self.look(observation), self.rng)
        return self._one_of(self.nature(move), options, nominal)

    def _decode(self, action: Any, value: Any, mask: Any) -> Array:
        coin, _ = self._coins()
        nominal = self.port.flat(value)
        if not coin:
            return nominal
        return self._legal(self._meant(action, self.members), self._options(mask), nominal)

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

    def _coins(self) -> tuple[bool, float]:
        """Draw whether nature may act now, and a number in [0, 1) to pick with: two draws a move, whatever comes."""
        row = next(self._rows, None)
        if row is None:
            self._rows = iter(self.rng.random((256, 2)).tolist())
            row = next(self._rows)
        toss, pick = row
        probability = self.members.probability if isinstance(self.members, Switch) else 1.0
        # a replayed choice has met its coin when it was recorded
        return toss < probability or isinstance(self.nature, Replay), pick

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
        return options[options == answer[0]] if answer[0] in options else nominal

    def _one_of(self, answer: Any, options: Array, nominal: Array) -> Array:
        choice = np.asarray(answer)
        if choice.size == 1 and choice.reshape(-1)[0] in (*options, nominal[0]):
            return choice.reshape(-1).astype(np.int64)
        allowed = sorted({*options.tolist(), int(nominal[0])})
        raise OutsideSetError(f"{self._who()} must answer one of {allowed}, got {answer!r}")


def _whole_numbers(block: Array, bounds: Any) -> Array:
    """Turn uniform reals into uniform integers of the same box: rounding towards 0 would move nothing at radius 1."""
    low, high = np.ceil(bounds.low), np.floor(bounds.high)
    width = np.where(bounds.high > bounds.low, bounds.high - bounds.low, 1.0)
    return np.asarray(np.clip(low + np.floor((block - bounds.low) / width * (high - low + 1)), low, high))


def make_seat(**parts: Any) -> Seat:
    """Choose the kind of seat: all give the same numbers, some are faster."""
    port, members, nature = parts["port"], parts["members"], parts["nature"]
    floats = isinstance(port, BoxPort) and np.dtype(port.space.dtype).kind == "f"
    blocks = hasattr(nature, "block") and members.monotone and not isinstance(members, PerEpisode | Switch)
    if isinstance(port, DiscretePort):
        return ChoiceSeat(**parts)
    if blocks and isinstance(port, ScalarPort):
        return _RewardSeat(**parts)
    if blocks and floats:
        return _BoxSeat(**parts)
    return Seat(**parts)
