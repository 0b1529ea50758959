"""Q-learning reaches the equilibria that are known in closed form, over 20 seeds each.

The games are those of the tests of robust value iteration; the closed forms are derived in the comments. The tolerances
are what the step sizes allow in so many sweeps: a wrong start is forgotten like 1/n, noise like n ** -1/2.
"""

import numpy as np
import pytest

from algos.tabular.q_learning import NashQ, robust_q
from algos.tabular.q_steps import StepSize
from robust_envs import (
    KL,
    ChiSquared,
    Contamination,
    CVaR,
    Finite,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    TotalVariation,
    Wasserstein,
)
from robust_envs.envs import MarkovGame, named_game

SEEDS = 20
PENNIES = MarkovGame.from_matrix([[1, -1], [-1, 1]], discount=0.9)


def everywhere(learned, wanted, tolerance):
    """All seeds are this near; the policies and values of all seeds are compared, not their mean."""
    np.testing.assert_allclose(learned, np.broadcast_to(wanted, learned.shape), atol=tolerance)


def test_a_constant_radius_lowers_values_and_moves_no_policy():
    # Every entry of matching pennies may fall by d: -d each time, -d / (1 - discount) in all.
    learner = NashQ(PENNIES, reward_set=0.25, seeds=SEEDS).learn(1500)
    everywhere(learner.values[..., 0], [-2.5, -2.5], 0.02)
    everywhere(learner.policies[0][:, 0], [0.5, 0.5], 1e-9)


def test_an_uneven_radius_moves_both_policies_and_the_game_is_no_longer_zero_sum():
    # Only the entry (0, 0) is uncertain, by d = 1: x = 2/(4 + d), y = 2/(4 - d), V = -d/(4 - d), -d/(4 + d), times 10.
    widths = np.zeros((1, 2, 2))
    widths[0, 0, 0] = 1.0
    learner = NashQ(PENNIES, reward_set=widths, seeds=SEEDS).learn(1500)
    everywhere(learner.values[..., 0], [-10 / 3, -2.0], 0.03)
    everywhere(learner.policies[0][:, 0], [2 / 5, 3 / 5], 1e-6)
    everywhere(learner.policies[1][:, 0], [2 / 3, 1 / 3], 1e-6)


def test_one_vector_of_rewards_for_a_state_makes_mixing_worth_it():
    # Nature pays (1, 0) or (0, 1) and does not see the action: half and half guarantees 1/2 a time, 5 in all.
    game = MarkovGame(np.zeros((1, 1, 2)), np.ones((1, 2, 1)), 0.9)
    learner = robust_q(game, reward_set=Finite([(1.0, 0.0), (0.0, 1.0)]), seeds=SEEDS).learn(1500)
    everywhere(learner.values[:, 0, 0], 5.0, 0.04)
    everywhere(learner.policies[0][:, 0], [0.5, 0.5], 1e-6)


def test_vectors_of_rewards_are_played_as_players():
    # Stag hunt where nature pays one of two vectors of deltas: the stag is then worth 4 - 1/2, the hare 3 - 1/2. Both
    # are equilibria with the first vector, and the welfare rule takes the stag: 3.5 a time, 7 in all.
    game = MarkovGame.from_matrix([[4, 0], [3, 3]], [[4, 3], [0, 3]], discount=0.5)
    deltas = Finite([(-0.5, 0.0, 0.0, -0.5), (0.0, -0.25, 0.0, 0.0)])
    learner = NashQ(game, reward_set=deltas, seeds=SEEDS).learn(300)
    everywhere(learner.values[..., 0], 7.0, 0.05)
    assert (learner.failures == 0).all()


def absorbing(rewards):
    """Play a matrix game in state 0 until nature moves play to state 1, which is worth nothing."""
    kernel = np.zeros((2, 2, 2, 2))
    kernel[0, ..., 0] = kernel[1, ..., 1] = 1.0
    return MarkovGame(np.stack([rewards, -rewards])[:, None] * np.array([1.0, 0.0])[None, :, None, None], kernel, 0.9)


VALUE, GAMMA, RISK = 1.0, 0.9, 0.1
LEAVING = (
    [VALUE / (1 - GAMMA * (1 - RISK)), 0.0],
    [-VALUE / (1 - GAMMA), -GAMMA * RISK * VALUE / ((1 - GAMMA) * (1 - GAMMA * (1 - RISK)))],
)
STAYING = ([10.0, 0.0], [-10.0, 0.0])


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        (Contamination(0.1), LEAVING),
        (TotalVariation(0.1), LEAVING),
        (L1Ambiguity(0.2), LEAVING),
        (LinfAmbiguity(0.1), LEAVING),
        (L2Ambiguity(0.1 * 2**0.5), LEAVING),
        (Wasserstein(0.1, 1.0 - np.eye(2)), LEAVING),
        (ReverseKL(-np.log(0.9)), LEAVING),
        (KL(0.5), STAYING),
        (ChiSquared(0.5), STAYING),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_zero_sum_game_whose_players_each_fear_the_worst_move(members, wanted):
    # Player 1 fears leaving, worth 0; player 2 fears staying for ever and, in the absorbing state, being sent back.
    learner = NashQ(absorbing(np.array([[3.0, 0.0], [0.0, 1.5]])), transition_set=members, seeds=SEEDS)
    sweeps, tolerance = (1500, 0.1) if isinstance(members, Contamination) else (400, 0.3)  # 12,000 samples, or 3,200
    learner.learn(sweeps)
    everywhere(learner.values, wanted, tolerance)
    everywhere(learner.policies[0][:, 0], [1 / 3, 2 / 3], 0.01)


