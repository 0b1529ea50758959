"""One nature at one place of all games of a batched torch environment: draws, checks and adds whole tensors.

This package never imports torch: whoever hands us a torch environment has, and the loaded module is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import BoxPort, DiscretePort, JointPort, PartsPort, Port, ScalarPort
from robust_envs.natures import Move, Noise, Nominal, Policy, Uniform, WorstCase
from robust_envs.seats import OutsideSetError, Seat
from robust_envs.sets import Finite, Interval, Linf, Switch
from robust_envs.shells.batched_streams import Stream, Tensor, torch_module
from robust_envs.streams import stream_seed
from robust_envs.traces import Executed

__all__ = ["BatchedChoice", "BatchedSeat"]

OURS = (Nominal, Uniform, Noise, WorstCase)


class BatchedSeat:
    """Move the numbers of one channel of one agent (of all agents, for `joint`) in all games at once.

    Args:
        seat: who plays here and with which set; the set is read at every move, so that its radius may change.
        games: G, number of games.
        device: of the tensors.
        depth: number of robust layers below.
    """

    def __init__(self, seat: Seat, *, games: int, device: Any, depth: int) -> None:
        self.seat, self._games, self._device, self._depth = seat, games, device, depth
        self._torch = torch_module()
        self._rng: list[Stream] = []
        self._walls = self._bounds(seat.port)
        self._settled: Any = None
        self._symmetric = False
        self.seed([None])
        self.begin()

    @property
    def looks(self) -> bool:
        """Whether nature sees observations."""
        return not isinstance(self.seat.nature, OURS)

    def seed(self, seeds: list[int | None]) -> None:
        """Start nature's streams anew: one for each of as many equal shares of the games."""
        key, torch = self.seat.key, self._torch
        numbers = [stream_seed(seed, depth=self._depth, channel=key[0], agent=key[1]) for seed in seeds]
        self._rng = [Stream(torch, number, self._device) for number in numbers]

    def begin(self) -> None:
        """Begin an episode of all games."""
        self.steps = self._torch.zeros(self._games, dtype=self._torch.int64, device=self._device)
        self.last: tuple[Tensor, Any] | None = None
        self._due: Tensor | None = None

    def begin_one(self, game: int) -> None:
        """Begin an episode of one game; its nature moves when it is asked next."""
        self.steps[game] = 0
        if self._due is None:
            self._due = self._torch.zeros(self._games, dtype=self._torch.bool, device=self._device)
        self._due[game] = True

    def perturb(self, value: Any, seen: Any) -> Any:
        """Let nature move in all games: the perturbed value, of the shape and kind of `value`; itself at radius 0."""
        self._due = None
        nominal = _flat(self.seat.port, value)
        if self.seat.idle:
            self.last = nominal, None
            return value
        delta = self._choose(nominal, seen, self.steps)
        return self._apply(value, nominal, delta)

    def again(self, value: Any, seen: Any) -> Any:
        """Show the move of this turn once more: only games that began since the last move draw afresh."""
        nominal = _flat(self.seat.port, value)
        if self.seat.idle:
            return value
        if self.last is None:
            return self.perturb(value, seen)
        delta, due = self.last[1], self._due
        if due is not None:
            rows = due.nonzero()[:, 0]
            fresh = self._choose(nominal[rows], None if seen is None else seen[rows], self.steps[rows], rows)
            delta = delta.index_copy(0, rows, fresh.to(delta.dtype))
            self.steps[rows] += 1
            self._due = None
        self.last = nominal, delta
        return _put(self.seat.port, value, self._add(nominal, delta))

    def _apply(self, value: Any, nominal: Tensor, delta: Tensor) -> Any:
        self.last = nominal, delta
        self.steps += 1
        return _put(self.seat.port, value, self._add(nominal, delta))

    @property
    def executed(self) -> Executed | None:
        """The latest move, tensors of shape (G, dim); None before the first."""
        if self.last is None:
            return None
        nominal, delta = self.last
        if delta is None:
            return Executed(nominal, self._torch.zeros_like(nominal), self._torch.zeros_like(nominal))
        return Executed(nominal, delta.clone(), self._add(nominal, delta) - nominal)

    def _choose(self, nominal: Tensor, seen: Any, steps: Tensor, rows: Any = None) -> Tensor:
        nature = self.seat.nature
        if isinstance(nature, OURS):
            return self._in_shares(self._drawn, nominal, rows)
        if isinstance(nature, Policy):
            return self._played(seen, nominal)
        seat, rng = self.seat, self._rng[0].torch
        move = Move(seat.channel, seat.agent, steps.clone(), nominal.clone(), seat.members, seen, rng)
        return self._checked(nature(move), nominal)

    def _in_shares(self, draw: Any, nominal: Tensor, rows: Any) -> Tensor:
        """Draw for every share of the games from its own stream."""
        if len(self._rng) == 1:
            return draw(self._rng[0], nominal)
        share = self._games // len(self._rng)
        owners = self._torch.arange(self._games, device=self._device) if rows is None else rows
        parts = [draw(rng, nominal[owners // share == i]) for i, rng in enumerate(self._rng)]
        return self._torch.cat(parts)  # shares stand in order, and so do rows

    def _drawn(self, rng: Stream, nominal: Tensor) -> Tensor:
        members, nature = self.seat.members, self.seat.nature
        low, high, constant = self._known(nominal)
        if constant is not None:
            return constant.expand(nominal.shape)
        if isinstance(nature, Noise):
            return self._between(low, high, rng.cut_normal(nominal.shape, nature.cut))
        if isinstance(members, Linf | Interval):
            return self._between(low, high, rng.signed(nominal.shape))
        return members.sample(rng.torch, (len(nominal),)).to(nominal.dtype)

    def _between(self, low: Tensor, high: Tensor, place: Tensor) -> Tensor:
        """Turn places between -1 and 1 into numbers between the bounds, in the places' own memory."""
        if self._symmetric:
            return place.mul_(high)
        moved = place.mul_((high - low) / 2).add_((low + high) / 2)
        return self._torch.minimum(self._torch.maximum(moved, low, out=moved), high, out=moved)

    def _known(self, like: Tensor) -> tuple[Tensor, Tensor, Any]:
        """Return the set's bounds, and nature's answer where it is always the same; made once for a set."""
        members, nature = self.seat.members, self.seat.nature
        if self._settled is None or self._settled[0] is not members:
            bounds = members.bounds
            constant = None
            if isinstance(nature, WorstCase):
                constant = self._row(members.worst(np.ones((1, self.seat.port.dim))), like)
            elif isinstance(nature, Nominal):
                constant = self._row(members.project(np.zeros((1, self.seat.port.dim))), like)
            self._symmetric = bool((bounds.low == -bounds.high).all())
            self._settled = members, (self._row(bounds.low, like), self._row(bounds.high, like), constant)
        return self._settled[1]  # type: ignore[no-any-return]

    def _played(self, seen: Tensor, nominal: Tensor, members: Any = None) -> Tensor:
        """Ask a policy, which sees and answers what `AsAgents` would show and ask; its set is the seat's if None."""
        interface, torch = self.seat.interface, self._torch
        members = self.seat.members if members is None else members
        assert interface is not None
        action = torch.as_tensor(self._asked(seen), device=self._device)
        if not isinstance(interface.action_space, spaces.Box):
            count = interface.grid if interface.grid is not None else 2 * interface.dim
            table = np.concatenate([members.project(np.zeros((1, interface.dim))), members.grid(count)])
            index = action.reshape(len(nominal)).long() - int(interface.action_space.start)  # type: ignore[attr-defined]
            return self._row(table, nominal)[torch.where((index < 0) | (index > count), 0, index)]
        low, high = (float(end.reshape(-1)[0]) for end in (interface.action_space.low, interface.action_space.high))
        wanted = action.reshape(len(nominal), -1)[:, : interface.dim].to(nominal.dtype)
        x = ((wanted - low) / (high - low) * 2.0 - 1.0).clamp(-1.0, 1.0)
        below, above = (self._row(end, nominal) for end in (members.bounds.low, members.bounds.high))
        piecewise = torch.where(x >= 0, x * above, -x * below)
        affine = below + (x + 1.0) / 2.0 * (above - below)
        return members.project(torch.where((below <= 0) & (above >= 0), piecewise, affine))

    def _asked(self, seen: Tensor) -> Any:
        policy, name = self.seat.nature.policy, self.seat.name
        one = policy[name] if isinstance(policy, Mapping) else policy
        size = self.seat.interface.observation_space.shape[0]  # type: ignore[union-attr]
        shown = self._torch.nn.functional.pad(seen, (0, size - seen.shape[1]))
        if not hasattr(one, "predict"):
            return one(shown)
        return one.predict(shown.cpu().numpy(), deterministic=self.seat.nature.deterministic)[0]

    def _checked(self, answer: Any, nominal: Tensor) -> Tensor:
        torch, members = self._torch, self.seat.members
        if not isinstance(answer, torch.Tensor) or answer.shape != nominal.shape:
            shape = tuple(answer.shape) if hasattr(answer, "shape") else type(answer).__name__
            raise OutsideSetError(f"{self._who()} must answer a tensor {tuple(nominal.shape)}, got {shape}")
        slack = torch.finfo(nominal.dtype).eps * answer.abs()
        inside = members.contains(answer, tolerance=slack) & torch.isfinite(answer).all(-1)
        if not bool(inside.all()):
            game = int((~inside).nonzero()[0])
            delta, step = answer[game].tolist(), int(self.steps[game])
            raise OutsideSetError(
                f"{self._who()}, game {game}, step {step} must answer a member of {members!r}, got delta {delta}"
            )
        return answer.to(nominal.dtype)

    def _add(self, nominal: Tensor, delta: Tensor) -> Tensor:
        """Add, kept inside the space; bounds stretch to a nominal value that is itself outside."""
        total = nominal + delta
        if self._walls is None:
            return total
        torch = self._torch
        low, high = torch.minimum(self._walls[0], nominal), torch.maximum(self._walls[1], nominal)
        if not self.seat.members.monotone:
            total = nominal + self.seat.members.fit(delta, low - nominal, high - nominal)
        return torch.minimum(torch.maximum(total, low, out=total), high, out=total)

    def _bounds(self, port: Port) -> Any:
        space: Any = port.space
        if not isinstance(space, spaces.Box):
            return None
        low, high = space.low.reshape(-1), space.high.reshape(-1)
        if np.isinf(low).all() and np.isinf(high).all():
            return None
        return tuple(self._torch.as_tensor(wall.astype(np.float32), device=self._device) for wall in (low, high))

    def _row(self, numbers: Any, like: Tensor) -> Tensor:
        return self._torch.as_tensor(np.array(numbers), dtype=like.dtype, device=like.device)

    def _who(self) -> str:
        return f"nature of channel {self.seat.channel!r}, agent {self.seat.agent!r}"


class BatchedChoice(BatchedSeat):
    """Replace discrete choices: by members of `Finite`, or with some probability by any action (`Switch`)."""

    def _drawn(self, rng: Stream, nominal: Tensor) -> Tensor:
        torch, options = self._torch, self._options(nominal)
        coin, pick = rng.uniform((2, len(nominal)))
        leave = 0 if isinstance(self.seat.members, Switch) else 1  # of a Finite, "leave it" is one of the choices
        slot = (pick * (len(options) + leave)).long() - leave
        moved = (coin < self._probability) & (slot >= 0)
        return torch.where(moved[:, None], options[slot.clamp(min=0)][:, None], nominal)

    def _played(self, seen: Tensor, nominal: Tensor, members: Any = None) -> Tensor:
        torch, options = self._torch, self._options(nominal)
        slot = torch.as_tensor(self._asked(seen), device=self._device).reshape(len(nominal)).long() - 1
        coin = self._rng[0].uniform((len(nominal),)) < self._probability
        moved = coin & (slot >= 0) & (slot < len(options))
        return torch.where(moved[:, None], options[slot.clamp(0, len(options) - 1)][:, None], nominal)

    def _checked(self, answer: Any, nominal: Tensor) -> Tensor:
        torch, options = self._torch, self._options(nominal)
        if not isinstance(answer, torch.Tensor) or answer.shape != nominal.shape:
            raise OutsideSetError(f"{self._who()} must answer a tensor of choices {tuple(nominal.shape)}")
        known = (answer == nominal) | torch.isin(answer, options)
        if not bool(known.all()):
            raise OutsideSetError(f"{self._who()} must answer choices among {options.tolist()} or leave them")
        coin = self._rng[0].uniform((len(nominal), 1)) < self._probability
        return torch.where(coin, answer.to(nominal.dtype), nominal)

    @property
    def _probability(self) -> float:
        return self.seat.members.probability if isinstance(self.seat.members, Switch) else 1.0

    def _options(self, like: Tensor) -> Tensor:
        space: Any = self.seat.port.space
        members = self.seat.members
        listed = members.actions if isinstance(members, Finite) else range(space.start, space.start + space.n)
        return self._torch.tensor(list(listed), dtype=like.dtype, device=like.device)

    def _add(self, nominal: Tensor, delta: Tensor) -> Tensor:
        return delta


def _flat(port: Port, value: Any) -> Tensor:
    """Return the numbers of a batch of values, (G, dim)."""
    if isinstance(port, ScalarPort):
        return value[:, None]
    if isinstance(port, BoxPort | DiscretePort):
        return value.reshape(len(value), -1)
    parts = port.ports if isinstance(port, JointPort) else port._parts  # type: ignore[attr-defined]
    return torch_module().cat([_flat(part, value[key]) for key, part in parts.items()], 1)


def _put(port: Port, value: Any, numbers: Tensor) -> Any:
    """Return a copy of a batch of values that holds `numbers` (G, dim); what is not moved is shared."""
    if isinstance(port, JointPort | PartsPort):
        new, start = dict(value), 0
        for key, part in (port.ports if isinstance(port, JointPort) else port._parts).items():
            new[key] = _put(part, value[key], numbers[:, start : start + part.dim])
            start += part.dim
        return new
    return numbers.reshape(value.shape).to(value.dtype)
