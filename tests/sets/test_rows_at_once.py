"""Worst cases of many rows of many places, where other ways are taken than in the small cases of the oracles."""

import numpy as np
import pytest

from robust_envs.sets import CVaR, LinfAmbiguity, TotalVariation, Wasserstein

SIZES = [1, 2, 3, 8, 9, 64, 300]
ROWS = 7


def plain(n, rng):
    return rng.normal(size=(ROWS, n))


def tied(n, rng):
    return rng.integers(-2, 3, size=(ROWS, n)) * 1.0


def apart_in_the_last_digit(n, rng):
    return rng.integers(0, 2, size=(ROWS, n)) * (1 + np.finfo(float).eps * rng.integers(0, 4, size=(ROWS, n)))


def poured(key, room, amount):
    """Fill vessels one value after the other; those of one value share."""
    out = np.zeros_like(room)
    for value in np.unique(key):
        now = key == value
        share = min(1.0, amount / room[now].sum()) if room[now].sum() > 0 else 0.0
        out[now] = room[now] * share
        amount -= out[now].sum()
    return out


def expected(ambiguity, v, p0):
    if isinstance(ambiguity, CVaR):
        return poured(v, p0 / ambiguity.alpha, 1.0)
    if isinstance(ambiguity, LinfAmbiguity):
        low = np.maximum(p0 - ambiguity.radius, 0)
        return low + poured(v, np.minimum(p0 + ambiguity.radius, 1) - low, 1 - low.sum())
    mass, least = min(ambiguity.radius, 1.0), v == v.min()
    return p0 if np.ptp(v) == 0 else p0 - poured(-v, p0, mass) + least * mass / least.sum()


@pytest.mark.parametrize("values", [plain, tied, apart_in_the_last_digit])
@pytest.mark.parametrize("n", SIZES)
def test_mass_moves_between_the_right_places(n, values):
    rng = np.random.default_rng(n)
    for ambiguity in (CVaR(0.3), LinfAmbiguity(0.3 / n), TotalVariation(0.4)):
        v, p0 = values(n, rng), rng.dirichlet(np.ones(n), size=ROWS)
        p0 = np.where(rng.random((ROWS, 1)) < 0.5, p0, rng.multinomial(n, np.full(n, 1 / n), size=ROWS) / n)
        for found, *row in zip(ambiguity.worst_case(v, p0)[1], v, p0, strict=True):
            if np.ptp(row[0]) > 0:  # else every member is a worst one
                np.testing.assert_allclose(found, expected(ambiguity, *row), atol=1e-13)


def distances(kind, n, rng):
    at = {"plane": rng.normal(size=(n, 2)), "line": np.arange(n)[:, None] * 1.0}.get(kind)
    return 1 - np.eye(n) if at is None else np.linalg.norm(at[:, None] - at, axis=-1)


def dual(v, p0, d, radius):
    """Maximise over the price of transport what it gives as a lower bound: concave, so thirds are enough."""
    low, high = 0.0, np.ptp(v) / d[d > 0].min()

    def bound(price):
        return p0 @ (v + price * d).min(axis=-1) - price * radius

    for _ in range(150):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if bound(left) < bound(right) else (low, right)
    return bound(low)


@pytest.mark.parametrize("values", [plain, tied])
@pytest.mark.parametrize("kind", ["plane", "line", "discrete"])
@pytest.mark.parametrize("radius", [0.05, 0.5, 2.0])
def test_wasserstein_meets_its_dual(kind, radius, values):
    rng, n = np.random.default_rng(0), 40
    v, p0, d = values(n, rng), rng.dirichlet(np.full(n, 0.5), size=ROWS), distances(kind, n, rng)
    worth, p = Wasserstein(radius, d).worst_case(v, p0)
    assert Wasserstein(radius, d).contains(p, p0, 1e-12).all()
    for found, *row in zip(worth, v, p0, strict=True):
        assert found == pytest.approx(dual(*row, d, radius), abs=1e-10)


@pytest.mark.parametrize("support_only", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wasserstein_rows_together_are_rows_alone(dtype, support_only):
    rng, n = np.random.default_rng(0), 12
    v = np.concatenate([f(n, rng) for f in (plain, tied, apart_in_the_last_digit)] * 3).astype(dtype)
    p0 = (rng.multinomial(6, np.full(n, 1 / n), size=len(v)) / 6).astype(dtype)
    radii, d = rng.choice([0.0, 0.1, 1.0, 50.0], size=len(v)), distances("line", n, rng)
    together, _ = Wasserstein(radii, d, support_only=support_only).worst_case(v, p0)
    alone = [
        Wasserstein(r, d, support_only=support_only).worst_case(*row)[0] for r, *row in zip(radii, v, p0, strict=True)
    ]
    np.testing.assert_allclose(together, alone, atol=1e-12 if dtype == np.float64 else 1e-5)
