"""One set over all agents together."""

from dataclasses import dataclass

from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.finite import Switch
from robust_envs.sets.product import Product
from robust_envs.sets.wrapping import Wrapping


@dataclass(frozen=True, repr=False)
class Joint(Wrapping):
    """Couple all agents: ONE set over the concatenation of their perturbed values.

    `joint` is the function to call. `bind` takes the total number of coordinates.

    Args:
        inner: the set over all agents together.

    Raises:
        ValueError: if `inner` is a `Joint`, `Product` or `Switch`.
        TypeError: if `inner` is not a set.

    Example:
        >>> from robust_envs.sets import L2, Joint
        >>> Joint(L2(5.0)).bind(2).worst([3.0, 4.0])
        array([-3., -4.])
    """

    inner: UncertaintySet

    def __post_init__(self) -> None:
        if not isinstance(self.inner, UncertaintySet):
            raise TypeError(f"joint must hold an uncertainty set, got inner={self.inner!r}")
        if isinstance(self.inner, Joint | Product | Switch):
            raise ValueError(f"joint cannot hold a {type(self.inner).__name__}, got inner={self.inner!r}")


def joint(inner: UncertaintySet) -> Joint:
    """Couple all agents: ONE set over the concatenation of their perturbed values instead of one set for each.

    Args:
        inner: the set over all agents together; `per_episode` may stand inside or outside.

    Returns:
        A `Joint`.

    Raises:
        ValueError: if `inner` is already joint, a `Product` or a `Switch`.

    Example:
        >>> from robust_envs.sets import L2, joint
        >>> joint(L2(0.5))
        Joint(L2(0.5))
    """
    return Joint(inner)
