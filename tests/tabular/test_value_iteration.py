"""Robust value iteration: what every argument does, how it ends, and what it refuses."""

import gymnasium
import numpy as np
import pytest

from algos.tabular import (
    MarkovGame,
    Solution,
    is_equilibrium,
    robust_exploitability,
    robust_policy_iteration,
    robust_value_iteration,
    robust_values,
)
from robust_envs import (
    KL,
    L1,
    L2,
    ChiSquared,
    Contamination,
    CVaR,
    Finite,
    Interval,
    L1Ambiguity,
    L2Ambiguity,
    Linf,
    LinfAmbiguity,
    ReverseKL,
    Scenarios,
    TotalVariation,
    Wasserstein,
)
from robust_envs.envs import named_game

DISTANCES = 1.0 - np.eye(3)
SETS = [
    Contamination(0.1),
    TotalVariation(0.1),
    L1Ambiguity(0.2),
    L2Ambiguity(0.1),
    LinfAmbiguity(0.1),
    KL(0.1),
    ReverseKL(0.1),
    ChiSquared(0.1),
    CVaR(0.8),
    Wasserstein(0.1, DISTANCES),
    Scenarios([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]),
]
ZERO = [
    Contamination(0.0),
    TotalVariation(0.0),
    L1Ambiguity(0.0),
    L2Ambiguity(0.0),
    LinfAmbiguity(0.0),
    KL(0.0),
    ReverseKL(0.0),
    ChiSquared(0.0),
    CVaR(1.0),
    Wasserstein(0.0, DISTANCES),
]
kind = lambda members: type(members).__name__  # noqa: E731


def game_of(n_players, n_states=3, seed=0, discount=0.8, **options):
    rng = np.random.default_rng(seed)
    shape = (n_states, *[2] * n_players)
    return MarkovGame(
        rng.normal(size=(n_players, *shape)), rng.dirichlet(np.ones(n_states), size=shape), discount, **options
    )


