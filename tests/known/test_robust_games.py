"""Robust equilibria in closed form, and published ones. All values to 1e-8."""

import numpy as np
import pytest

from algos.tabular import (
    MarkovGame,
    is_equilibrium,
    robust_exploitability,
    robust_policy_iteration,
    robust_value_iteration,
)
from robust_envs import (
    KL,
    L1,
    L2,
    ChiSquared,
    Contamination,
    CVaR,
    Finite,
    L1Ambiguity,
    L2Ambiguity,
    Linf,
    LinfAmbiguity,
    ReverseKL,
    TotalVariation,
    Wasserstein,
)
from robust_envs.envs import exposure, named_game

PENNIES = np.array([[1.0, -1.0], [-1.0, 1.0]])
SOLVERS = [robust_value_iteration, robust_policy_iteration]


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-8, rtol=0)


def solved(solver, game, **uncertainty):
    solution = solver(game, **uncertainty)
    assert solution.status == "converged"
    close(solution.exploitability, 0)
    return solution


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("radius", [0.0, 0.3, 2.0])
def test_constant_intervals_leave_the_equilibrium_and_lower_the_values(solver, radius):
    # Kardes, Ordonez, Hall, 2011, Discounted robust stochastic games: |R - R0| <= L everywhere.
    solution = solved(solver, MarkovGame.from_matrix(PENNIES), reward_set=Linf(radius))
    close(solution.values, -radius)
    close(solution.policies, 0.5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("discount", [0.0, 0.9])
@pytest.mark.parametrize("d", [0.25, 1.0])
def test_a_nature_for_each_player_makes_a_zero_sum_game_general_sum(solver, discount, d):
    game = MarkovGame.from_matrix(PENNIES, discount=discount)
    solution = solved(solver, game, reward_set=np.array([[[d, 0], [0, 0]]]))
    close(solution.values[:, 0] * (1 - discount), [-d / (4 - d), -d / (4 + d)])
    close(solution.policies[0][0, 0], 2 / (4 + d))
    close(solution.policies[1][0, 0], 2 / (4 - d))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("d", [0.25, 1.0])
def test_one_nature_against_the_first_player_is_another_game(solver, d):
    uncertain = {"reward_set": np.array([[[d, 0], [0, 0]]])}
    solution = solved(solver, MarkovGame.from_matrix(PENNIES), nature="shared", **uncertain)
    close(solution.policies[0][0, 0], 2 / (4 - d))
    close(solution.values[:, 0], [-d / (4 - d), d / (4 - d)])
    named = solved(solver, MarkovGame.from_matrix(PENNIES), nature="player_0", **uncertain)
    np.testing.assert_array_equal(named.values, solution.values)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("ball", "factor"), [(L2, 1 / 3), (L1, 1 / 9), (Linf, 1.0)])
def test_one_ball_over_all_payoffs_costs_its_radius_times_the_dual_norm_of_play(solver, ball, factor):
    # The support function of the ball at uniform play, McMahan, Artiglio, Xie, 2024, Roping in uncertainty.
    solution = solved(solver, named_game("rock-paper-scissors"), reward_set=ball(0.6), rectangular="s")
    close(solution.policies, 1 / 3)
    close(solution.values, -0.6 * factor)


@pytest.mark.parametrize("solver", SOLVERS)
def test_mixing_helps_where_nature_cannot_see_the_action(solver):
    # Wiesemann, Kuhn, Rustem, 2013: with s-rectangular sets optimal policies may have to be random.
    one_pays = Finite([[1.0, 0.0], [0.0, 1.0]])
    game = MarkovGame.from_matrix([0.0, 0.0], discount=0.9)
    blind = solved(solver, game, reward_set=one_pays, rectangular="s")
    close(blind.values, 5)
    close(blind.policies[0], 0.5)
    seeing = solved(solver, game, reward_set=lambda state, joint: Finite([0.0, 1.0]))
    close(seeing.values, 0)


def stags(d, selection):
    game = named_game("stag-hunt")
    return robust_value_iteration(game, reward_set=d * exposure("stag-hunt"), selection=selection)


def test_a_stag_that_may_be_worth_less_than_a_hare_is_hunted_no_more():
    close(stags(0.5, "welfare").values, 3.5)
    close(stags(1.5, "welfare").values, 3)
    close(stags(1.5, "welfare").policies[0], [[0, 1]])


