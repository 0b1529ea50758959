"""One set over all agents together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.finite import Switch
from robust_envs.sets.product import Product
from robust_envs.sets.wrapping import Wrapping


@dataclass(frozen=True, repr=False)
class Joint(Wrapping):
    """Couple all agents: ONE set over the concatenation of their perturbed values.

    `joint` is the function to call. `bind` takes the total number of coordinates.

    Args:
        inner: the set over the agents together.
        agents: the coalition; ``None`` for all agents.

    Raises:
        ValueError: if `inner` is a `Joint`, `Product` or `Switch`, or an agent is named twice.
        TypeError: if `inner` is not a set.

    Example:
        >>> from robust_envs.sets import L2, Joint
        >>> Joint(L2(5.0)).bind(2).worst([3.0, 4.0])
        array([-3., -4.])
    """

    inner: UncertaintySet
    agents: Sequence[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.inner, UncertaintySet):
            raise TypeError(f"joint must hold an uncertainty set, got inner={self.inner!r}")
        if isinstance(self.inner, Joint | Product | Switch):
            raise ValueError(f"joint cannot hold a {type(self.inner).__name__}, got inner={self.inner!r}")
        if self.agents is not None:
            object.__setattr__(self, "agents", _coalition(self.agents))


def _coalition(agents: Any) -> tuple[str, ...]:
    if isinstance(agents, str) or not isinstance(agents, Sequence):
        raise TypeError(f"agents must be a sequence of agent ids, got agents={agents!r}")
    if not agents or len(set(agents)) < len(agents):
        raise ValueError(f"agents must be at least one, all different, got agents={agents!r}")
    return tuple(agents)


def joint(inner: UncertaintySet, *, agents: Sequence[str] | None = None) -> Joint:
    """Couple agents: ONE set over the concatenation of their perturbed values instead of one set for each.

    Args:
        inner: the set over the agents together; `per_episode` may stand inside or outside.
        agents: the coalition it couples; all agents by default. The others are left alone; a channel may list several
            coalitions that share no agent, ``reward=[joint(a, agents=...), joint(b, agents=...)]``.

    Returns:
        A `Joint`.

    Raises:
        ValueError: if `inner` is already joint, a `Product` or a `Switch`, or an agent is named twice.
        TypeError: if `agents` is no sequence.

    Example:
        >>> from robust_envs.sets import L2, joint
        >>> joint(L2(0.5))
        Joint(L2(0.5))
    """
    return Joint(inner, agents=agents)
