"""Who picks inside the uncertainty set.

A nature is a callable of `Move`; a lambda will do. Natures that need not look at the move also have ``block``, which
draws many moves at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from robust_envs.policies import check_policy
from robust_envs.sets import L2, Finite, Interval, Joint, Linf, PerEpisode, PerState, UncertaintySet

if TYPE_CHECKING:
    from robust_envs.traces import Trace

__all__ = ["AsAgents", "Move", "Nature", "Noise", "Nominal", "Policy", "Replay", "Uniform", "WorstCase", "check_nature"]

Array = np.ndarray[Any, np.dtype[Any]]


class Move(NamedTuple):
    """All that nature knows when it moves.

    Attributes:
        channel: ``"reward"``, ``"observation"`` or ``"action"``.
        agent: Id of the agent it opposes, or the tuple of ids it covers when the set is `joint`.
        step: How often this nature has moved before in this episode.
        nominal: The nominal numbers, flat, shape (dim,).
        set: The deltas allowed now (with what is left of a budget). For a discrete space a `Finite` of the choices.
        seen: The nominal observation of the opposed agent(s), flat float32, mask removed.
        rng: Nature's own generator.
    """

    channel: str
    agent: str | tuple[str, ...]
    step: int
    nominal: Array
    set: UncertaintySet
    seen: Array
    rng: np.random.Generator


Nature = Callable[[Move], Any]
"""Anything that answers a `Move` with a delta of shape (dim,), a member of ``move.set``
(for a discrete space: with the choice that replaces the nominal one)."""


@dataclass(frozen=True)
class Nominal:
    """Leave everything as it is: delta 0, or the member nearest to 0 where the set does not hold 0.

    Example:
        >>> from robust_envs import Linf, Nominal
        >>> Nominal().block(Linf(0.5).bind(2), None, 1)
        array([[0., 0.]])
    """

    def block(self, members: UncertaintySet, rng: np.random.Generator | None, n: int) -> Array:
        """Return n equal rows, shape (n, dim)."""
        return np.tile(members.project(np.zeros(_dim(members))), (n, 1))


@dataclass(frozen=True)
class Uniform:
    """Draw uniformly from the set, afresh at every move.

    On a discrete space: uniformly from the choices (with `Finite`, "leave it" is one of them). On a Box of integers:
    uniformly from the integers of `Linf` and `Interval`; draws from other sets are rounded towards the nominal value.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Linf, Uniform
        >>> Uniform().block(Linf(0.5).bind(2), np.random.default_rng(0), 3).shape
        (3, 2)
    """

    def block(self, members: UncertaintySet, rng: np.random.Generator, n: int) -> Array:
        """Draw n moves, shape (n, dim)."""
        return np.asarray(members.sample(rng, (n,)))


@dataclass(frozen=True)
class Noise:
    """Draw truncated Gaussian noise: standard deviation radius / `cut` in each coordinate, cut off at the radius.

    With ``cut=2`` it is the reward noise of Zhang et al. (2020): at level lambda, ``r + lambda * z`` with z standard
    normal within [-2, 2] is ``robust(env, reward=Linf(2 * lambda), nature=Noise())``. On a Box of integers draws are
    rounded towards the nominal value.

    Args:
        cut: Where the Gaussian is truncated, in standard deviations, > 0.

    Raises:
        TypeError: If `cut` is not a number.
        ValueError: If `cut` is not finite and > 0; at ``robust()``, if the set is not `Linf` or `Interval`.

    Example:
        >>> import numpy as np
        >>> from robust_envs import Linf, Noise
        >>> bool(abs(Noise().block(Linf(2.0).bind(1), np.random.default_rng(0), 1000)).max() <= 2.0)
        True

    References:
        Zhang et al. (2020), Robust Multi-Agent Reinforcement Learning with Model Uncertainty, section 5.
    """

    cut: float = 2.0

    def __post_init__(self) -> None:
        if isinstance(self.cut, bool) or not isinstance(self.cut, int | float | np.integer | np.floating):
            raise TypeError(f"cut must be a number, got cut={self.cut!r}")
        if not (np.isfinite(self.cut) and self.cut > 0):
            raise ValueError(f"cut must be finite and > 0, got cut={self.cut}")

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise unless the set is a product of intervals."""
        if not isinstance(_ball(members), Linf | Interval):
            raise ValueError(
                f"Noise() draws each coordinate on its own: the set must be Linf or Interval, got {members}"
            )

    def block(self, members: UncertaintySet, rng: np.random.Generator, n: int) -> Array:
        """Draw n moves, shape (n, dim)."""
        low, high = members.bounds.low, members.bounds.high
        z = _truncated_normal(rng, self.cut, n * _dim(members)).reshape(n, -1)
        return np.asarray(np.clip((low + high) / 2 + z * ((high - low) / (2 * self.cut)), low, high))


