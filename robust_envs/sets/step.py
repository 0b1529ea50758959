"""A set from which nature picks afresh at every step."""

from dataclasses import dataclass

from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.wrapping import Wrapping


@dataclass(frozen=True, repr=False)
class PerStep(Wrapping):
    """Let nature pick afresh at every step, on a channel where it would pick once an episode.

    `per_step` is the function to call. As a set (`contains`, `project`, ...) it is the set inside.

    Args:
        inner: any set; a `PerEpisode` is a budget for all steps of the episode.

    Raises:
        TypeError: if `inner` is not a set.

    Example:
        >>> from robust_envs.sets import Linf, PerStep
        >>> PerStep(Linf(0.1)).project([0.5])
        array([0.1])
    """

    inner: UncertaintySet

    def __post_init__(self) -> None:
        if not isinstance(self.inner, UncertaintySet):
            raise TypeError(f"per_step must hold an uncertainty set, got inner={self.inner!r}")


def per_step(inner: UncertaintySet) -> UncertaintySet:
    """Say that nature picks afresh at every step.

    That is what `reward`, `observation` and `action` do anyway. It matters for channels on which nature picks once, at
    reset: ``dynamics`` and ``start``. ``per_step(per_episode(set))`` is a budget that all steps share.

    Args:
        inner: any set.

    Returns:
        A `PerStep`; a set that is one already comes back as it is.

    Raises:
        TypeError: if `inner` is not a set.

    Example:
        >>> from robust_envs.sets import Linf, per_step
        >>> per_step(Linf(0.1))
        PerStep(Linf(0.1))
    """
    return inner if isinstance(inner, PerStep) else PerStep(inner)
