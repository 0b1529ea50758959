"""Against every deterministic policy and every choice of nature, on random games small enough to try them all."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.tabular import (
    MarkovGame,
    robust_exploitability,
    robust_policy_iteration,
    robust_value_iteration,
    robust_values,
)
from robust_envs import Finite, LinfAmbiguity

DISCOUNT = 0.7
seeds = st.integers(0, 2**32 - 1)


def draw_rows(rng, *shape):
    """Rows with ties and zeros: counts of a few draws."""
    counts = rng.multinomial(4, np.full(shape[-1], 1 / shape[-1]), size=shape[:-1])
    return counts / 4


def draw_game(rng, n_players, n_states, *, whole=False):
    shape = (n_states, *[2] * n_players)
    rewards = rng.integers(-3, 4, (n_players, *shape, *([n_states] if whole else []))).astype(float)
    return MarkovGame(rewards, draw_rows(rng, *shape, n_states), DISCOUNT)


def worth(rewards, kernel):
    """Values of a Markov chain, batched: rewards (..., S), kernel (..., S, S)."""
    n = rewards.shape[-1]
    return np.linalg.solve(np.eye(n) - DISCOUNT * kernel, rewards[..., None])[..., 0]


def all_choices(kernels):
    """Every choice of one of K kernels (K, S, A, S) for each (state, action): (K^(S A), S, A, S)."""
    count, n_states, n_joint, _ = kernels.shape
    picks = np.array(list(product(range(count), repeat=n_states * n_joint))).reshape(-1, n_states, n_joint)
    return kernels[picks, np.arange(n_states)[:, None], np.arange(n_joint)]


def worst(rewards, choices, weights):
    """Values under the worst of all choices, at every state: rewards (S, A), or (S, A, S) with the next state."""
    paid = (choices * rewards).sum(-1) if rewards.ndim == 3 else rewards
    return worth((paid * weights).sum(-1), np.einsum("csan,sa->csn", choices, weights)).min(axis=0)


def deterministic(n_states, n_actions):
    for choice in product(range(n_actions), repeat=n_states):
        yield np.eye(n_actions)[list(choice)]


@settings(max_examples=25)
@given(seeds, st.booleans())
def test_robust_dynamic_programming_finds_the_best_of_all_policies(seed, whole):
    rng = np.random.default_rng(seed)
    game = draw_game(rng, 1, 3, whole=whole)
    kernels = draw_rows(rng, 2, 3, 2, 3)
    choices = all_choices(kernels)
    best = np.max([worst(game.rewards[0], choices, policy) for policy in deterministic(3, 2)], axis=0)
    for solver in (robust_value_iteration, robust_policy_iteration):
        solution = solver(game, transition_set=kernels)
        np.testing.assert_allclose(solution.values[0], best, atol=1e-8)
        np.testing.assert_allclose(worst(game.rewards[0], choices, solution.policies[0]), best, atol=1e-8)


@settings(max_examples=25)
@given(seeds)
def test_the_certificate_is_the_gain_of_the_best_deviation(seed):
    rng = np.random.default_rng(seed)
    game = draw_game(rng, 2, 2)
    kernels = draw_rows(rng, 2, 2, 2, 2, 2)
    policies = tuple(rng.dirichlet(np.ones(2), 2) for _ in range(2))
    choices = all_choices(kernels.reshape(2, 2, 4, 2))
    expected = []
    for player in range(2):
        rewards = game.rewards[player].reshape(2, 4)

        def value(own, other=policies[1 - player], rewards=rewards, player=player):
            first, second = (own, other) if player == 0 else (other, own)
            return worst(rewards, choices, (first[:, :, None] * second[:, None, :]).reshape(2, 4))

        best = np.max([value(policy) for policy in deterministic(2, 2)], axis=0)
        now = value(policies[player])
        np.testing.assert_allclose(robust_values(game, policies, transition_set=kernels)[player], now, atol=1e-8)
        expected.append((best - now).max())
    found = robust_exploitability(game, policies, transition_set=kernels)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-8)


@settings(max_examples=15)
@given(seeds)
def test_a_converged_solution_is_an_equilibrium_against_every_deviation_and_choice(seed):
    rng = np.random.default_rng(seed)
    game = draw_game(rng, 2, 2)
    kernels = draw_rows(rng, 2, 2, 2, 2, 2)
    solution = robust_value_iteration(game, transition_set=kernels, max_iterations=2000)
    again = robust_exploitability(game, solution.policies, transition_set=kernels)
    np.testing.assert_array_equal(solution.exploitability, again)
    if solution.status == "converged":
        assert again.max() < 1e-7
        np.testing.assert_allclose(
            solution.values, robust_values(game, solution.policies, transition_set=kernels), atol=1e-8
        )


@settings(max_examples=15)
@given(seeds)
def test_where_nature_is_blind_its_worst_scenario_is_that_of_the_mixture(seed):
    rng = np.random.default_rng(seed)
    game = draw_game(rng, 1, 2)
    kernels = draw_rows(rng, 3, 2, 2, 2)
    picks = np.array(list(product(range(3), repeat=2)))
    choices = kernels[picks, np.arange(2)]  # one scenario for each state

    def value(policy):
        return worst(game.rewards[0], choices, policy)

    for solver in (robust_value_iteration, robust_policy_iteration):
        solution = solver(game, transition_set=kernels, rectangular="s")
        np.testing.assert_allclose(solution.values[0], value(solution.policies[0]), atol=1e-8)
        grid = np.linspace(0, 1, 21)
        tried = [value(np.array([[a, 1 - a], [b, 1 - b]])) for a in grid for b in grid]
        assert (np.max(tried, axis=0) <= solution.values[0] + 1e-8).all()


@settings(max_examples=10)
@given(seeds)
def test_rewards_and_transitions_that_are_both_uncertain_and_blind(seed):
    rng = np.random.default_rng(seed)
    game = draw_game(rng, 1, 2)
    kernels, deltas = draw_rows(rng, 2, 2, 2, 2), rng.integers(-2, 3, (2, 2)).astype(float)
    picks = np.array(list(product(range(2), repeat=2)))
    choices = kernels[picks, np.arange(2)]

    def value(policy):
        return np.min(
            [worst(game.rewards[0] + deltas[list(each)], choices, policy) for each in product(range(2), repeat=2)],
            axis=0,
        )

    solution = robust_value_iteration(
        game, reward_set=Finite(deltas), transition_set=kernels, rectangular="s", tolerance=1e-11
    )
    np.testing.assert_allclose(solution.values[0], value(solution.policies[0]), atol=1e-8)
    grid = np.linspace(0, 1, 21)
    tried = [value(np.array([[a, 1 - a], [b, 1 - b]])) for a in grid for b in grid]
    assert (np.max(tried, axis=0) <= solution.values[0] + 1e-8).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_box_couples_nothing_so_nature_may_as_well_see_the_action(seed):
    game = draw_game(np.random.default_rng(seed), 1, 3)
    seeing = robust_value_iteration(game, transition_set=LinfAmbiguity(0.1))
    blind = robust_value_iteration(game, transition_set=LinfAmbiguity(0.1), rectangular="s")
    np.testing.assert_allclose(blind.values, seeing.values, atol=1e-8)
