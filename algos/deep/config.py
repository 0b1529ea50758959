"""Settings that every actor-critic trainer shares, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

Continuous = Literal["tanh", "softmax"]
_Config = TypeVar("_Config", bound="ActorCriticConfig")


@dataclass(frozen=True, kw_only=True)
class ActorCriticConfig:
    """Hold the settings shared by `MADDPGConfig` and `RMADDPGConfig` (use one of those).

    The defaults learn particle tasks in tens of thousands of steps. The public codes take larger batches more rarely:
    `batch_size=1024, update_every=100` and learning rates of 1e-2.

    Args:
        hidden_sizes: units of each hidden ReLU layer, for every network.
        actor_learning_rate: Adam step size of the actors, > 0.
        critic_learning_rate: Adam step size of the critics, > 0.
        gamma: discount per step, in [0, 1].
        tau: how far targets move to the networks after each update, in (0, 1].
        batch_size: transitions in an update, >= 1.
        update_every: environment steps between two updates of all agents, >= 1.
        learning_starts: environment steps before the first update, >= 0; until then Box actions are uniform.
        buffer_capacity: transitions kept, >= batch_size and learning_starts; memory grows with what is stored.
        max_grad_norm: each agent's gradient is scaled down to this norm, > 0.
        logit_penalty: weight of the mean square of the actors' outputs before softmax or tanh, >= 0.
        action_noise: standard deviation of the exploration noise on Box actions, in half widths of the box, >= 0.
        continuous: how Box actions are made. "tanh": a deterministic point of the box, explored with Gaussian noise.
            "softmax": for boxes [0, 1]^n only, a point of the simplex, explored with Gumbel noise (the public MADDPG
            setting on particle environments; vectors off the simplex are then never played).

    Raises:
        ValueError: a value is outside its range.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)
    actor_learning_rate: float = 3e-3
    critic_learning_rate: float = 3e-3
    gamma: float = 0.95
    tau: float = 0.01
    batch_size: int = 256
    update_every: int = 10
    learning_starts: int = 1024
    buffer_capacity: int = 1_000_000
    max_grad_norm: float = 0.5
    logit_penalty: float = 1e-3
    action_noise: float = 0.1
    continuous: Continuous = "tanh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))
        for size in self.hidden_sizes:
            check_integer("hidden_sizes", size, at_least=1)
        for name in ("actor_learning_rate", "critic_learning_rate", "max_grad_norm"):
            check_number(name, getattr(self, name), above=0.0)
        for name in ("logit_penalty", "action_noise"):
            check_number(name, getattr(self, name), at_least=0.0)
        check_number("gamma", self.gamma, at_least=0.0, at_most=1.0)
        check_number("tau", self.tau, above=0.0, at_most=1.0)
        for name, low in (("batch_size", 1), ("update_every", 1), ("learning_starts", 0)):
            check_integer(name, getattr(self, name), at_least=low)
        check_integer("buffer_capacity", self.buffer_capacity, at_least=max(self.batch_size, self.learning_starts))
        check_choice("continuous", self.continuous, ("tanh", "softmax"))


def config_from_json(kind: type[_Config], values: Mapping[str, Any]) -> _Config:
    """Rebuild a config from the values that a checkpoint holds; an unknown name is refused."""
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"config must hold only the names of {kind.__name__}, got {unknown}")
    return kind(**values)


def check_number(
    name: str, value: float, *, at_least: float = -math.inf, above: float = -math.inf, at_most: float = math.inf
) -> None:
    """Raise unless value is a finite number in the range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {name}={value!r}")
    if not (math.isfinite(value) and value >= at_least and value > above and value <= at_most):
        rules = [
            f">= {at_least:g}" if at_least > -math.inf else "",
            f"> {above:g}" if above > -math.inf else "",
            f"<= {at_most:g}" if at_most < math.inf else "",
        ]
        raise ValueError(f"{name} must be finite and {' and '.join(filter(None, rules))}, got {name}={value!r}")


def check_integer(name: str, value: int, *, at_least: int) -> None:
    """Raise unless value is an integer of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {name}={value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be >= {at_least}, got {name}={value!r}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise unless value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {name}={value!r}")
