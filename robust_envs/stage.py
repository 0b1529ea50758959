"""What nature does to the world itself: its parameters, its first state and its next ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from robust_envs.seats import Seat
from robust_envs.worlds import Kernel, Lever, OptionsLever, World

__all__ = ["Act", "Ask", "Stage", "perturbed"]

Array = np.ndarray[Any, np.dtype[Any]]
Ask = Callable[[Seat, Any, Mapping[str, Any]], Any]
"""How a nature is asked: seat, nominal numbers, what the agents see; returns the perturbed numbers."""


class Act(NamedTuple):
    """One nature and what it moves."""

    seat: Seat
    lever: Any


def perturbed(seat: Seat, value: Any, observations: Mapping[str, Any]) -> Any:
    """Ask a nature that plays inside."""
    return seat.perturb(value, observations if seat.looks else None)


class Stage:
    """Let the natures of the world move, and give the environment back its own numbers.

    Args:
        world: The environment.
        acts: The nature of each channel, by channel.
        depth: Number of robust layers below.
    """

    def __init__(self, world: World, acts: Mapping[str, Act], depth: int) -> None:
        self.world, self.acts, self._depth = world, dict(acts), depth
        dynamics = self.acts.get("dynamics")
        self._dynamics = dynamics
        self._each_step = dynamics is not None and dynamics.lever.each_step
        start = self.acts.get("start")
        # options of the reset are moved before it, and so before anybody sees anything
        self._options = start if start is not None and isinstance(start.lever, OptionsLever) else None
        once = [None if self._options is not None else start, None if self._each_step else dynamics]
        self.first = [act.seat for act in once if act is not None]  # who moves once, when an episode has begun
        transition = self.acts.get("transition")
        self._kernel = transition if transition is not None and isinstance(transition.lever, Kernel) else None
        self._transition = None if self._kernel is not None else transition
        self._kept: list[Any] | None = None  # the environment's own parameters, where they have been changed
        self._nominal: Array = np.zeros(0)
        self._now: Array = self._nominal  # the parameters as they are
        self._ask: Ask = perturbed
        self._seen: Mapping[str, Any] = {}
        self._sure = False

    @property
    def drives(self) -> bool:
        """Whether something moves before every step."""
        return self._each_step or self._kernel is not None

    @property
    def lands(self) -> bool:
        """Whether something moves after every step."""
        return self._transition is not None

    @property
    def before(self) -> list[Seat]:
        """The natures that move before a step."""
        return [self._dynamics.seat] if self._each_step and self._dynamics is not None else []

    @property
    def kernel(self) -> Seat | None:
        """The nature that picks the distribution of the next state, in the middle of a step."""
        return None if self._kernel is None else self._kernel.seat

    @property
    def after(self) -> list[Seat]:
        """The natures that move after a step."""
        return [] if self._transition is None else [self._transition.seat]

    def restore(self) -> None:
        """Give the environment back its own parameters, bit for bit and type for type."""
        if self._kept is not None and self._dynamics is not None:
            self._dynamics.lever.put_back(self._kept)
        self._kept = None
        if self._kernel is not None:
            self._kernel.lever.root.kernels.pop(self._depth, None)

    def options(self, given: dict[str, Any] | None) -> dict[str, Any] | None:
        """Let nature move the options that the environment's reset is given."""
        if self._options is None:
            return given
        lever: OptionsLever = self._options.lever
        lever.take(given)
        nominal = lever.read()
        _renew(self._options, nominal)
        new = perturbed(self._options.seat, nominal, {})
        if new is nominal:
            return given
        lever.write(new)
        return {**(given or {}), **lever.root}

    def enter(self) -> None:
        """Look at the environment as its reset left it."""
        if self._dynamics is not None:
            self._nominal = self._now = self._dynamics.lever.read()
            _renew(self._dynamics, self._nominal)
        if self._kernel is not None:
            self._kernel.lever.root.kernels[self._depth] = self._bend

    def begin(self) -> None:
        """Begin an episode where agents' natures are none of our business: batched games have seats of their own."""
        for act in self.acts.values():
            act.seat.begin()
        self.enter()
        self.open({})

    def open(self, observations: Mapping[str, Any], ask: Ask = perturbed, *, again: bool = True) -> Any:
        """Let the natures move that move once an episode.

        Args:
            observations: What the agents see.
            ask: How natures are asked.
            again: Whether to ask for the observations anew where the state has moved; AEC environments say what they
                say when they are asked.

        Returns:
            The observations, which may be others now.
        """
        for seat in self.first:
            observations = self.once(seat, observations, ask, again=again)
        return observations

    def once(self, seat: Seat, observations: Mapping[str, Any], ask: Ask = perturbed, *, again: bool = True) -> Any:
        """Let one nature of those move; arguments and answer as for `open`."""
        act = self.acts[seat.channel]
        if seat.channel == "start":
            return self._move_state(act, observations, ask, again)
        self._set(act, observations, ask)
        return observations

    def drive(self, observations: Mapping[str, Any], ask: Ask = perturbed) -> None:
        """Let the natures move whose moves count in the coming step."""
        if self._each_step and self._dynamics is not None:
            self._set(self._dynamics, observations, ask)
        if self._kernel is not None:
            self._seen, self._ask = observations, ask

    def land(self, observations: Mapping[str, Any], ask: Ask = perturbed, *, again: bool = True) -> Any:
        """Let nature move the state in which a step has ended; arguments and answer as for `open`."""
        if self._transition is None:
            return observations
        return self._move_state(self._transition, observations, ask, again)

    def _set(self, act: Act, observations: Mapping[str, Any], ask: Ask) -> None:
        new = ask(act.seat, self._nominal, observations)
        if new is self._now:
            return
        if self._kept is None:
            self._kept = act.lever.keep()
        if new is self._nominal:
            act.lever.put_back(self._kept)
        else:
            act.lever.write(new)
        self._now = new

    def _move_state(self, act: Act, observations: Mapping[str, Any], ask: Ask, again: bool) -> Mapping[str, Any]:
        lever: Lever = act.lever
        nominal = lever.read()
        _renew(act, nominal)
        new = ask(act.seat, nominal, observations)
        if new is nominal:
            return observations
        if not self._sure and again:
            self._sure = True
            self.world.check_speech(act.seat.channel, observations)
        lever.write(new)
        return {**observations, **self.world.observe(observations)} if again else observations

    def _bend(self, distribution: Array) -> Any:
        """Replace the distribution of the next state, when the game is about to draw it."""
        assert self._kernel is not None  # installed only then
        return self._ask(self._kernel.seat, distribution, self._seen)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_seen": {}, "_ask": perturbed}


def _renew(act: Act, nominal: Array) -> None:
    """Put a set that stands for values about the nominal value of this episode."""
    if not act.lever.floating:
        return
    members, seat = act.lever.around(nominal), act.seat
    if hasattr(seat.members, "radius") and hasattr(members, "with_radius"):
        members = members.with_radius(seat.members.radius)
    if members != seat.members:
        seat.renew(members)
