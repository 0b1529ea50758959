"""What counts as a policy: anything with `predict`, or a callable, one for all agents or a dict by agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

__all__ = ["MixedPolicy", "Policy", "act", "check_policy", "team_actions"]

Policy = Any
"""An object with ``predict(observation, deterministic=...) -> (action, state)``, a callable from observation
to action, or a mapping from agent id to either. An object whose ``multi_agent`` is true gets and returns
dictionaries by agent."""


@final
@dataclass(frozen=True)
class MixedPolicy:
    """Mix policies: whenever the partner is drawn, one of them is, by weight; for ``partners=`` of `robust`.

    Nature picks among the members of a set, and cannot pick inside a mixture: ``Finite([a, MixedPolicy([b, c])])``
    leaves it the choice between a and a toss-up of b and c.

    Args:
        policies: At least one; see `Policy`.
        weights: How often each, >= 0, not all 0; equally often by default.

    Raises:
        TypeError: If one of them cannot be asked.
        ValueError: If there are none, or weights do not fit.

    Example:
        >>> from robust_envs import MixedPolicy
        >>> MixedPolicy([lambda seen: 0, lambda seen: 1], weights=(3, 1)).drawn(0.8)(None)
        1
    """

    policies: Sequence[Any]
    weights: Sequence[float] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.policies, str) or not isinstance(self.policies, Sequence) or not len(self.policies):
            raise ValueError(f"policies must be a sequence of at least one, got policies={self.policies!r}")
        object.__setattr__(self, "policies", tuple(self.policies))
        for policy in self.policies:
            check_policy(policy, name="policies")
        weights = np.ones(len(self.policies)) if self.weights is None else np.asarray(self.weights, np.float64)
        fits = weights.shape == (len(self.policies),) and np.isfinite(weights).all() and bool((weights >= 0).all())
        if not fits or not weights.any():
            raise ValueError(
                f"weights must be {len(self.policies)} numbers >= 0, one for each policy, not all 0, "
                f"got weights={self.weights!r}"
            )
        object.__setattr__(self, "weights", tuple(weights.tolist()))

    def drawn(self, luck: float) -> Policy:
        """Return the policy for a number drawn uniformly from [0, 1)."""
        assert self.weights is not None  # set above
        edges = np.cumsum(self.weights) / np.sum(self.weights)
        last = np.flatnonzero(self.weights)[-1]  # sums of weights round: luck next to 1 must not fall behind it
        return self.policies[min(int(np.searchsorted(edges, luck, side="right")), int(last))]

    def __call__(self, observation: Any) -> Any:
        """Refuse to act: a mixture has no random stream of its own.

        Raises:
            TypeError: Always.
        """
        raise TypeError("MixedPolicy must be drawn before it acts: give it to partners={agent: Finite([...])}")


def act(policy: Policy, observation: Any, *, agent: str, deterministic: bool = True) -> Any:
    """Ask a policy for the action of one agent.

    Args:
        policy: See `Policy`.
        observation: What this agent sees.
        agent: Agent id; picks the entry when `policy` is a mapping.
        deterministic: Passed on to ``predict``.

    Returns:
        The action, as the policy gave it.

    Raises:
        KeyError: If `policy` is a mapping without this agent.

    Example:
        >>> act({"agent_0": lambda observation: observation + 1}, 1, agent="agent_0")
        2
    """
    return team_actions(policy, {agent: observation}, deterministic=deterministic)[agent]


def team_actions(policy: Policy, observations: Mapping[str, Any], *, deterministic: bool = True) -> dict[str, Any]:
    """Ask a policy for the actions of several agents.

    Args:
        policy: See `Policy`.
        observations: Observation by agent.
        deterministic: Passed on to ``predict``.

    Returns:
        Action by agent, one for each observation.

    Raises:
        KeyError: If `policy` is a mapping without one of the agents.

    Example:
        >>> team_actions(lambda observation: 2 * observation, {"agent_0": 1, "agent_1": 2})
        {'agent_0': 2, 'agent_1': 4}
    """
    if getattr(policy, "multi_agent", False):
        actions, _ = policy.predict(dict(observations), deterministic=deterministic)
        return dict(actions)
    return {
        agent: _ask(_member(policy, agent), observation, deterministic) for agent, observation in observations.items()
    }


def check_policy(policy: Policy, *, name: str = "policy") -> None:
    """Raise unless `policy` is something `team_actions` can ask.

    Raises:
        TypeError: Naming the parameter, the rule and the value.

    Example:
        >>> check_policy(lambda observation: 0)
        >>> check_policy(3)
        Traceback (most recent call last):
        TypeError: policy must have predict() or be callable, or be a dict by agent of such, got 3
    """
    members = list(policy.values()) if isinstance(policy, Mapping) else [policy]
    for member in members:
        if not (callable(member) or hasattr(member, "predict")):
            raise TypeError(f"{name} must have predict() or be callable, or be a dict by agent of such, got {policy!r}")


def _member(policy: Policy, agent: str) -> Policy:
    if not isinstance(policy, Mapping):
        return policy
    if agent not in policy:
        raise KeyError(f"policy has no entry for agent {agent!r}: it has {sorted(policy)}")
    return policy[agent]


def _ask(policy: Policy | Callable[[Any], Any], observation: Any, deterministic: bool) -> Any:
    if hasattr(policy, "predict"):
        action, _ = policy.predict(observation, deterministic=deterministic)
        return action
    return policy(observation)
