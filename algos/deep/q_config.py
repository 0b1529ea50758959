"""Settings that deep Q-learners share, checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from algos.deep.config import TrainerConfig, check_number
from algos.deep.q_sets import RewardSets, Tail, check_reward_sets
from algos.deep.set_texts import set_from_text, set_to_text
from robust_envs import AmbiguitySet

_SETS = ("reward_set", "transition_set")


@dataclass(frozen=True, kw_only=True)
class QConfig(TrainerConfig):
    """Hold the settings shared by `IQLConfig`, `VDNConfig` and `QMIXConfig` (use one of those).

    Args:
        learning_rate: Adam step size of all networks, > 0.
        double: whether the learned networks choose the next actions that the targets value (double Q-learning).
        epsilon_start: chance of a random action at the first step, in [0, 1].
        epsilon_end: the same from step `epsilon_steps` on, in [0, 1]; linear in between.
        epsilon_steps: environment steps, > 0.
        reward_set: deltas that nature may add to a reward: a set for every agent, `joint(set)`, or a dict by agent.
            Nature alone against an agent picks the least delta. Sets may be written as text, "Linf(0.5)".
        transition_set: how far the next state's distribution may lie from the one that is sampled: `Contamination`,
            `TotalVariation`, `L1Ambiguity` or `CVaR`.

    Raises:
        ValueError: a value is outside its range, or a set cannot be estimated from one next state.
        TypeError: a set is no set of its kind.
    """

    learning_rate: float = 3e-3
    double: bool = True
    epsilon_start: float = 1.0
    epsilon_end: float = 0.05
    epsilon_steps: int = 20_000
    reward_set: RewardSets | str | None = None
    transition_set: AmbiguitySet | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("learning_rate", self.learning_rate, above=0.0)
        check_number("epsilon_steps", self.epsilon_steps, above=0.0)
        for name in ("epsilon_start", "epsilon_end"):
            check_number(name, getattr(self, name), at_least=0.0, at_most=1.0)
        if not isinstance(self.double, bool):
            raise TypeError(f"double must be a bool, got double={self.double!r}")
        for name in _SETS:
            object.__setattr__(self, name, _read(getattr(self, name)))
        Tail.of(self.transition_set)  # type: ignore[arg-type]  # no text any more
        if self.reward_set is not None:
            check_reward_sets(self.reward_set)  # type: ignore[arg-type]
        self.to_json()  # what no checkpoint can hold is refused before training, not after

    @property
    def tail(self) -> Tail:
        """What `transition_set` comes down to."""
        return Tail.of(self.transition_set)  # type: ignore[arg-type]

    @property
    def reward_sets(self) -> RewardSets | None:
        """The reward sets, read."""
        return self.reward_set  # type: ignore[return-value]

    def epsilon(self, steps: int) -> float:
        """Return the chance of a random action after this many environment steps."""
        done = min(steps / self.epsilon_steps, 1.0)
        return self.epsilon_start + done * (self.epsilon_end - self.epsilon_start)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values, sets as text."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {name: _written(values[name]) for name in _SETS}


def _read(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {agent: _read(members) for agent, members in given.items()}
    return set_from_text(given) if isinstance(given, str) else given


def _written(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {agent: _written(members) for agent, members in given.items()}
    return None if given is None else set_to_text(given)
