"""Statistics against their definitions, scipy's answers and known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from robust_envs.evaluation import bootstrap_interval, cvar, interquartile_mean, stratified_interval
from robust_envs.evaluation.statistics import ConfidenceInterval

returns = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
modest = settings(max_examples=60, deadline=None)


@modest
@given(returns)
def test_interquartile_mean_is_scipys_trimmed_mean(values: list[float]) -> None:
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-9, abs=1e-6)


@modest
@given(returns, st.floats(0.01, 1.0))
def test_cvar_is_the_mean_of_the_worst_share(values: list[float], alpha: float) -> None:
    count = max(1, math.ceil(alpha * len(values) - 1e-9))
    assert cvar(values, alpha=alpha) == pytest.approx(np.mean(sorted(values)[:count]), rel=1e-9, abs=1e-6)


@modest
@given(returns)
def test_cvar_lies_between_the_worst_and_the_mean(values: list[float]) -> None:
    slack = 1e-9 * max(1.0, np.abs(values).max())
    assert min(values) - slack <= cvar(values) <= np.mean(values) + slack
    assert cvar(values, alpha=1.0) == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("episodes", "count"), [(10, 1), (11, 2), (30, 3), (70, 7), (100, 10), (5, 1)])
def test_cvar_takes_ten_percent_rounded_up_without_floating_point_slips(episodes: int, count: int) -> None:
    assert cvar(np.arange(float(episodes))) == np.mean(np.arange(float(count)))


def test_statistics_work_along_an_axis() -> None:
    table = np.random.default_rng(0).normal(size=(7, 20))
    assert cvar(table, axis=1) == pytest.approx([cvar(row) for row in table])
    assert interquartile_mean(table, axis=0) == pytest.approx([interquartile_mean(column) for column in table.T])


def test_bootstrap_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for k in range(300):
        low, high = bootstrap_interval(rng.exponential(size=50), resamples=500, seed=k)
        hits += low <= 1.0 <= high
    # 95% nominal; the percentile bootstrap of 50 skewed values is a little short; binomial sd is 1.3 points.
    assert 0.89 <= hits / 300 <= 0.985


def test_bootstrap_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).normal(size=80)
    ours = bootstrap_interval(values, resamples=20_000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=2).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_bootstrap_interval_is_seeded_and_the_seed_matters() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_bootstrap_interval_widens_with_confidence_and_narrows_with_episodes() -> None:
    values = np.random.default_rng(0).normal(size=400)
    widths = [np.diff(bootstrap_interval(values, confidence=c))[0] for c in (0.5, 0.8, 0.95, 0.99)]
    assert widths == sorted(widths)
    assert np.diff(bootstrap_interval(values))[0] < 0.75 * np.diff(bootstrap_interval(values[:100]))[0]


def test_bootstrap_interval_takes_any_statistic_and_keeps_rows_together() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[:, 1] = rows[:, 0] + 5.0  # the difference of the columns is 5 in every row, so in every resample
    interval = bootstrap_interval(rows, statistic=lambda s, axis: s.mean(axis=axis)[..., 1] - s.mean(axis=axis)[..., 0])
    assert interval == pytest.approx((5.0, 5.0))


def test_bootstrap_is_the_same_in_one_block_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=33)
    whole = bootstrap_interval(values)
    monkeypatch.setattr("robust_envs.evaluation.statistics._BLOCK", 100)
    assert bootstrap_interval(values) == whole


def test_stratified_interval_resamples_seeds_within_tasks_only() -> None:
    scores = np.array([[0.0] * 5, [100.0] * 5])  # far apart tasks, no spread between seeds
    assert stratified_interval(scores) == (50.0, 50.0)
    pooled = bootstrap_interval(scores.ravel(), statistic=interquartile_mean)
    assert pooled.high - pooled.low > 10.0


def test_stratified_interval_of_one_task_is_the_plain_bootstrap() -> None:
    scores = np.random.default_rng(0).normal(size=12)
    plain = bootstrap_interval(scores, statistic=interquartile_mean, resamples=20_000)
    assert stratified_interval([scores], resamples=20_000) == pytest.approx(plain, abs=0.03)


def test_an_interval_excludes_what_lies_outside() -> None:
    interval = ConfidenceInterval(-1.0, 2.0)
    assert [interval.excludes(x) for x in (-1.5, -1.0, 0.0, 2.0, 2.5)] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([]), "values must hold at least one"),
        (lambda: bootstrap_interval([1.0, math.nan]), "values must be finite, got 1"),
        (lambda: bootstrap_interval([1.0], confidence=1.0), "confidence must be strictly between 0 and 1, got"),
        (lambda: bootstrap_interval([1.0], resamples=0), "resamples must be >= 1, got resamples=0"),
        (lambda: stratified_interval([1.0, 2.0]), r"scores must have shape \(tasks, seeds\)"),
        (lambda: cvar([1.0], alpha=0.0), r"alpha must be in \(0, 1\], got alpha=0.0"),
        (lambda: cvar(3.0), "values must hold"),
    ],
)
def test_bad_input_names_parameter_rule_and_value(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
