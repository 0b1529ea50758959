"""Tell early that training is lost: numbers that are none, and values larger than any reward can make them."""

from __future__ import annotations

import math


def largest_return(reward: float, gamma: float) -> float:
    """Return how large a value can be if no reward is larger, `|r| / (1 - gamma)`; infinite without discount.

    Example:
        >>> largest_return(2.0, 0.5), largest_return(2.0, 1.0)
        (4.0, inf)
    """
    return reward / (1.0 - gamma) if gamma < 1.0 else math.inf


def has_exploded(q: float, reward: float, gamma: float, *, factor: float) -> bool:
    """Tell whether a critic's mean value is beyond `factor` times what rewards of this size allow.

    One is added to the largest reward: fresh networks answer numbers of that size wherever rewards are small.

    Args:
        q: the critic's mean value.
        reward: the largest absolute reward.
        gamma: discount, in [0, 1].
        factor: how often the bound may be passed; critics do overestimate, by a few times.

    Example:
        >>> has_exploded(150.0, 2.0, 0.5, factor=100.0), has_exploded(-601.0, 2.0, 0.5, factor=100.0)
        (False, True)
    """
    return abs(q) > factor * largest_return(1.0 + reward, gamma)