def same(left, right):
    np.testing.assert_array_equal(left.values, right.values)
    for mine, theirs in zip(left.policies, right.policies, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("n_players", [1, 2])
@pytest.mark.parametrize("members", ZERO, ids=kind)
def test_radius_zero_is_the_game_itself_bit_for_bit(n_players, members):
    plain = robust_value_iteration(game_of(n_players))
    same(robust_value_iteration(game_of(n_players), transition_set=members), plain)


@pytest.mark.parametrize("rectangular", ["sa", "s"])
@pytest.mark.parametrize("members", [Linf(0.0), L1(0.0), L2(0.0), Interval(0.0, 0.0), 0.0], ids=repr)
def test_rewards_of_radius_zero_are_those_of_the_game_bit_for_bit(members, rectangular):
    plain = robust_value_iteration(game_of(2), rectangular=rectangular)
    same(robust_value_iteration(game_of(2), reward_set=members, rectangular=rectangular), plain)


def test_without_uncertainty_one_player_gets_textbook_value_iteration_bit_for_bit():
    game = MarkovGame.from_gymnasium(gymnasium.make("FrozenLake-v1"), discount=0.9)
    rewards = (game.rewards[0] * game.transitions).sum(-1)
    values = np.zeros(16)
    solution = robust_value_iteration(game, max_iterations=50)
    for _ in range(50):
        values = (rewards + 0.9 * (game.transitions * values).sum(-1)).max(axis=1)
    np.testing.assert_allclose(solution.values[0], robust_values(game, solution.policies)[0])
    dense = game_of(1)
    textbook = np.zeros(3)
    for _ in range(robust_value_iteration(dense).iterations):
        textbook = (dense.rewards[0] + 0.8 * (dense.transitions @ textbook)).max(axis=1)
    np.testing.assert_array_equal(robust_value_iteration(dense).values[0], textbook)


@pytest.mark.parametrize("members", SETS, ids=kind)
def test_every_set_lowers_every_value_and_is_certified(members):
    game = game_of(1)
    nominal = robust_value_iteration(game)
    found = robust_value_iteration(game, transition_set=members)
    if not isinstance(members, Scenarios):  # which need not hold the nominal kernel
        assert (found.values < nominal.values - 1e-6).all()
    assert found.exploitability.max() < 1e-8
    again = robust_policy_iteration(game, transition_set=members)
    np.testing.assert_allclose(again.values, found.values, atol=1e-8)


@pytest.mark.parametrize("members", SETS[:9], ids=kind)
def test_leaving_out_what_cannot_be_reached_changes_nothing(members):
    # Rows of two successors among ten are kept short; written as kernels of full rows they are not.
    rng = np.random.default_rng(1)
    transitions = np.zeros((10, 2, 10))
    for row in transitions.reshape(20, 10):
        row[rng.choice(10, 2, replace=False)] = rng.dirichlet([1, 1])
    game = MarkovGame(rng.normal(size=(1, 10, 2)), transitions, 0.9)
    found = robust_value_iteration(game, transition_set=members)
    values = found.values[0]
    worth = game.rewards[0] + 0.9 * members.worst_case(values, game.transitions)[0]
    np.testing.assert_allclose(worth.max(axis=1), values, atol=1e-8)


def test_a_radius_for_every_state_and_joint_action_counts_there_only():
    game = game_of(2)
    radius = np.zeros((3, 2, 2))
    radius[1, 0, 1] = 0.3
    everywhere = robust_values(game, uniform(game), transition_set=Contamination(radius))
    called = robust_values(
        game, uniform(game), transition_set=lambda s, a: Contamination(0.3) if (s, a) == (1, (0, 1)) else None
    )
    np.testing.assert_allclose(everywhere, called, atol=1e-12)
    assert (everywhere < robust_values(game, uniform(game))).all()


def test_a_function_may_return_sets_of_different_kinds():
    game = game_of(1)
    found = robust_value_iteration(
        game, transition_set=lambda s, a: [Contamination(0.1), L1Ambiguity(0.1 + 0.1 * a[0]), Scenarios([[1, 0, 0]])][s]
    )
    values = found.values[0]
    worth = [
        game.rewards[0, 0] + 0.8 * Contamination(0.1).worst_case(values, game.transitions[0])[0],
        game.rewards[0, 1] + 0.8 * L1Ambiguity([0.1, 0.2]).worst_case(values, game.transitions[1])[0],
        game.rewards[0, 2] + 0.8 * values[0],
    ]
    np.testing.assert_allclose(np.max(worth, axis=1), values, atol=1e-8)


def test_a_dict_by_player_leaves_the_others_certain():
    game = game_of(2)
    both = robust_values(game, uniform(game), transition_set=Contamination(0.1), reward_set=Linf(0.5))
    one = robust_values(
        game, uniform(game), transition_set={"player_1": Contamination(0.1)}, reward_set={1: np.full((3, 2, 2), 0.5)}
    )
    np.testing.assert_array_equal(one[1], both[1])
    np.testing.assert_array_equal(one[0], robust_values(game, uniform(game))[0])


@pytest.mark.parametrize("members", [Linf(0.5), L1(0.5), L2(0.5), Interval(-0.5, 0.2), Finite([-0.5, 0.3])], ids=repr)
def test_all_sets_of_one_reward_take_what_they_can_where_nature_sees_the_action(members):
    game = game_of(2)
    lower = robust_values(game, uniform(game)) - 0.5 / (1 - 0.8)
    np.testing.assert_allclose(robust_values(game, uniform(game), reward_set=members), lower, atol=1e-9)


@pytest.mark.parametrize(("ball", "norm"), [(L2, 2), (L1, np.inf), (Linf, 1)])
def test_a_ball_over_a_states_rewards_costs_the_dual_norm_of_play(ball, norm):
    game = game_of(2)
    policies = tuple(np.random.default_rng(5).dirichlet(np.ones(2), 3) for _ in range(2))
    found = robust_values(game, policies, reward_set=lambda s: ball(0.1 * (s + 1)), rectangular="s")
    weights = (policies[0][:, :, None] * policies[1][:, None, :]).reshape(3, 4)
    lost = 0.1 * np.arange(1, 4) * np.linalg.norm(weights, norm, axis=1)
    rewards = (game.rewards.reshape(2, 3, 4) * weights).sum(-1) - lost
    moves = np.einsum("sa,san->sn", weights, game.transitions.reshape(3, 4, 3))
    np.testing.assert_allclose(found, np.linalg.solve(np.eye(3) - 0.8 * moves, rewards.T).T, atol=1e-9)


@pytest.mark.parametrize("members", [L1Ambiguity(0.3), L2Ambiguity(0.3)], ids=kind)
def test_two_actions_alike_share_the_budget_of_a_nature_that_cannot_see_them(members):
    plain = game_of(1)
    twins = MarkovGame(plain.rewards[:, :, [0, 0]], plain.transitions[:, [0, 0]], 0.8)
    seeing = robust_value_iteration(twins, transition_set=members)
    blind = robust_value_iteration(twins, transition_set=members, rectangular="s")
    assert (blind.values > seeing.values + 1e-3).all()
    np.testing.assert_allclose(blind.policies[0], 0.5, atol=1e-6)
    assert blind.exploitability.max() < 1e-8
    assert (
        robust_value_iteration(plain, transition_set=members, rectangular="s").values
        >= robust_value_iteration(plain, transition_set=members).values - 1e-9
    ).all()


@pytest.mark.parametrize("members", [L1(0.5), L2(0.5), Finite(np.random.default_rng(1).normal(size=(3, 9)))], ids=kind)
@pytest.mark.parametrize("seed", [1, 2, 4])
def test_several_players_against_a_blind_nature_are_certified(members, seed):
    rewards = np.random.default_rng(seed).normal(size=(2, 3, 3))
    found = robust_value_iteration(MarkovGame.from_matrix(*rewards), reward_set=members, rectangular="s")
    assert found.status == "converged"
    assert found.exploitability.max() < 1e-9


def test_several_players_against_a_blind_nature_go_on_playing():
    found = robust_value_iteration(game_of(2), reward_set=L2(0.5), rectangular="s", max_iterations=500)
    assert found.status == "converged"
    assert found.exploitability.max() < 1e-8


def test_one_nature_against_a_team_is_each_ones_own():
    rewards = np.random.default_rng(0).normal(size=(1, 3, 2, 2)).repeat(2, axis=0)
    game = MarkovGame(rewards, game_of(2).transitions, 0.8)
    same(
        robust_value_iteration(game, transition_set=KL(0.2), nature="shared"),
        robust_value_iteration(game, transition_set=KL(0.2)),
    )


@pytest.mark.parametrize("who", ["player_0", "player_1"])
def test_one_nature_keeps_a_zero_sum_game_zero_sum(who):
    rewards = np.random.default_rng(0).normal(size=(3, 2, 2))
    game = MarkovGame([rewards, -rewards], game_of(2).transitions, 0.8)
    uncertain = {"transition_set": TotalVariation(0.2), "reward_set": Linf(0.1), "nature": who}
    found = robust_value_iteration(game, **uncertain)
    np.testing.assert_allclose(found.values[0], -found.values[1], atol=1e-9)
    assert found.exploitability.max() < 1e-8
    nominal = robust_value_iteration(game).values
    opposed = game.player(who)
    assert (found.values[opposed] < nominal[opposed]).all()
    assert not is_equilibrium(game, uniform(game), **uncertain)


def test_terminal_states_are_out_of_natures_reach():
    transitions = [[[0.5, 0.5]], [[0, 1]]]
    rewards = [[[-1.0], [0.0]]]
    absorbing = robust_value_iteration(MarkovGame(rewards, transitions, 0.9), transition_set=Contamination(0.1))
    over = robust_value_iteration(
        MarkovGame(rewards, transitions, 0.9, terminal=[False, True]), transition_set=Contamination(0.1)
    )
    assert over.values[0, 1] == 0
    assert absorbing.values[0, 1] < 0


def test_values_depend_on_the_selection():
    game = named_game("stag-hunt")
    best = robust_value_iteration(game, selection="welfare")
    safe = robust_value_iteration(game, selection="risk_dominant")
    assert (best.values == 4).all()
    assert (safe.values == 3).all()
    assert best.exploitability.max() == safe.exploitability.max() == 0


@pytest.mark.parametrize("kind", ["correlated", "coarse_correlated"])
def test_correlated_solutions_do_better_in_chicken_and_are_certified(kind):
    found = robust_value_iteration(named_game("chicken", discount=0.5), kind=kind, selection="welfare")
    assert found.joint.shape == (1, 2, 2)
    assert found.values.sum() / 2 > 9 + 1e-6
    assert found.exploitability.max() < 1e-8
    assert not is_equilibrium(named_game("chicken", discount=0.5), found.policies)


def cyclic():
    """The game of Zinkevich, Greenwald, Littman, 2005, Cyclic equilibria in Markov games, without pure equilibrium."""
    rewards, transitions = np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2))
    for other in range(2):  # in each state one player decides: keep (0) or send (1)
        rewards[:, 0, 0, other], rewards[:, 0, 1, other] = (1, 0), (0, 3)
        rewards[:, 1, other, 0], rewards[:, 1, other, 1] = (3, 1), (0, 0)
        transitions[0, 0, other, 0] = transitions[0, 1, other, 1] = 1
        transitions[1, other, 0, 1] = transitions[1, other, 1, 0] = 1
    return MarkovGame(rewards, transitions, 0.75)


