"""Set RLlib up for a game with natures: one policy for the team, one for each kind of nature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from robust_envs.adapters.missing import require
from robust_envs.perturber import PREFIX

__all__ = ["policy_mapping", "zero_sum"]


@dataclass(frozen=True)
class policy_mapping:  # noqa: N801 - used like a function; a class pickles, and RLlib sends it to its workers
    """Say which policy plays an agent; RLlib's ``policy_mapping_fn``.

    Args:
        policies: Name of the policy by agent.
    """

    policies: tuple[tuple[str, str], ...]

    def __call__(self, agent_id: str, episode: Any = None, **_: Any) -> str:
        """Return the name of the policy of an agent."""
        return dict(self.policies)[agent_id]


def zero_sum(env: Any, *, share: bool = True, train: str = "both") -> dict[str, Any]:
    """Make the arguments of ``AlgorithmConfig.multi_agent`` for a game with natures.

    The team's agents are played by the policy ``team`` and natures by ``nature``. A nature earns minus what the agent
    it opposes earns, so the two policies are those of a zero-sum game. Agents whose spaces differ get policies of
    their own, ``team_1``, ``nature_1``, ...: RLlib holds any spaces.

    Args:
        env: What ``robust(..., nature=AsAgents())`` returned: a ParallelEnv or an AECEnv.
        share: Whether agents with the same spaces share a policy; else each is played by a policy of its name.
        train: ``"both"``, or ``"team"`` or ``"nature"`` to keep the other as it is: call
            ``config.multi_agent(policies_to_train=...)`` in turns.

    Returns:
        ``policies``, ``policy_mapping_fn`` and ``policies_to_train``.

    Raises:
        ImportError: If RLlib is missing.
        ValueError: If there is no nature among the agents, or `train` is not one of those named.

    Example:
        Hand it on as it is::

            config = PPOConfig().environment("game").multi_agent(**zero_sum(make_game()))
    """
    require("ray", "'ray[rllib]'")
    if train not in ("both", "team", "nature"):
        raise ValueError(f"train must be 'both', 'team' or 'nature', got train={train!r}")
    agents = [str(agent) for agent in getattr(env, "possible_agents", ())]
    if not any(agent.startswith(PREFIX) for agent in agents):
        raise ValueError(f"env must have natures as agents: robust(..., nature=AsAgents()), got agents {agents}")
    names = _shared(agents, env.observation_space, env.action_space) if share else {agent: agent for agent in agents}
    policies = sorted(set(names.values()))
    side = {name: "nature" if agent.startswith(PREFIX) else "team" for agent, name in names.items()}
    return {
        "policies": set(policies),
        "policy_mapping_fn": policy_mapping(tuple(names.items())),
        "policies_to_train": [name for name in policies if train in ("both", side[name])],
    }


def _shared(
    agents: list[str], observation_space: Callable[[str], Any], action_space: Callable[[str], Any]
) -> dict[str, str]:
    """Name a policy for all agents of one side that have the same spaces."""
    names: dict[str, str] = {}
    for side in ("team", "nature"):
        kinds: list[tuple[Any, Any]] = []
        for agent in agents:
            if agent.startswith(PREFIX) is not (side == "nature"):
                continue
            spaces = observation_space(agent), action_space(agent)
            if spaces not in kinds:
                kinds.append(spaces)
            index = kinds.index(spaces)
            names[agent] = side if index == 0 else f"{side}_{index}"
    return names