@pytest.mark.parametrize("d", [0.0, 0.5])
def test_the_mixed_equilibrium_of_the_stag_hunt_moves_with_the_radius(d):
    mix = np.array([[3 / (4 - d), 1 - 3 / (4 - d)]])
    game, stag = named_game("stag-hunt"), exposure("stag-hunt")
    close(robust_exploitability(game, (mix, mix), reward_set=d * stag), 0)
    assert not is_equilibrium(game, (mix, mix), reward_set=(d + 0.1) * stag)


def breakdown():
    """Return the zero-sum game of value 1 that is played for ever, beside a state in which nothing happens."""
    rewards, transitions = np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))
    rewards[0, 0] = [[3, 0], [0, 1.5]]
    transitions[0, ..., 0] = transitions[1, ..., 1] = 1
    return MarkovGame(np.stack([rewards[0], -rewards[0]]), transitions, 0.9)


EQUAL_SETS = [
    Contamination(0.1),
    TotalVariation(0.1),
    L1Ambiguity(0.2),
    LinfAmbiguity(0.1),
    L2Ambiguity(0.1 * 2**0.5),
    Wasserstein(0.1, [[0, 1], [1, 0]]),
    ReverseKL(-np.log(0.9)),
]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("members", EQUAL_SETS, ids=lambda members: type(members).__name__)
def test_players_fear_opposite_moves_of_nature(solver, members):
    solution = solved(solver, breakdown(), transition_set=members)
    close(solution.values[0], [1 / (1 - 0.9 * 0.9), 0])
    close(solution.values[1], [-10, -0.9 * 0.1 / (0.1 * (1 - 0.9 * 0.9))])
    close(solution.policies[0][0], [1 / 3, 2 / 3])


@pytest.mark.parametrize("members", [KL(0.5), ChiSquared(0.5)], ids=lambda members: type(members).__name__)
def test_divergences_that_keep_the_support_cannot_move_what_is_certain_and_say_so(members):
    with pytest.warns(UserWarning, match="changes nothing"):
        solution = robust_value_iteration(breakdown(), transition_set=members)
    close(solution.values, [[10, 0], [-10, 0]])


THRESHOLD = 1 / 9


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("risk", [0.0, 0.1, THRESHOLD - 1e-6])
def test_below_the_threshold_the_players_work_together(solver, risk):
    uncertain = {"transition_set": Contamination(risk * exposure("coordination-under-risk"))}
    solution = solved(solver, named_game("coordination-under-risk"), **uncertain)
    close(solution.values[:, 0], 2 / (1 - 0.9 * (1 - risk)))
    close(solution.policies[0][0], [1, 0])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("risk", [THRESHOLD + 1e-6, 0.2, 1.0])
def test_above_the_threshold_the_players_leave_teamwork(solver, risk):
    uncertain = {"transition_set": Contamination(risk * exposure("coordination-under-risk"))}
    solution = solved(solver, named_game("coordination-under-risk"), **uncertain)
    close(solution.values[:, 0], 10)
    close(solution.policies[0][0], [0, 1])


@pytest.mark.parametrize("risk", [0.0, 0.05, 0.1])
def test_the_mixed_equilibrium_of_coordination_under_risk(risk):
    game = named_game("coordination-under-risk")
    uncertain = {"transition_set": Contamination(risk * exposure("coordination-under-risk"))}
    high = 1 / (2 - 9 * risk)
    mix = np.array([[high, 1 - high], [0.0, 1.0]])
    assert is_equilibrium(game, (mix, mix), tolerance=1e-8, **uncertain)
    shifted = mix + np.array([[0.01, -0.01], [0, 0]])
    assert not is_equilibrium(game, (shifted, shifted), tolerance=1e-3, **uncertain)


e, r = 0.1, 0.1
FAILURES = [
    (None, e),
    (L1Ambiguity(r), e + r / 2),
    (TotalVariation(r), e + r),
    (LinfAmbiguity(r), e + r),
    (Wasserstein(r, [[0, 1], [1, 0]]), e + r),
    (L2Ambiguity(r), e + r / 2**0.5),
    (CVaR(0.5), e / 0.5),
    (ChiSquared(r), e + (r * e * (1 - e)) ** 0.5),
    (Contamination(r), (1 - r) * e + r),
]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("members", "fails"), FAILURES, ids=lambda value: type(value).__name__)
def test_survival_under_every_set(solver, members, fails):
    transitions = [[[1 - e, e]], [[0, 1]]]
    game = MarkovGame([[[1.0], [0.0]]], transitions, 0.9, terminal=[False, True])
    close(solved(solver, game, transition_set=members).values[0, 0], 1 / (1 - 0.9 * (1 - fails)))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("members", "value"), [(KL(r), 3.019508), (ReverseKL(r), 2.823732)])
