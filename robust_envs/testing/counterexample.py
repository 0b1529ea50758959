"""A counterexample: everything that is needed to see a policy fail again, in numbers that read well in a diff."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Counterexample", "Expect", "PerturbedStep"]


class PerturbedStep(NamedTuple):
    """One perturbed move on the lattice of its set.

    Attributes:
        t: How often this nature had moved before in the episode.
        agent: Id of the agent it opposes; ``"*"`` for a nature that covers several.
        channel: Channel name.
        integers: Place on the `Lattice`, one for each coordinate, 0 = nominal; a discrete choice as it is.
    """

    t: int
    agent: str
    channel: str
    integers: tuple[int, ...]


class Expect(NamedTuple):
    """What the episode gave when it was recorded.

    Attributes:
        total: Sum of all agents' perturbed rewards.
        length: Number of steps.
        terminated: Whether it ended by itself rather than by a time limit.
        sha256: Fingerprint of the nominal observations, the actions and the rewards, in order.
    """

    total: float
    length: int
    terminated: bool
    sha256: str


@dataclass(frozen=True)
class Counterexample:
    """Hold one violating episode: where, against whom, inside which sets, and what nature did.

    Args:
        env: ``{"id": str | None, "kwargs": dict, "versions": {package: version}}``.
        wrappers: Class names from the outside in, without robust layers.
        agents: All agents that may ever be.
        policy: ``{"kind": str, "sha256": str | None, "deterministic": bool}``.
        seed: Of the reset.
        channels: The sets as they were declared, by channel: what `robust` is given.
        q: Steps of the lattice from the nominal value to the border of the set.
        property: ``{"name": str, "expression": str, "margin": float}``.
        rule: What explains the perturbation, in numbers and words (``Rule.to_json``), if anything does.
        steps: The perturbed moves in order of time; every other move is nominal.
        horizon: Length of the episode.
        expect: What replaying it gives.
        search: ``{"strategy": str, "episodes_to_first": int, "budget": int, "seed": int}``.
        shrink: ``{"episodes": int, "one_minimal": bool, "from_steps": int}``.

    Example:
        >>> PerturbedStep(3, "agent_0", "observation", (0, 0, -256, 0)).integers
        (0, 0, -256, 0)
    """

    env: Mapping[str, Any]
    wrappers: tuple[str, ...]
    agents: tuple[str, ...]
    policy: Mapping[str, Any]
    seed: int
    channels: Mapping[str, Any]
    q: int
    property: Mapping[str, Any]
    rule: Mapping[str, Any] | None
    steps: tuple[PerturbedStep, ...]
    horizon: int
    expect: Expect
    search: Mapping[str, Any] = field(default_factory=dict)
    shrink: Mapping[str, Any] = field(default_factory=dict)

    @builtins.property
    def perturbed_steps(self) -> tuple[int, ...]:
        """The times at which anything is perturbed."""
        return tuple(sorted({step.t for step in self.steps}))