@pytest.mark.parametrize("solver", [robust_value_iteration, robust_policy_iteration])
def test_values_that_come_around_again_are_noticed(solver):
    found = solver(cyclic())
    assert found.status == "cycled"
    assert found.iterations < 2000
    assert found.exploitability.max() > 1e-3
    np.testing.assert_array_equal(found.exploitability, robust_exploitability(cyclic(), found.policies))


def test_the_only_stationary_equilibrium_of_the_cyclic_game_is_certified():
    # The same paper: send with probability 2/3 and 5/12.
    first, second = np.array([[1 / 3, 2 / 3], [1, 0]]), np.array([[1, 0], [7 / 12, 5 / 12]])
    assert is_equilibrium(cyclic(), (first, second), tolerance=1e-8)


def test_an_exhausted_budget_says_so_and_is_certified():
    found = robust_value_iteration(game_of(2), max_iterations=3)
    assert (found.status, found.iterations) == ("budget", 3)
    np.testing.assert_allclose(found.values, robust_values(game_of(2), found.policies), atol=1e-9)


def test_more_states_than_are_solved_at_once_are_swept(monkeypatch):
    solved = robust_value_iteration(game_of(2), transition_set=Contamination(0.1))
    monkeypatch.setattr("algos.tabular.dynamics.MAX_SOLVED", 0)
    swept = robust_exploitability(game_of(2), uniform(game_of(2)), transition_set=Contamination(0.1))
    monkeypatch.undo()
    exact = robust_exploitability(game_of(2), uniform(game_of(2)), transition_set=Contamination(0.1))
    np.testing.assert_allclose(swept, exact, atol=1e-9)
    assert solved.exploitability.max() < 1e-8


