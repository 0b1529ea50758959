"""A seat: one nature at one place (channel, agent), with its set, its random stream and its own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from operator import length_hint
from typing import Any

import numpy as np

from robust_envs.channels import DiscretePort, Fit, JointPort, Port
from robust_envs.names import key_of
from robust_envs.nature_spaces import Interface
from robust_envs.natures import AsAgents, Move, Noise, Nominal, Policy, Replay, Uniform, WorstCase
from robust_envs.natures.move import Cue, Stretch, cue, draw_rows, is_drawn, must_plan
from robust_envs.policies import act
from robust_envs.sets import PerEpisode, UncertaintySet
from robust_envs.streams import block_rows
from robust_envs.traces import Executed, Recorded

__all__ = ["Array", "OutsideSetError", "Seat"]

Array = np.ndarray[Any, np.dtype[Any]]


_FIRST = 32  # rows drawn ahead at the beginning of an episode
_OURS = (Nominal, Noise, Uniform, WorstCase)  # draw inside the set by construction


class OutsideSetError(ValueError):
    """Nature answered with something that is not in its uncertainty set."""


class Seat:
    """Ask one nature once per move, check its answer, apply it and keep the executed delta.

    Args:
        channel: Channel name.
        point: Point in the order of play at which it moves; that of its own name by default.
        agent: Agent id, or the tuple of ids for a nature that covers several.
        port: The numbers that move.
        members: The uncertainty set, bound.
        nature: Who picks.
        look: Turns the opposed agent's nominal observation into what nature sees.
        name: Id of nature as an agent, ``"nature_<k>"``.
        interface: How a `Policy` or an agent plays this nature.
    """

    once = False
    """Whether it moves once an episode."""
    moving = False
    """Whether its set is another at every move."""
    names: tuple[str, ...] | None = None
    """What its numbers are called, where they are parameters of the world."""

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
        point: str | None = None,
    ) -> None:
        self.point = channel if point is None else point
        self.channel, self.agent, self.port, self.nature = channel, agent, port, nature
        self.look, self.name, self.interface = look, name, interface
        self.recording = False
        self._share = np.zeros(port.dim)
        self.masked = self.point == "action" and isinstance(port, DiscretePort)
        self.rng = self.coins = np.random.default_rng()
        self.members = members
        self.spent = 0.0
        self.episode = -1
        self.drawn = is_drawn(nature)
        # whether what is drawn ahead depends on where in the episode it falls
        self._counts = self.drawn and not hasattr(nature, "block") and not isinstance(port, DiscretePort)
        self._rows: Iterator[Any] = iter(())  # drawn and not yet used
        self._plan: Array | None = None
        self._settle()
        self.clear()

    @property
    def looks(self) -> bool:
        """Whether a move depends on the observation."""
        return self.masked or not self.drawn

    @property
    def waits(self) -> bool:
        """Whether it can move before anybody knows the value: see `postpone`."""
        return self.idle and not self.recording

    @property
    def key(self) -> tuple[str, str]:
        """(channel, agent), where a nature that covers all agents is ``"*"``, and one that covers some ``"a+b"``."""
        return self.channel, key_of(self.agent)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents it opposes."""
        return self.agent if isinstance(self.agent, tuple) else (self.agent,)

    def set_radius(self, radius: float) -> None:
        """Change the radius of the set; blocks already drawn for the old one are dropped."""
        if not hasattr(self.members, "with_radius"):
            raise ValueError(f"radius can be set where a set has one radius, got {self.members!r} on {self.channel}")
        self.renew(self.members.with_radius(radius))

    def renew(self, members: UncertaintySet) -> None:
        """Take another set, bound; blocks already drawn from the old one are dropped."""
        if self._counts:
            self._give_back()
        self.members = members
        self._settle()

    def _settle(self) -> None:
        """Derive what follows from set and nature."""
        self.idle = self.members.is_zero or (isinstance(self.nature, Nominal) and self.members.monotone)
        self._fit: Fit = None
        self._whole = self.port.space.dtype is not None and np.dtype(self.port.space.dtype).kind in "iu"
        self.budget = self.members if isinstance(self.members, PerEpisode) else None
        self._rows = iter(())

    def seed(self, rng: np.random.Generator) -> None:
        """Give nature a generator; what was drawn from the old one is dropped."""
        if self._counts:
            self._give_back()
        self.rng = rng
        if hasattr(self.nature, "pick"):
            (self.coins,) = rng.spawn(1)  # leaves `rng` where it is
        self._rows = iter(())

    def begin(self) -> None:
        """Start an episode."""
        self.episode += 1
        self.clear()

    def clear(self) -> None:
        """Set clock, budget, memory and record to zero."""
        self.step = self._ahead = 0
        self.memory: dict[Any, Any] = {}
        if self._counts:
            self._rows = iter(())
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

    def choose(self, value: Any, observation: Any, mask: Any = None, action: Any = None) -> Array:
        """Ask nature for a delta, shape (dim,); `action` is what it does where it is an agent."""
        allowed = self._allowed()
        if self.drawn:
            return self._drawn(allowed)
        turn = cue(self.nature, self._stretch(allowed, self.step, 1))
        if turn is None:
            return np.zeros(self.port.dim)
        delta = self._ask(turn, value, observation, action)
        if turn.share != 1:
            delta = turn.share * self._reachable(delta, value, turn.stretch.set)
        if turn.counts and delta.any():
            turn.pay()
        return delta

    def _ask(self, turn: Cue, value: Any, observation: Any, action: Any) -> Array:
        nature, allowed = turn.nature, turn.stretch.set
        if is_drawn(nature):
            return np.asarray(self._checked_rows(nature, turn.stretch)[0])
        if isinstance(nature, AsAgents):
            return self._meant(action, allowed)
        if isinstance(nature, Policy):
            return self._play(nature, allowed, observation)
        nominal = self.port.flat(value).copy()  # nature must not write into the environment's own array
        return self._checked(nature(self._move(nominal, allowed, observation)), allowed)

    def _move(self, nominal: Array, allowed: UncertaintySet, observation: Any) -> Move:
        seen = self.look(observation)
        return Move(self.channel, self.agent, self.step, nominal, allowed, seen, self.rng, self.episode)

    def _stretch(self, allowed: UncertaintySet, first: int, n: int) -> Stretch:
        return Stretch(allowed, self.rng, self.coins, first, n, self.episode, self.memory, self._whole)

    def _reachable(self, delta: Array, value: Any, allowed: UncertaintySet) -> Array:
        """Keep nature's value in the space before it is mixed with the nominal one."""
        low, high = self.port.limits(value)
        nominal = self.port.flat(value).astype(np.float64)
        return np.asarray(allowed.fit(delta, np.minimum(low - nominal, 0), np.maximum(high - nominal, 0)))

    def obey(self, action: Any, value: Any, mask: Any = None) -> Any:
        """Let nature move as an agent: its action, in its action space, instead of an answer of ours.

        Returns:
            The perturbed value; `value` itself when the radius is 0.
        """
        return self._pass(value) if self.idle else self.execute(value, self.choose(value, None, mask, action))

    def shown(self, observation: Any) -> Array:
        """Return what nature sees as an agent, shape of its observation space."""
        assert self.interface is not None  # only natures that are agents or policies are shown anything
        return self.interface.pad(self.look(observation))

    def _meant(self, action: Any, allowed: UncertaintySet) -> Array:
        """Turn nature's action as an agent into a member of `allowed`."""
        assert self.interface is not None
        try:
            return self.interface.delta(action, allowed)
        except ValueError as error:
            raise ValueError(f"{self.name}, {self._who()}, {error}") from error

    def execute(self, value: Any, delta: Array) -> Any:
        """Apply a delta that lies in the set: clip it to the space, pay the budget, keep it.

        Where the delta is 0 the value itself comes back, bit for bit: ``-0.0 + 0.0`` would be another number.
        """
        self._fit = None if self.members.monotone else self._allowed().fit
        self._last = value, delta
        new = self._put(value, delta, self._fit)
        self.step += 1
        if self.recording or self.budget is not None or isinstance(self.port, JointPort):
            executed = self.port.flat(new).astype(np.float64) - self.port.flat(value)
            if self.budget is not None:
                self.spent = float(self.budget.spend(self.spent, executed))
            self._share = executed
            if self.recording:
                self._chosen.append(np.array(delta, np.float64).reshape(-1))
                self._executed.append(executed)
        return new

    def again(self, value: Any) -> Any:
        """Apply the last delta to another nominal value of the same turn; nothing is drawn, paid or kept."""
        if self.idle or self._last is None or self._last[1] is None:
            return value
        if isinstance(self.port, JointPort):  # the set was fitted to all agents together: each keeps its share
            return self._put(value, self._share, None)
        return self._put(value, np.asarray(self._last[1]).reshape(-1), self._fit)

    def _put(self, value: Any, delta: Array, fit: Fit) -> Any:
        return self.port.add(value, delta, fit) if delta.any() else value

    @property
    def last(self) -> Executed | None:
        """The last move, or ``None`` before the first of the episode."""
        if self._last is None:
            return None
        value, delta = self._last
        if callable(value):  # put off
            value = value()
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

    def postpone(self, ask: Callable[[], Any]) -> None:
        """Move on a value that nobody has asked for yet; `again` applies the move."""
        self._last = ask, None
        self.step += 1
        self._ahead += 1

    def forget(self) -> None:
        """Forget a move on a value that nobody has asked for: its agent is gone, and so is the value."""
        if self._last is not None and callable(self._last[0]):
            self._last = None

    def _pass(self, value: Any) -> Any:
        self._last = value, None
        self.step += 1
        self._ahead += 1
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
            return np.asarray(self._checked_rows(self.nature, self._stretch(allowed, self.step, 1))[0])
        row = next(self._rows, None)
        return np.asarray(self._refill() if row is None else row).reshape(-1)

    def _refill(self) -> Any:
        """Draw a block of moves and return the first."""
        rows = block_rows(self.port.dim)
        if self._counts:  # what is drawn ahead ends with the episode, which may be short
            rows = min(rows, max(_FIRST, self._ahead))
        self._rows = iter(self._rows_of(self.draw(rows)))
        return next(self._rows)

    def draw(self, n: int) -> Array:
        """Draw n moves from a nature that does not look, shape (n, dim)."""
        stretch = self._stretch(self.members, self._ahead, n)
        if self._counts:
            self._before = stretch._replace(memory=deepcopy(self.memory)), self._streams()
        self._ahead += n
        return self._checked_rows(self.nature, stretch)

    def _streams(self) -> tuple[Any, Any]:
        return self.rng.bit_generator.state, self.coins.bit_generator.state

    def _give_back(self) -> None:
        """Go back to where nature would stand had it drawn no more than was used: what it counts must be true."""
        left = length_hint(self._rows)
        if left == 0:
            return
        stretch, states = self._before
        for generator, state in zip((self.rng, self.coins), states, strict=True):
            generator.bit_generator.state = state
        self._ahead -= left
        used = stretch._replace(n=stretch.n - left)
        self.memory = used.memory
        draw_rows(self.nature, used)

    def _checked_rows(self, nature: Any, stretch: Stretch) -> Array:
        """Draw, and raise unless what was drawn lies in the set."""
        rows = draw_rows(nature, stretch)
        if isinstance(nature, _OURS):
            return rows
        allowed, shape = stretch.set, (stretch.n, self.port.dim)
        if rows.shape != shape or not bool(np.all(allowed.contains(rows))):
            raise OutsideSetError(f"{self._who()} must draw {shape} members of {allowed!r}, got {rows!r}")
        return np.where(rows == 0, -0.0, rows)  # adding 0.0 would turn -0.0 into 0.0, adding -0.0 changes nothing

    def _rows_of(self, block: Array) -> Any:
        return block

    def _play(self, nature: Policy, allowed: UncertaintySet, observation: Any) -> Array:
        assert self.interface is not None
        shown = self.shown(observation)
        action = act(nature.policy, shown, agent=self.name, deterministic=nature.deterministic)
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
