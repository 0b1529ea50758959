"""Numbers that summarise episodes and training seeds, with seeded bootstrap intervals. numpy only."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ConfidenceInterval", "bootstrap_interval", "cvar", "interquartile_mean", "stratified_interval"]

Values = NDArray[np.float64]
Statistic = Callable[..., Any]
_BLOCK = 1 << 22


class ConfidenceInterval(NamedTuple):
    """Hold the two ends of an interval, `low <= high`, in the units of the values it was computed from."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Tell whether `value` lies outside the interval: a difference whose interval excludes 0 is a win or a loss."""
        return value < self.low or value > self.high


def bootstrap_interval(
    values: ArrayLike,
    *,
    statistic: Statistic = np.mean,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> ConfidenceInterval:
    """Find the percentile bootstrap interval of a statistic of independent values.

    Draw `resamples` samples of n values with replacement, compute the statistic of each, and return the
    `(1 - confidence) / 2` and `(1 + confidence) / 2` quantiles of those numbers.

    Args:
        values: shape (n,) or (n, ...): n independent measurements, n >= 1; whole rows are resampled, so that
            what was measured in one episode stays together.
        statistic: takes `(resamples, n, ...)` and `axis=1`, returns `(resamples,)`; the mean by default.
        confidence: strictly between 0 and 1.
        resamples: at least 1.
        seed: of the resampling; the same seed gives the same interval.

    Returns:
        The interval, in the units of the statistic.

    Raises:
        ValueError: for empty or non-finite values, or a confidence or number of resamples out of range.

    Example:
        >>> low, high = bootstrap_interval([1.0, 2.0, 3.0, 4.0])
        >>> low < 2.5 < high
        True

    References:
        Bradley Efron, Robert Tibshirani, 1993, An Introduction to the Bootstrap, section 13.3 (percentile interval).
    """
    rows = _checked(values)
    rng = _checked_resampling(confidence, resamples, seed)
    found = [
        statistic(rows[rng.integers(len(rows), size=(count, len(rows)))], axis=1)
        for count in _blocks(resamples, rows.size)
    ]
    return _percentiles(np.concatenate(found), confidence)


def stratified_interval(
    scores: ArrayLike,
    *,
    statistic: Statistic | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> ConfidenceInterval:
    """Find the bootstrap interval of a statistic of scores by task and seed, resampling seeds within each task.

    Args:
        scores: shape (tasks, seeds); tasks are fixed, seeds are a sample.
        statistic: takes `(resamples, tasks * seeds)` and `axis=1`; the interquartile mean by default.
        confidence: strictly between 0 and 1.
        resamples: at least 1.
        seed: of the resampling.

    Returns:
        The interval, in the units of the statistic.

    Raises:
        ValueError: for scores that are not a table of finite numbers, or arguments out of range.

    Example:
        >>> stratified_interval([[1.0, 1.0], [3.0, 3.0]])  # no spread within a task, so none in the interval
        ConfidenceInterval(low=2.0, high=2.0)

    References:
        Rishabh Agarwal et al., 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice, section 4.
    """
    table = _checked(scores)
    if table.ndim != 2:
        raise ValueError(f"scores must have shape (tasks, seeds), got shape {table.shape}")
    statistic = interquartile_mean if statistic is None else statistic
    rng = _checked_resampling(confidence, resamples, seed)
    found = []
    for count in _blocks(resamples, table.size):
        picks = rng.integers(table.shape[1], size=(count, *table.shape))
        found.append(statistic(np.take_along_axis(table[None], picks, axis=2).reshape(count, -1), axis=1))
    return _percentiles(np.concatenate(found), confidence)


def cvar(values: ArrayLike, *, alpha: float = 0.1, axis: int = -1) -> Any:
    """Average the worst `ceil(alpha n)` of n returns: the conditional value at risk (low is bad).

    Args:
        values: returns, n >= 1 along `axis`.
        alpha: share of the worst episodes, in (0, 1]; 1 gives the mean.
        axis: the axis of the episodes.

    Returns:
        The average, with `axis` removed (a float for one dimension).

    Raises:
        ValueError: for empty or non-finite values or an alpha out of range.

    Example:
        >>> cvar([5.0, -1.0, 4.0, -3.0], alpha=0.5)
        -2.0

    References:
        R. Tyrrell Rockafellar, Stanislav Uryasev, 2000, Optimization of Conditional Value-at-Risk, section 2.
    """
    if not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha must be in (0, 1], got alpha={alpha}")
    rows = np.moveaxis(_checked(values), axis, -1)
    # The tolerance keeps 0.1 * 30 (3.0000000000000004 in floating point) from asking for a fourth episode.
    count = max(1, math.ceil(alpha * rows.shape[-1] - 1e-9))
    return _scalar(np.partition(rows, count - 1, axis=-1)[..., :count].mean(axis=-1))


def interquartile_mean(values: ArrayLike, *, axis: int = -1) -> Any:
    """Average the middle half: drop `floor(n / 4)` values at either end.

    Args:
        values: scores, n >= 1 along `axis`.
        axis: the axis of the scores.

    Returns:
        The average, with `axis` removed (a float for one dimension).

    Raises:
        ValueError: for empty or non-finite values.

    Example:
        >>> interquartile_mean([0.0, 1.0, 3.0, 100.0])
        2.0

    References:
        Rishabh Agarwal et al., 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice, section 4.
    """
    rows = np.sort(np.moveaxis(_checked(values), axis, -1), axis=-1)
    cut = rows.shape[-1] // 4
    return _scalar(rows[..., cut : rows.shape[-1] - cut].mean(axis=-1))


def _checked(values: ArrayLike) -> Values:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim == 0 or rows.size == 0:
        raise ValueError(f"values must hold at least one number along an axis, got shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError(f"values must be finite, got {np.count_nonzero(~np.isfinite(rows))} that are not")
    return rows


def _checked_resampling(confidence: float, resamples: int, seed: int) -> np.random.Generator:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be strictly between 0 and 1, got confidence={confidence}")
    if resamples < 1:
        raise ValueError(f"resamples must be >= 1, got resamples={resamples}")
    return np.random.default_rng(seed)


def _blocks(resamples: int, size: int) -> list[int]:
    """Split the resamples so that one block of indices stays within some 32 MB."""
    block = max(1, _BLOCK // size)
    return [min(block, resamples - start) for start in range(0, resamples, block)]


def _percentiles(found: Values, confidence: float) -> ConfidenceInterval:
    low, high = np.quantile(found, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return ConfidenceInterval(float(low), float(high))


def _scalar(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