def test_values_to_start_from_change_the_way_and_not_the_end():
    game = game_of(1)
    first = robust_value_iteration(game)
    again = robust_value_iteration(game, initial=first.values)
    assert again.iterations <= 2
    np.testing.assert_allclose(again.values, first.values, atol=1e-9)


@pytest.mark.parametrize("n_players", [1, 2])
def test_torch_gives_the_same_as_numpy(n_players):
    torch = pytest.importorskip("torch")
    plain, moved = game_of(n_players), game_of(n_players).map_arrays(torch.as_tensor)
    for uncertain in ({"transition_set": L1Ambiguity(0.2)}, {"reward_set": L2(0.2), "rectangular": "s"}):
        ours, theirs = (robust_value_iteration(game, **uncertain) for game in (plain, moved))
        assert isinstance(theirs.values, torch.Tensor)
        np.testing.assert_allclose(theirs.values.numpy(), ours.values, atol=1e-8)
        np.testing.assert_allclose(theirs.exploitability.numpy(), ours.exploitability, atol=1e-8)
        iterated = robust_policy_iteration(moved, **uncertain)
        np.testing.assert_allclose(iterated.values.numpy(), ours.values, atol=1e-7)


def test_a_solution_shows_its_status_and_certificate():
    found = robust_value_iteration(named_game("matching-pennies"))
    assert isinstance(found, Solution)
    assert repr(found) == f"Solution(status='converged', iterations={found.iterations}, exploitability<=0)"


def test_discount_one_is_solved_where_play_ends():
    transitions = [[[0.5, 0.5], [0.0, 1.0]], [[0, 1], [0, 1]]]
    game = MarkovGame([[[1.0, 1.5], [0.0, 0.0]]], transitions, 1.0, terminal=[False, True])
    assert robust_value_iteration(game).values[0, 0] == pytest.approx(2, abs=1e-9)
    stays = robust_value_iteration(game, transition_set=CVaR(0.8))
    assert stays.values[0, 0] == pytest.approx(1 / (0.5 / 0.8), abs=1e-9)


def uniform(game):
    return tuple(np.full((game.n_states, n), 1 / n) for n in game.n_actions)