def _truncated_normal(rng: np.random.Generator, cut: float, n: int) -> Array:
    """Draw standard normals within [-cut, cut] by rejection from the normal (wide cut) or the uniform (narrow cut)."""
    kept: list[Array] = []
    while (missing := n - sum(map(len, kept))) > 0:
        if cut > 1.25:
            z = rng.standard_normal(missing + missing // 8 + 8)
            kept.append(z[np.abs(z) <= cut])
        else:
            z = rng.uniform(-cut, cut, missing)
            kept.append(z[rng.random(missing) <= np.exp(-z * z / 2)])
    return np.concatenate(kept)[:n] if kept else np.zeros(0)


@dataclass(frozen=True)
class WorstCase:
    """Choose the member of the set that is worst for the agent, where the direction is known: rewards.

    Solves ``min <1, delta>`` over the set: minus the radius for one agent, spread over the agents for a `joint` set.
    The worst observation or action depends on the policy; a trained adversary (`AsAgents`, `Policy`) looks for it.

    Example:
        >>> from robust_envs import L2, WorstCase, joint
        >>> WorstCase().block(L2(0.5).bind(1), None, 1)
        array([[-0.5]])
    """

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise where no direction is known."""
        if channel != "reward":
            raise ValueError(
                f"WorstCase() knows the worst direction of a reward only, got channel {channel!r}: "
                "train an adversary with AsAgents(), or give a function of Move"
            )
        if isinstance(_ball(members), L2) and must_plan(members):
            raise ValueError(_plan_message("WorstCase", members))

    def block(self, members: UncertaintySet, rng: np.random.Generator | None, n: int) -> Array:
        """Return n equal rows, shape (n, dim)."""
        return np.tile(np.asarray(members.worst(np.ones(_dim(members)))), (n, 1))


@dataclass(frozen=True)
class Policy:
    """Let a trained policy be nature: it sees and answers exactly what `AsAgents` would show and ask.

    Args:
        policy: Anything with ``predict``, or a callable from observation to action; one for all natures or a dict by
            nature id (``"nature_0"``, ..., all of them). A plain function of `Move` is a nature already: pass it bare.
        deterministic: Passed on to ``predict``.

    Raises:
        TypeError: If `policy` cannot be asked.

    Example:
        >>> from robust_envs import Policy
        >>> Policy(lambda observation: 0).deterministic
        True
    """

    policy: Any
    deterministic: bool = True

    def __post_init__(self) -> None:
        check_policy(self.policy)


@dataclass(frozen=True)
class Replay:
    """Repeat what a recorded nature did; moves beyond the end of the trace are nominal.

    ``env.reset()`` without a seed uses the seed of the trace, and without options its options, so that the same
    actions give the same episode, bit for bit. Sets are checked against: a recorded move must lie in the set given.

    Args:
        trace: A `Trace`, e.g. ``env.trace`` or ``Trace.load(path)``; for a VectorEnv also one for each sub-environment.

    Raises:
        TypeError: If `trace` is none.
        ValueError: At ``robust()``, if the trace was recorded with other channels or agents; at ``reset()`` without
            a seed, if the trace has none.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf, Replay, Uniform, robust
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform(), trace=True)
        >>> first, _ = env.reset(seed=3)
        >>> again = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Replay(env.trace))
        >>> bool((again.reset()[0] == first).all())
        True
    """

    trace: Trace

    def __post_init__(self) -> None:
        traces = self.trace if isinstance(self.trace, tuple | list) else (self.trace,)  # several: for a VectorEnv
        if not all(hasattr(trace, "moves") for trace in traces):
            raise TypeError(f"trace must be a Trace, e.g. Trace.load(path), got trace={self.trace!r}")

    def __call__(self, move: Move) -> Any:
        """Return the recorded choice of this channel, agent and step."""
        recorded = self.trace.moves.get((move.channel, _agent_key(move.agent)))
        if recorded is None or move.step >= len(recorded.chosen):
            return move.nominal if is_choice(move) else np.zeros(len(move.nominal))
        if is_choice(move) and not recorded.executed[move.step].any():
            return move.nominal  # nature left this one alone, whatever it was
        return recorded.chosen[move.step]


@dataclass(frozen=True)
class AsAgents:
    """Make nature part of the game: one agent ``nature_<k>`` for each (channel, agent), to be trained by any library.

    Nature agents stand last, are present from reset to the end, see the flat float32 nominal observation of the agent
    they oppose, act in a space of the team's type and bounds (a Box: its midpoint is "do nothing", its ends are the
    ends of the set, the result is projected onto the set; Discrete: 0 is "do nothing", k is ``set.grid(n)[k - 1]``)
    and get minus the reward of the agent they oppose.

    In the AEC API natures take turns exactly where `Policy` would move. In the Parallel API all agents move at once:
    there nature acts on the previous observation, its move on observations takes effect one step later (the first
    observation of an episode is nominal), and it sees neither the joint action nor the coming reward. That is how
    simultaneous games are. With `team` nature moves alone, and on the very observation that the team is about to see;
    only its move on a reward is still chosen before the step which earns it.

    Args:
        team: Policies of the original agents (see `Policy`); given, they play inside and only nature is left to train.
        observe: ``"agent"`` (the opposed agent's observation) or ``"state"`` (``env.state()``).
        uniform_spaces: Pad nature's spaces with zeros to the shapes of the team's.
        objective: ``"opposed"`` (minus the reward of the opposed agent) or ``"shared"`` (minus the sum over all).
        grid: Number of members a Discrete nature chooses from; default two for each coordinate.

    Raises:
        ValueError: If an argument is not one of those named; at ``robust()``, if the environment cannot hold them.

    Example:
        >>> from robust_envs import AsAgents
        >>> AsAgents(observe="everything")
        Traceback (most recent call last):
        ValueError: observe must be 'agent' or 'state', got observe='everything'
    """

    team: Any = None
    observe: str = "agent"
    uniform_spaces: bool = False
    objective: str = "opposed"
    grid: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("observe", ("agent", "state")), ("objective", ("opposed", "shared"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be {known[0]!r} or {known[1]!r}, got {name}={getattr(self, name)!r}")
        integer = isinstance(self.grid, int) and not isinstance(self.grid, bool)
        if self.grid is not None and not (integer and self.grid >= 1):
            raise ValueError(f"grid must be an integer >= 1, got grid={self.grid!r}")
        if self.team is not None:
            check_policy(self.team, name="team")


def check_nature(nature: Any, channel: str, members: UncertaintySet) -> None:
    """Raise unless `nature` can pick inside `members` on `channel`.

    Raises:
        TypeError: If it is not a nature.
        ValueError: If it does not fit, with the reason.
    """
    if isinstance(nature, type):
        raise TypeError(f"nature must be an instance, got the class {nature.__name__}: write {nature.__name__}()")
    if not (hasattr(nature, "block") or isinstance(nature, Policy | AsAgents) or callable(nature)):
        raise TypeError(f"nature must be a nature or a callable of Move, got {nature!r}")
    if hasattr(nature, "check"):
        nature.check(channel, members)
    if isinstance(nature, AsAgents) and isinstance(members, PerState):
        raise ValueError(
            f"AsAgents() acts before the state and the action are known on which this set depends: train with the "
            f"largest radius, or give a function of Move, got {members} on {channel}"
        )
    if isinstance(nature, Uniform) and must_plan(members):
        raise ValueError(_plan_message("Uniform", members))


def is_choice(move: Move) -> bool:
    """Tell whether the move replaces a discrete choice instead of adding a delta."""
    return isinstance(move.set, Finite) and move.set.discrete


def _agent_key(agent: str | tuple[str, ...]) -> str:
    return "*" if isinstance(agent, tuple) else str(agent)


def _dim(members: UncertaintySet) -> int:
    assert members.dim is not None  # natures only ever meet bound sets
    return members.dim


def _ball(members: UncertaintySet) -> UncertaintySet:
    while isinstance(members, Joint | PerEpisode | PerState):
        members = members.inner
    return members


def must_plan(members: UncertaintySet) -> bool:
    """Tell whether the set couples the steps of an episode whose length it was not told."""
    return isinstance(members, PerEpisode) and members.horizon is None and not isinstance(_ball(members), Linf)


def _plan_message(name: str, members: UncertaintySet) -> str:
    return (
        f"{name}() must plan a budget over the episode and needs its length: per_episode(..., horizon=T), got {members}"
    )