@pytest.mark.parametrize("risk", [0.0, 0.1, 0.12, 0.2])
def test_teamwork_ends_where_the_risk_exceeds_a_ninth(risk):
    # Both take the risk: 2 / (1 - discount (1 - risk)) in all, 20 at risk 0; leaving it to be safe is worth 10.
    radius = np.zeros((2, 2, 2))
    radius[0, 0, 0] = risk
    game = named_game("coordination-under-risk")
    learner = NashQ(game, transition_set=Contamination(radius), seeds=SEEDS).learn(1500)
    together = 2 / (1 - 0.9 * (1 - risk))
    wanted = together if risk <= 1 / 9 else 10.0
    everywhere(learner.values[:, :, 0], wanted, 0.01 * wanted)
    everywhere(learner.policies[0][:, 0], [1.0, 0.0] if risk <= 1 / 9 else [0.0, 1.0], 1e-9)


FAIL = 0.1
SURVIVAL = MarkovGame([[[1.0], [0.0]]], [[[1 - FAIL, FAIL]], [[0.0, 1.0]]], 0.9)
WORST = [
    (None, FAIL),
    (L1Ambiguity(0.1), FAIL + 0.05),
    (TotalVariation(0.1), FAIL + 0.1),
    (LinfAmbiguity(0.1), FAIL + 0.1),
    (L2Ambiguity(0.1), FAIL + 0.1 / 2**0.5),
    (Wasserstein(0.1, 1.0 - np.eye(2)), FAIL + 0.1),
    (ChiSquared(0.1), FAIL + (0.1 * FAIL * (1 - FAIL)) ** 0.5),
    (Contamination(0.1), 0.9 * FAIL + 0.1),
    (KL(0.1), 0.256866),
    (ReverseKL(0.1), 0.282379),
    (CVaR(0.5), FAIL / 0.5),
]


UNBIASED = (TotalVariation, KL, ChiSquared, Contamination)
CASES = [(members, worst, "auto") for members, worst in WORST]
CASES += [(members, worst, "multilevel") for members, worst in WORST if isinstance(members, UNBIASED)]
CASES += [(members, worst, "plug_in") for members, worst in WORST if isinstance(members, Contamination)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "worst", "estimator"), CASES, ids=lambda part: type(part).__name__ if part else "-"
)
def test_survival_under_every_set_and_estimator(members, worst, estimator):
    # One player gets 1 until it fails, with probability 1/10 by the model: V = 1 / (1 - discount (1 - worst)).
    learner = robust_q(SURVIVAL, transition_set=members, estimator=estimator, seeds=SEEDS).learn(2000)
    wanted = 1 / (1 - 0.9 * (1 - worst))
    errors = learner.values[:, 0, 0] - wanted
    # One seed's frequency of failing is off by 0.007, V by 0.9 V^2 times that, twice that for CVaR; one of 20 seeds by
    # more than three times that.
    assert np.abs(errors).max() < 0.2 * wanted
    assert abs(errors.mean()) < 4 * errors.std() / SEEDS**0.5 + 0.02


@pytest.mark.slow
def test_errors_shrink_with_samples_as_the_step_sizes_say():
    learner = robust_q(SURVIVAL, transition_set=TotalVariation(0.1), seeds=100)
    wanted, errors = 1 / (1 - 0.9 * 0.8), []
    for rounds in (250, 3750):  # 250 and 4000 sweeps: 16 times the samples, a quarter of the error
        learner.learn(rounds)
        errors.append(np.sqrt(np.mean((learner.values[:, 0, 0] - wanted) ** 2)))
    assert 2.5 < errors[0] / errors[1] < 6.5


@pytest.mark.slow
def test_play_from_the_start_reaches_the_same_equilibrium():
    radius = np.zeros((2, 2, 2))
    radius[0, 0, 0] = 0.2
    learner = NashQ(
        named_game("coordination-under-risk"),
        transition_set=Contamination(radius),
        sampling="episodes",
        exploration=0.5,
        horizon=20,
        step_size=StepSize(0.1),
        seeds=SEEDS,
    ).learn(12_000)
    everywhere(learner.values[:, :, 0], 10.0, 0.2)
    everywhere(learner.policies[0][:, 0], [0.0, 1.0], 1e-9)
