"""Methods rather than policies: what a method reaches on average over training seeds, with intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from robust_envs.evaluation.curve import RobustnessCurve
from robust_envs.evaluation.results import TEAM, RewardKind

__all__ = ["MethodPoint", "over_training_seeds"]


class MethodPoint(NamedTuple):
    """One line of the table: a method at one level of one nature; the interval is over training seeds."""

    method: str
    nature: str
    level: float
    agent: str
    reward: str
    seeds: int
    mean: float
    low: float
    high: float


def over_training_seeds(
    curve: RobustnessCurve, methods: Mapping[str, Sequence[str]], *, agent: str = TEAM
) -> tuple[MethodPoint, ...]:
    r"""Average policies that one method trained with different seeds, level by level.

    With m_k the mean return of the policy of seed k over the test's episodes: the mean of m_1 ... m_n and Student's
    interval \(\bar m \pm t_{0.975, n-1} s / \sqrt n\). Episodes of one policy say nothing about the next training
    run, so the seed is what is counted.

    Args:
        curve: what `robustness_curve` returned.
        methods: for each method the names of its policies in the curve, two at least.
        agent: an agent, or the team.

    Returns:
        A point for each method, nature, level and reward (nominal, and perturbed where they differ), in this order.

    Raises:
        ValueError: for a policy that is not in the curve, or a method with fewer than two.

    Example:
        >>> from robust_envs.evaluation import Episodes, Evaluation
        >>> def run(first, second):
        ...     found = {"a": (first, second)}
        ...     return Evaluation((Episodes("uniform", 0.0, found, found, (5, 5)),), team=("a",), seed=0)
        >>> curve = RobustnessCurve({"seed 0": run(1.0, 3.0), "seed 1": run(3.0, 5.0)})
        >>> point, = over_training_seeds(curve, {"ours": ["seed 0", "seed 1"]})
        >>> point.mean, round(point.high - point.mean, 1)  # two seeds are few
        (3.0, 12.7)

    References:
        Cédric Colas, Olivier Sigaud, Pierre-Yves Oudeyer, 2018, How Many Random Seeds?, section 3.
    """
    kinds: tuple[RewardKind, ...] = ("nominal", "perturbed") if curve.rewards_differ else ("nominal",)
    for method, policies in methods.items():
        unknown = [name for name in policies if name not in curve.evaluations]
        if unknown:
            raise ValueError(f"methods must name policies of the curve, got {unknown[0]!r} in {method!r}")
        if len(set(policies)) < 2:
            raise ValueError(f"methods must have two policies at least, got {list(policies)} in {method!r}")
    return tuple(
        MethodPoint(method, nature, level, agent, kind, len(policies), *_student(means))
        for method, policies in methods.items()
        for nature in curve.natures
        for level in curve.levels
        for kind in kinds
        for means in [
            [curve.evaluations[name].summary(nature, level, agent=agent, reward=kind).mean for name in policies]
        ]
    )


def _student(means: Sequence[float]) -> tuple[float, float, float]:
    from scipy.stats import t  # heavy, and the core does without

    mean, spread, count = float(np.mean(means)), float(np.std(means, ddof=1)), len(means)
    half = float(t.ppf(0.975, count - 1)) * spread / math.sqrt(count)
    return mean, mean - half, mean + half
