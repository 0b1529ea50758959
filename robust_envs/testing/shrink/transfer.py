"""How a rule does on starts it has never seen, beside the rule with its sign flipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_envs.testing.arena import Arena
from robust_envs.testing.problem import Problem
from robust_envs.testing.properties import Property
from robust_envs.testing.words import Rule

__all__ = ["Transfer", "transfer", "wilson"]


def wilson(hits: int, trials: int, *, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson interval of a share, 95% by default.

    Example:
        >>> low, high = wilson(294, 300)
        >>> round(low, 3), round(high, 3)
        (0.957, 0.991)

    References:
        Edwin Wilson, 1927, Probable Inference, the Law of Succession, and Statistical Inference.
    """
    if trials == 0:
        return 0.0, 1.0
    share = hits / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Transfer:
    """How often a rule, and its opposite, violate the property on unseen starts where the nominal episode holds.

    Attributes:
        seeds: Starts that were tried.
        broken: Of these, violated under the rule.
        control: Violated under the rule with its sign flipped.
        episodes: Played in all, nominal ones included.
    """

    seeds: int
    broken: int
    control: int
    episodes: int

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the share that the rule breaks."""
        return wilson(self.broken, self.seeds)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"breaks {self.broken} of {self.seeds} unseen starts (95% interval {low:.0%} to {high:.0%}); "
            f"with its sign flipped {self.control}"
        )


def transfer(rule: Rule, problem: Problem, arena: Arena, demanded: Property, seeds: Sequence[int]) -> Transfer:
    """Play the rule and its opposite from other starts.

    Args:
        rule: What was found.
        problem: Its places.
        arena: Where to play.
        demanded: The property.
        seeds: Of the starts.
    """
    before = arena.episodes
    held = broken = control = 0
    for seed in seeds:
        nominal = arena.play_bare(seed)
        if demanded.margin(nominal, nominal) < 0:
            continue
        held += 1
        broken += demanded.margin(arena.play(rule.nature(problem), seed), nominal) < 0
        control += demanded.margin(arena.play(rule.flipped().nature(problem), seed), nominal) < 0

    return Transfer(held, broken, control, arena.episodes - before)
