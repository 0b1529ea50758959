"""Natures that play: a trained policy, a recorded episode, agents of the game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from robust_envs.natures.move import Move, is_choice, leaves
from robust_envs.policies import check_policy
from robust_envs.sets import PerState, UncertaintySet

if TYPE_CHECKING:
    from robust_envs.traces import Trace

__all__ = ["AsAgents", "Policy", "Replay", "as_agents", "check_kind", "check_nature"]


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
        recorded = self.trace.moves.get((move.channel, "*" if isinstance(move.agent, tuple) else str(move.agent)))
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


def as_agents(nature: Any) -> AsAgents | None:
    """Return the `AsAgents` that a nature is, or is made of; ``None`` if it is none."""
    return next((leaf for leaf in leaves(nature) if isinstance(leaf, AsAgents)), None)


def check_kind(name: str, nature: Any) -> None:
    """Raise unless `nature` is a nature.

    Raises:
        TypeError: Naming the parameter, the rule and the value.
    """
    if isinstance(nature, type):
        raise TypeError(f"{name} must be an instance, got the class {nature.__name__}: write {nature.__name__}()")
    known = isinstance(nature, Policy | AsAgents) or any(hasattr(nature, how) for how in ("block", "course", "pick"))
    if not (known or callable(nature)):
        raise TypeError(f"{name} must be a nature or a callable of Move, got {nature!r}")


def check_nature(nature: Any, channel: str, members: UncertaintySet) -> None:
    """Raise unless `nature`, and all it is made of, can pick inside `members` on `channel`.

    Raises:
        TypeError: If it is not a nature.
        ValueError: If it does not fit, with the reason.
    """
    check_kind("nature", nature)
    if hasattr(nature, "check"):
        nature.check(channel, members)
    if isinstance(nature, AsAgents) and isinstance(members, PerState):
        raise ValueError(
            f"AsAgents() acts before the state and the action are known on which this set depends: train with the "
            f"largest radius, or give a function of Move, got {members} on {channel}"
        )
    for part in getattr(nature, "parts", ()) if hasattr(nature, "pick") else ():
        check_nature(part, channel, members)