def test_survival_under_divergences_with_a_root_to_find(solver, members, value):
    game = MarkovGame([[[1.0], [0.0]]], [[[1 - e, e]], [[0, 1]]], 0.9, terminal=[False, True])
    np.testing.assert_allclose(solved(solver, game, transition_set=members).values[0, 0], value, atol=5e-7)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_adversary_that_acts_now_and_then_is_a_zero_sum_game(solver):
    # Tessler, Efroni, Mannor, 2019, Action robust reinforcement learning: with probability 0.2 the adversary acts.
    rewards = np.array([1.0, 0.0])
    game = MarkovGame.from_matrix(0.8 * rewards[:, None] + 0.2 * rewards[None, :], discount=0.9)
    close(solved(solver, game).values[0], 8)


PUBLISHED = {
    0.0: ([1, 1, 1, 1, 1, 0, -1, -1, -1, -1, -1], 1.2878),
    0.5: ([1, 1, 1, 0, 0, 0, 0, 0, -1, -1, -1], 0.6985),
    1.0: ([1, 1, 0, 0, 0, 0, 0, 0, 0, -1, -1], 0.4439),
    2.0: ([0] * 11, 0.0),
}


@pytest.mark.parametrize("radius", PUBLISHED)
def test_the_published_policies_of_the_coin_toss(radius):
    # Neufeld, Sester, 2024, Robust Q-learning algorithm for Markov decision processes under Wasserstein uncertainty.
    from math import comb

    x, bets = np.arange(11), np.array([-1, 0, 1])
    heads = np.array([comb(10, k) for k in x]) / 2**10
    sign = np.sign(x[None, :] - x[:, None])[:, None, :]
    rewards = np.where(sign == 0, -np.abs(bets)[None, :, None], bets[None, :, None] * sign).astype(float)
    game = MarkovGame(rewards[None], np.broadcast_to(heads, (11, 3, 11)), 0.45)
    distance = np.abs(x[:, None] - x[None, :])
    solution = robust_value_iteration(game, transition_set=Wasserstein(radius, distance))
    policy, value = PUBLISHED[radius]
    assert bets[solution.policies[0].argmax(axis=1)].tolist() == policy
    assert solution.values[0, 0] == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_published_values_of_the_grid_world(solver):
    # Hu, Wellman, 2003, Nash Q-learning for general-sum stochastic games, Grid Game 1: both need four moves, 97 each.
    game = named_game("grid-world")
    solution = solved(solver, game)
    close(solution.values @ game.start, 100 * 0.99**3)


def test_soccer_is_fair_and_needs_mixing():
    # Littman, 1994: the game is symmetric, and every deterministic policy can be beaten.
    game = named_game("grid-soccer")
    solution = robust_value_iteration(game, tolerance=1e-7)
    assert solution.status == "converged"
    assert abs(solution.values[0] @ game.start) < 1e-6
    assert (solution.policies[0].max(axis=1) < 0.999).any()
    always = np.eye(5)[solution.policies[0].argmax(axis=1)]
    assert robust_exploitability(game, (always, solution.policies[1]))[1] > 0.1


@pytest.mark.parametrize("solver", SOLVERS)
def test_any_bimatrix_game_of_nonpositive_sum_is_a_robust_zero_sum_game(solver):
    # Nominal (M1 - M2) / 2 with half-widths -(M1 + M2) / 2: each player's worst case is its own matrix.
    rng = np.random.default_rng(0)
    first, second = rng.uniform(-1, 0, (2, 3, 3))
    nominal, widths = (first - second) / 2, -(first + second) / 2
    robust_solution = solved(solver, MarkovGame.from_matrix(nominal), reward_set=widths[None])
    plain = solved(solver, MarkovGame.from_matrix(first, second))
    close(robust_solution.values, plain.values)


@pytest.mark.parametrize(("coupling", "order"), [("joint", 4), ("separate", 5)])
def test_coupling_rewards_and_transitions_changes_what_is_ordered(coupling, order):
    game, members = named_game("inventory"), TotalVariation(0.2, support_only=True)
    solution = solved(robust_policy_iteration, game, transition_set=members, coupling=coupling)
    assert solution.policies[0][0].argmax() == order
    values, rewards = solution.values[0], game.rewards[0]
    if coupling == "joint":
        worth = members.worst_case(rewards + 0.95 * values, game.transitions)[0]
    else:
        worth = game.expected_rewards[0] + 0.95 * members.worst_case(values, game.transitions)[0]
    close(values, worth.max(axis=1))
