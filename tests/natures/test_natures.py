"""What each nature does, by its defining property."""

import gymnasium
import numpy as np
import pytest
from glassbox import EchoEnv, EchoParallel, Player, play, rewards
from scipy import stats

from robust_envs import (
    L1,
    L2,
    Ellipsoid,
    Finite,
    Interval,
    Linf,
    Noise,
    Nominal,
    OutsideSetError,
    Uniform,
    WorstCase,
    joint,
    robust,
)
from robust_envs.nature_spaces import grid_point


def rng():
    return np.random.default_rng(0)


def test_uniform_is_uniform():
    drawn = Uniform().block(Linf(0.5).bind(2), rng(), 4000)
    for axis in drawn.T:
        assert stats.kstest(axis, stats.uniform(-0.5, 1.0).cdf).pvalue > 0.01
    radii = np.linalg.norm(Uniform().block(L2(2.0).bind(3), rng(), 4000), axis=1)
    assert stats.kstest((radii / 2) ** 3, "uniform").pvalue > 0.01


@pytest.mark.parametrize("cut", [0.3, 1.0, 2.0, 4.0])
def test_noise_is_the_truncated_gaussian(cut):
    drawn = Noise(cut=cut).block(Linf(3.0).bind(1), rng(), 4000)[:, 0]
    assert np.abs(drawn).max() <= 3.0
    assert stats.kstest(drawn * cut / 3.0, stats.truncnorm(-cut, cut).cdf).pvalue > 0.01


def test_the_papers_reward_noise_is_one_line():
    # Zhang et al. (2020), section 5: r + lambda * z, z standard normal, truncated to [-2, 2]; here at lambda = 1.5
    level, horizon = 1.5, 4000
    nominal = play(EchoEnv(horizon=horizon), steps=horizon)
    noisy = play(robust(EchoEnv(horizon=horizon), reward=Linf(2 * level), nature=Noise()), steps=horizon)
    z = np.subtract(rewards(noisy), rewards(nominal)) / level
    assert stats.kstest(z, stats.truncnorm(-2, 2).cdf).pvalue > 0.01


def test_noise_stands_in_the_middle_of_an_interval():
    drawn = Noise().block(Interval((1.0, -4.0), (2.0, 0.0)).bind(2), rng(), 4000)
    np.testing.assert_allclose(drawn.mean(axis=0), [1.5, -2.0], atol=0.05)
    assert np.all((drawn >= [1.0, -4.0]) & (drawn <= [2.0, 0.0]))


def test_noise_leaves_pinned_coordinates():
    drawn = Noise().block(Linf(1.0, unit=(1.0, 0.0)).bind(2), rng(), 50)
    assert np.all(drawn[:, 1] == 0)
    assert np.all(drawn[:, 0] != 0)


def test_a_wider_cut_is_less_noise():
    spread = [Noise(cut=cut).block(Linf(1.0).bind(1), rng(), 2000).std() for cut in (1.0, 2.0, 4.0)]
    assert spread[0] > spread[1] > spread[2]


@pytest.mark.parametrize(
    ("members", "worst"),
    [
        (Linf(0.5), -0.5),
        (L1(0.5), -0.5),
        (L2(0.5, unit=2.0), -1.0),
        (Interval(-0.2, 3.0), -0.2),
        (Interval(0.2, 3.0), 0.2),
        (Finite([0.3, -0.7, 0.0]), -0.7),
        (Ellipsoid([[4.0]], radius=0.5), None),
    ],
    ids=repr,
)
def test_the_worst_reward_is_the_least_of_the_set(members, worst):
    nominal, robustly = play(EchoEnv()), play(robust(EchoEnv(), reward=members, nature=WorstCase()))
    found = np.subtract(rewards(robustly), rewards(nominal))
    expected = members.bind(1).bounds.low[0] if worst is None else worst
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("members", [L2(0.6), Linf(0.6), L1(0.6)], ids=repr)
def test_no_nature_makes_the_sum_of_rewards_less_than_the_worst_case(members):
    def total(nature):
        said = play(robust(EchoParallel(), reward=joint(members), nature=nature))
        return [sum(step[1].values()) for step in said[1:]]

    least = np.array(total(WorstCase()))
    for nature in (Uniform(), Nominal(), lambda move: move.set.worst([3.0, 1.0, -1.0])):
        assert np.all(least <= np.array(total(nature)) + 1e-12)


@pytest.mark.parametrize(
    "members", [Linf(0.5), L2(1.0), Interval(-1, 2), Interval(0.5, 2), Finite([[1.0, 1.0], [3.0, 3.0]])], ids=repr
)
def test_the_nominal_nature_takes_the_member_nearest_to_zero(members):
    row = Nominal().block(members.bind(2), None, 1)[0]
    np.testing.assert_array_equal(row, members.bind(2).project(np.zeros(2)))


def test_blocks_and_single_draws_are_one_stream():
    # what a nature draws does not depend on how many it draws at once
    for members in (Linf(1.0).bind(3), L2(1.0).bind(2), Interval(-1, 2).bind(1)):
        env = robust(
            EchoParallel({"a_0": Player(dies=999)}, horizon=600), reward=Linf(1.0), nature=Uniform(), trace=True
        )
        play(env, steps=600)
        chosen = env.trace.moves["reward", "a_0"].chosen
        assert len(np.unique(chosen)) == len(chosen) == 600  # no block is drawn twice
        assert members.contains(Uniform().block(members, rng(), 5)).all()


GRIDDED = {
    "pinned": Linf(0.5, unit=(1, 0, 2)),
    "l1": L1(2.0),
    "l2": L2(0.3),
    "without 0": Interval(0.1, 0.3),
    "lopsided": Interval([-1, -2, 0], [1, 0, 0]),
    "ellipsoid": Ellipsoid([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 2]]),
    "finite": Finite([[1, 2, 3], [0, 0, 0]]),
}


@pytest.mark.parametrize("members", GRIDDED.values(), ids=GRIDDED)
def test_a_point_of_the_grid_is_that_row_of_the_grid(members):
    bound = members.bind(3)
    np.testing.assert_allclose(bound.grid(20), [grid_point(bound, k) for k in range(20)], rtol=1e-12)


def test_nature_cannot_write_into_the_environment():
    def vandal(move):
        move.nominal[:] = 100
        return np.zeros(len(move.nominal))

    naked, robustly = gymnasium.make("CartPole-v1"), gymnasium.make("CartPole-v1")
    env = robust(robustly, observation=Linf(0.1), nature=vandal)
    np.testing.assert_array_equal(env.reset(seed=0)[0], naked.reset(seed=0)[0])


class Block:
    def __init__(self, rows):
        self.rows = rows

    def block(self, members, rng, n):
        return self.rows(n)


@pytest.mark.parametrize("rows", [lambda n: np.full((n, 4), 100.0), lambda n: np.zeros((n, 2)), lambda n: np.zeros(4)])
def test_a_block_of_ones_own_is_checked(rows):
    env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Block(rows))
    with pytest.raises(OutsideSetError, match="observation"):
        env.reset(seed=0)
