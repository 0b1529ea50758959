"""What counts as a policy: anything with `predict`, or a callable, one for all agents or a dict by agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Policy", "act", "check_policy", "team_actions"]

Policy = Any
"""An object with ``predict(observation, deterministic=...) -> (action, state)``, a callable from observation
to action, or a mapping from agent id to either. An object whose ``multi_agent`` is true gets and returns
dictionaries by agent."""


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
