"""Samples are uniform: statistical tests with fixed seeds.

Each rejects a true law with probability `LEVEL`; there are fewer than 100, so by Bonferroni's inequality a correct
sampler fails anywhere with probability below 1e-4, for whatever seeds. That they reject wrong ones is a test, too.
"""

import numpy as np
import pytest
from scipy.stats import chisquare, kstest, norm

from robust_envs.sets import L1, L2, Ellipsoid, Finite, Interval, Linf, Product, joint, per_episode

LEVEL = 1e-6
SIGMAS = norm.isf(LEVEL / 2)  # of a mean of many
N = 20_000


def draw(s, seed=0):
    return s.sample(np.random.default_rng(seed), (N,))


def gauge(s, x):
    """How far each point is scaled out: |x / unit|_p / radius."""
    order = {L1: 1, L2: 2, Linf: np.inf}[type(s)]
    unit = np.broadcast_to(1.0 if s.unit is None else s.unit, x.shape)
    free = unit[0] > 0
    return np.linalg.norm(x[:, free] / unit[:, free], ord=order, axis=-1) / s.radius


BALLS = [
    kind(r, unit=unit).bind(d)
    for kind in (L1, L2, Linf)
    for r, unit, d in [(1.0, None, 1), (0.3, None, 3), (2.0, 5.0, 8)]
]
BALLS += [kind(2.0, unit=(0.1, 0.0, 1.0, 10.0)).bind(4) for kind in (L1, L2, Linf)]


@pytest.mark.parametrize("s", BALLS, ids=repr)
def test_size_follows_the_law_of_volume(s):
    free = int(np.sum(s.bounds.high > 0))
    assert kstest(gauge(s, draw(s)) ** free, "uniform").pvalue > LEVEL


@pytest.mark.parametrize("s", BALLS, ids=repr)
def test_sizes_of_torch_draws_follow_the_law_of_volume(s):
    torch = pytest.importorskip("torch")
    x = s.sample(torch.Generator().manual_seed(0), (N,)).numpy().astype(np.float64)
    free = int(np.sum(s.bounds.high > 0))
    assert kstest(gauge(s, x) ** free, "uniform").pvalue > LEVEL


@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_the_law_of_volume_rejects_what_is_only_nearly_uniform(kind):
    # a tenth less of the outermost twentieth of the volume, and the classic fault: uniform directions and uniform size
    u = np.random.default_rng(0).random(N)
    x = np.random.default_rng(1).normal(size=(N, 3))
    on_sphere = x / gauge(kind(1.0).bind(3), x)[:, None]
    for size in (np.where(u > 0.95, u * 0.9, u) ** (1 / 3), u):
        assert kstest(gauge(kind(1.0).bind(3), on_sphere * size[:, None]) ** 3, "uniform").pvalue < LEVEL


@pytest.mark.parametrize("s", BALLS, ids=repr)
def test_all_sign_patterns_are_equally_likely(s):
    x = draw(s)[:, s.bounds.high > 0] > 0
    patterns = x @ (2 ** np.arange(x.shape[-1]))
    assert chisquare(np.bincount(patterns, minlength=2 ** x.shape[-1])).pvalue > LEVEL


@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_half_the_size_holds_its_share_of_the_volume(kind):
    # Barthe et al. 2005: P(|x| <= 1/2) = 2^-d
    s = kind(1.0).bind(3)
    share = np.mean(gauge(s, draw(s)) <= 0.5)
    assert abs(share - 1 / 8) < SIGMAS * np.sqrt(1 / 8 * 7 / 8 / N)


@pytest.mark.parametrize("kind", [L1, L2])
def test_samples_in_the_plane_fill_cells_of_equal_area_equally(kind):
    x = draw(kind(1.0).bind(2))
    cells = np.floor((x + 1) * 4).astype(int).clip(0, 7)
    corners = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1) / 4 - 1
    inside = np.ones((8, 8), bool)
    for shift in ([0, 0], [0, 0.25], [0.25, 0], [0.25, 0.25]):
        inside &= np.linalg.norm(corners + shift, ord={L1: 1, L2: 2}[kind], axis=-1) <= 1 + 1e-12
    counts = np.zeros((8, 8))
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1)
    assert inside.sum() >= 20
    assert chisquare(counts[inside]).pvalue > LEVEL
    area = {L1: 2.0, L2: np.pi}[kind]
    share = inside.sum() / 16 / area
    assert abs(counts[inside].sum() / N - share) < SIGMAS * np.sqrt(share * (1 - share) / N)


def test_ellipsoid_is_the_image_of_the_ball():
    matrix = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.2], [0.0, -0.2, 0.1]])
    x = draw(Ellipsoid(matrix, 0.5).bind(3))
    ball = np.linalg.solve(np.linalg.cholesky(matrix), x.T).T / 0.5
    assert kstest(np.linalg.norm(ball, axis=-1) ** 3, "uniform").pvalue > LEVEL
    # d (d + 2) / r^2 times the covariance of a uniform ellipsoid is d times its matrix
    np.testing.assert_allclose(np.cov(x.T) * 5 / 0.25, matrix, atol=0.05)


def test_interval_coordinates_are_uniform_and_independent():
    s = Interval((-1.0, 2.0), (0.5, 3.0)).bind(2)
    x = draw(s)
    for i in range(2):
        assert kstest(x[:, i], "uniform", (s.low[i], s.high[i] - s.low[i])).pvalue > LEVEL
    assert abs(np.corrcoef(x.T)[0, 1]) < SIGMAS / np.sqrt(N)


def test_finite_members_are_equally_likely():
    x = draw(Finite([0.0, 1.0, 1.5, 2.0, 7.0]).bind(1))
    _, counts = np.unique(x, return_counts=True)
    assert len(counts) == 5
    assert chisquare(counts).pvalue > LEVEL


def test_parts_of_a_product_are_uniform_and_independent():
    import gymnasium as gym

    box = gym.spaces.Box(-1, 1, (2,))
    s = Product({"a": L2(1.0), "b": L1(1.0)}).bind(gym.spaces.Dict(a=box, b=box))
    x = draw(s)
    assert kstest(np.linalg.norm(x[:, :2], axis=-1) ** 2, "uniform").pvalue > LEVEL
    assert kstest(np.abs(x[:, 2:]).sum(-1) ** 2, "uniform").pvalue > LEVEL
    assert np.abs(np.corrcoef(x.T)[:2, 2:]).max() < norm.isf(LEVEL / 8) / np.sqrt(N)  # the largest of four


def test_joint_is_one_ball_and_not_a_product_of_balls():
    x = draw(joint(L2(1.0)).bind(2))
    assert kstest(np.linalg.norm(x, axis=-1) ** 2, "uniform").pvalue > LEVEL


@pytest.mark.parametrize("kind", [L1, L2, Linf])
def test_planned_episodes_are_uniform_over_the_stacked_ball(kind):
    rng = np.random.default_rng(0)
    budget = per_episode(kind(2.0, unit=(1.0, 3.0)), horizon=3).bind(2)
    plans = np.stack([budget.plan_sample(rng) for _ in range(4000)])
    assert plans.shape == (4000, 3, 2)
    stacked = (plans / np.array([1.0, 3.0])).reshape(4000, 6)
    size = np.linalg.norm(stacked, ord={L1: 1, L2: 2, Linf: np.inf}[kind], axis=-1) / 2.0
    assert kstest(size**6, "uniform").pvalue > LEVEL
