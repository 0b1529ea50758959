"""Settings that trainers share, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar

from algos.deep.set_texts import set_from_text, set_to_text
from robust_envs import UncertaintySet

Continuous = Literal["tanh", "softmax"]
_Config = TypeVar("_Config", bound="TrainerConfig")


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Hold the settings of every trainer (use the config of an algorithm).

    Args:
        hidden_sizes: units of each hidden ReLU layer, for every network.
        gamma: discount per step, in [0, 1].
        tau: how far targets move to the networks after each update, in (0, 1].
        batch_size: transitions in an update, >= 1.
        update_every: environment steps between two updates of all agents, >= 1.
        learning_starts: environment steps before the first update, >= 0; until then actions are uniform.
        buffer_capacity: transitions kept, >= batch_size and learning_starts; memory grows with what is stored.
        max_grad_norm: each agent's gradient is scaled down to this norm, > 0.
        precision: of the products in an update: "float32", or "bfloat16" for torch's autocast (parameters, targets
            and Adam stay float32).
        compile: whether torch.compile makes the update, which needs a C++ compiler on a CPU and takes a minute.

    Raises:
        ValueError: a value is outside its range.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)
    gamma: float = 0.95
    tau: float = 0.01
    batch_size: int = 256
    update_every: int = 10
    learning_starts: int = 1024
    buffer_capacity: int = 1_000_000
    max_grad_norm: float = 0.5
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, ("float32", "bfloat16"))
        if not isinstance(self.compile, bool):
            raise TypeError(f"compile must be a bool, got compile={self.compile!r}")
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))
        for size in self.hidden_sizes:
            check_integer("hidden_sizes", size, at_least=1)
        check_number("max_grad_norm", self.max_grad_norm, above=0.0)
        check_number("gamma", self.gamma, at_least=0.0, at_most=1.0)
        check_number("tau", self.tau, above=0.0, at_most=1.0)
        for name, low in (("batch_size", 1), ("update_every", 1), ("learning_starts", 0)):
            check_integer(name, getattr(self, name), at_least=low)
        check_integer("buffer_capacity", self.buffer_capacity, at_least=max(self.batch_size, self.learning_starts))

    @property
    def continuous(self) -> Continuous:
        """How Box actions are made, where an algorithm has any."""
        return "tanh"

    @property
    def action_noise(self) -> float:
        """Exploration noise on Box actions, where an algorithm has any."""
        return 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values, from which `config_from_json` rebuilds them."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ActorCriticConfig(TrainerConfig):
    """Hold the settings shared by all actor-critic trainers (use the config of one of them).

    The defaults learn particle tasks in tens of thousands of steps. The public codes take larger batches more rarely:
    `batch_size=1024, update_every=100` and learning rates of 1e-2.

    Args:
        actor_learning_rate: Adam step size of the actors, > 0.
        critic_learning_rate: Adam step size of the critics, > 0.
        logit_penalty: weight of the mean square of the actors' outputs before softmax or tanh, >= 0.
        action_noise: standard deviation of the exploration noise on Box actions, in half widths of the box, >= 0.
        continuous: how Box actions are made. "tanh": a deterministic point of the box, explored with Gaussian noise.
            "softmax": for boxes [0, 1]^n only, a point of the simplex, explored with Gumbel noise (the public MADDPG
            setting on particle environments; vectors off the simplex are then never played).
        twin_critics: two critics for each agent; targets believe the lower one, actors climb the first.
        policy_delay: rounds from one update of actors and targets to the next, >= 1; critics move in every round.
        target_noise: standard deviation of the noise on the actions in critics' targets, in half widths of a box or on
            the outputs before a softmax, >= 0.
        target_noise_clip: where that noise is cut, >= 0.
        ernie_weight: weight of the change of a policy under the worst observation in `ernie_set`, >= 0.
        ernie_set: perturbations of an agent's flat observation (the shorter ones padded with zeros), in its units.

    Raises:
        ValueError: a value is outside its range, or `ernie_weight` has no `ernie_set` to weigh.
    """

    actor_learning_rate: float = 3e-3
    critic_learning_rate: float = 3e-3
    logit_penalty: float = 1e-3
    action_noise: float = 0.1
    continuous: Continuous = "tanh"
    twin_critics: bool = False
    policy_delay: int = 1
    target_noise: float = 0.0
    target_noise_clip: float = 0.5
    ernie_weight: float = 0.0
    ernie_set: UncertaintySet | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("actor_learning_rate", "critic_learning_rate"):
            check_number(name, getattr(self, name), above=0.0)
        for name in ("logit_penalty", "action_noise", "target_noise", "target_noise_clip", "ernie_weight"):
            check_number(name, getattr(self, name), at_least=0.0)
        check_integer("policy_delay", self.policy_delay, at_least=1)
        if not isinstance(self.twin_critics, bool):
            raise TypeError(f"twin_critics must be True or False, got twin_critics={self.twin_critics!r}")
        if self._read_sets("ernie_set") is None and self.ernie_weight > 0:
            raise ValueError(f"ernie_set must be given where ernie_weight > 0, got ernie_weight={self.ernie_weight!r}")
        check_choice("continuous", self.continuous, ("tanh", "softmax"))

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), **{name: _as_text(vars(self)[name]) for name in vars(self) if name in _SETS}}

    def _read_sets(self, name: str) -> Any:
        """Read a setting that holds a set, a set as text or a dict of those, and keep it as sets."""
        value = getattr(self, name)
        if isinstance(value, str | Mapping):
            value = {agent: _read(m) for agent, m in value.items()} if isinstance(value, Mapping) else _read(value)
            object.__setattr__(self, name, value)
        for members in value.values() if isinstance(value, Mapping) else [value]:
            if members is not None and not isinstance(members, UncertaintySet):
                raise TypeError(f"{name} must be an uncertainty set, got {name}={value!r}")
        _as_text(value)  # what no checkpoint can hold is refused before training, not after
        return value


_SETS = ("ernie_set", "reward_set", "observation_set")


def _read(members: Any) -> Any:
    return set_from_text(members) if isinstance(members, str) else members


def _as_text(members: Any) -> Any:
    if isinstance(members, Mapping):
        return {agent: _as_text(one) for agent, one in members.items()}
    return None if members is None else set_to_text(members)


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
