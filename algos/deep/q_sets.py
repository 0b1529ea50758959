"""What declared uncertainty sets come down to in the targets of deep Q-learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robust_envs import AmbiguitySet, Contamination, CVaR, L1Ambiguity, TotalVariation, UncertaintySet
from robust_envs.sets import Joint, PerEpisode, PerState, Product, Switch

RewardSets = UncertaintySet | Mapping[str, UncertaintySet]
_NO_NUMBER = (PerEpisode, PerState, Product, Switch)


@dataclass(frozen=True)
class Tail:
    """Say where nature moves the mass of the next state: `floor_share` to the least value, the rest from the best.

        worst case of E[V]  =  (1 - floor_share) CVaR_level(V)  +  floor_share min V

    CVaR_level is the mean over the worst `level` of the nominal mass; at level 1 it is the nominal mean.

    Args:
        floor_share: in [0, 1].
        level: in (0, 1].
    """

    floor_share: float = 0.0
    level: float = 1.0

    @property
    def is_nominal(self) -> bool:
        """Whether nothing is moved."""
        return self.floor_share == 0.0 and self.level == 1.0

    @classmethod
    def of(cls, members: AmbiguitySet | None) -> Tail:
        """Return what a set of distributions comes down to.

        Only sets whose worst case can be estimated without bias from one next state per transition are understood.

        Args:
            members: `Contamination`, `TotalVariation`, `L1Ambiguity`, `CVaR`, each with one number, or None.

        Raises:
            TypeError: for what is no set of distributions.
            ValueError: for any other set; the message says why.

        Example:
            >>> from robust_envs import TotalVariation
            >>> Tail.of(TotalVariation(0.25))
            Tail(floor_share=0.25, level=0.75)
        """
        if members is None:
            return cls()
        if not isinstance(members, AmbiguitySet):
            raise TypeError(f"transition_set must be a set of distributions, got {members!r}")
        _check_one_sample(members)
        if isinstance(members, CVaR):
            return cls(0.0, float(members.alpha))
        assert isinstance(members, Contamination | TotalVariation | L1Ambiguity)
        share = min(float(members.radius) / (2.0 if isinstance(members, L1Ambiguity) else 1.0), 1.0)
        if share == 1.0 or isinstance(members, Contamination):
            return cls(share, 1.0)
        return cls(share, 1.0 - share)


def _check_one_sample(members: AmbiguitySet) -> None:
    if not isinstance(members, Contamination | TotalVariation | L1Ambiguity | CVaR):
        raise ValueError(
            "transition_set must be Contamination, TotalVariation, L1Ambiguity or CVaR: the worst case of others "
            f"is not to be had from one next state, got {members!r}"
        )
    if getattr(members, "support_only", False) and not isinstance(members, CVaR):
        raise ValueError(f"transition_set must not be support_only: nobody knows the support, got {members!r}")
    size = members.alpha if isinstance(members, CVaR) else members.radius
    if not isinstance(size, float):
        raise ValueError(f"transition_set must have one number as its size, got {members!r}")


def check_reward_sets(given: RewardSets) -> None:
    """Raise unless these are sets of deltas whose least member can be told without the state.

    Args:
        given: one set for every agent, `joint(set)`, or sets by agent.

    Raises:
        TypeError: for what is no set of deltas.
        ValueError: for a set that depends on more than the reward.
    """
    for members in given.values() if isinstance(given, Mapping) else [given]:
        if not isinstance(members, UncertaintySet):
            raise TypeError(f"reward_set must be a set of deltas, or a dict by agent of those, got {members!r}")
        if isinstance(members, _NO_NUMBER):
            hint = ": wrap the environment with robust(env, reward=..., nature=WorstCase()) instead"
            raise ValueError(f"reward_set must be the same at every step, got {members!r}{hint}")
        if isinstance(given, Mapping) and isinstance(members, Joint):
            raise ValueError(f"reward_set must not be joint for one agent alone, got {members!r}")


def reward_shifts(given: RewardSets | None, agents: Sequence[str]) -> npt.NDArray[np.float32] | None:
    """Return what nature adds to each agent's reward when it does most harm, (N,); None where it adds nothing.

    Alone against an agent it adds the least delta; a `joint` set it uses against the sum over all agents.

    Args:
        given: one set for every agent, `joint(set)`, or sets by agent.
        agents: in the order of the team.

    Raises:
        ValueError: for an agent that is not in the team, or a set of more numbers than rewards.

    Example:
        >>> from robust_envs import L2, joint
        >>> reward_shifts(joint(L2(5.0)), ["a", "b"])
        array([-3.535534, -3.535534], dtype=float32)
    """
    if given is None:
        return None
    if isinstance(given, Joint):
        shifts = np.asarray(given.bind(len(agents)).worst(np.ones(len(agents))))
    else:
        by_agent = given if isinstance(given, Mapping) else dict.fromkeys(agents, given)
        unknown = sorted(set(by_agent) - set(agents))
        if unknown:
            raise ValueError(f"reward_set must be by agent of {list(agents)}, got {unknown[0]!r}")
        shifts = np.array([_least(by_agent[agent]) if agent in by_agent else 0.0 for agent in agents])
    return shifts.astype(np.float32) if shifts.any() else None


def _least(members: UncertaintySet) -> float:
    return float(members.bind(1).worst(np.ones(1))[0])
