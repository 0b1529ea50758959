"""The largest radius at which nothing was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from robust_envs.channels import CHANNELS, scaled
from robust_envs.numbers import whole
from robust_envs.testing.falsify import falsify
from robust_envs.testing.result import Result

__all__ = ["RobustRadius", "robust_radius"]

STATEMENT = (
    "no violation was found at {held:g} times the sets within {episodes} episodes, one was at {broken:g} times: "
    "{broken:g} is an upper bound on the robustness of the policy from this start, found by search; nothing is proven "
    "about smaller radii, and certified bounds for networks are not computed"
)
UNBROKEN = (
    "no violation was found at the sets as given within {episodes} episodes: a statement of effort, not a proof; "
    "certified bounds for networks are not computed"
)
AT_ONCE = "the property is violated without any perturbation: no radius is robust"


@dataclass(frozen=True)
class RobustRadius:
    """Bracket the factor on the sets at which a search begins to find violations.

    Attributes:
        held: Largest factor tried at which nothing was found; 0 is the environment itself.
        broken: Smallest factor tried at which a violation was found; infinite if none.
        radii: The sets at `broken` (at 1 if nothing broke), in words, by channel.
        max_episodes: Of the search at each factor.
        results: What was found, by factor.
    """

    held: float
    broken: float
    radii: Mapping[str, str]
    max_episodes: int
    results: Mapping[float, Result] = field(repr=False)

    @property
    def statement(self) -> str:
        """Say what the numbers mean."""
        words = UNBROKEN if math.isinf(self.broken) else AT_ONCE if self.broken == 0 else STATEMENT
        return words.format(held=self.held, broken=self.broken, episodes=self.max_episodes)

    def __str__(self) -> str:
        return self.statement


def robust_radius(
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    max_episodes: int = 100,
    tolerance: float = 0.05,
    **arguments: Any,
) -> RobustRadius:
    r"""Bisect on a common factor c of the sets: \(\sup \{c \in [0, 1]: \mathrm{nothing\ found\ in\ } c\,U\}\).

    Every factor is searched with the same seeds, from the same start.

    Args:
        policy, env_fn: See `falsify`.
        max_episodes: Of the search at each factor.
        tolerance: Width of the bracket to stop at, in (0, 1).
        arguments: The largest sets that matter, by channel; everything else is handed to `falsify` (property, seed,
            search, ...).

    Returns:
        A `RobustRadius`; its `statement` says what the numbers mean.

    Raises:
        ValueError: If `tolerance` lies outside (0, 1).

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf
        >>> from robust_envs.testing import returns_at_least
        >>> def lean(observation):
        ...     return int(observation[2] + observation[3] > 0)
        >>> found = robust_radius(lean, lambda: gymnasium.make("CartPole-v1", max_episode_steps=100),
        ...     observation=Linf(0.4), property=returns_at_least(100.0), max_episodes=20, tolerance=0.2)
        >>> found.held < found.broken <= 1.0
        True
    """
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0.0 < tolerance < 1.0:
        raise ValueError(f"tolerance must be a number in (0, 1), got tolerance={tolerance!r}")
    whole("max_episodes", max_episodes, least=1)
    channels = {name: arguments.pop(name) for name in CHANNELS if arguments.get(name) is not None}
    results: dict[float, Result] = {}

    def breaks(factor: float) -> bool:
        sets = {name: scaled(name, members, factor) for name, members in channels.items()}
        if all(map(_is_nothing, sets.values())):
            return False  # the environment itself
        settings = {"shrink_rules": 0, "shrink_traces": 0, "unseen": 0} | arguments
        results[factor] = falsify(policy, env_fn, **sets, max_episodes=max_episodes, **settings)
        return results[factor].found

    held, broken = 0.0, math.inf
    if breaks(1.0):
        broken = 0.0 if results[1.0].episodes_to_first == 0 else 1.0
        while broken - held > tolerance:
            middle = (held + broken) / 2
            held, broken = (held, middle) if breaks(middle) else (middle, broken)
    else:
        held = 1.0
    shown = broken if broken in results else 1.0
    return RobustRadius(held, broken, results[shown].channels, max_episodes, results)


def _is_nothing(given: Any) -> bool:
    if isinstance(given, Mapping):
        return all(map(_is_nothing, given.values()))
    return all(map(_is_nothing, given)) if isinstance(given, list | tuple) else bool(given.is_zero)
