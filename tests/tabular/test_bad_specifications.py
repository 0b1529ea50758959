"""What robust value iteration refuses: the message names the argument, the rule and the value."""

import subprocess
import sys

import numpy as np
import pytest

from algos.tabular import MarkovGame, robust_exploitability, robust_policy_iteration, robust_value_iteration
from robust_envs import L2, Contamination, Linf, Scenarios, joint
from robust_envs.envs import named_game


def game_of(n_players):
    shape = (3, *[2] * n_players)
    rng = np.random.default_rng(0)
    return MarkovGame(rng.normal(size=(n_players, *shape)), rng.dirichlet(np.ones(3), size=shape), 0.8)


ENDLESS = MarkovGame([[[1.0], [0.0]]], [[[0.5, 0.5]], [[0, 1]]], 1.0, terminal=[False, True])
BAD = [
    ({"rectangular": "as"}, ValueError, "rectangular must be one of sa, s, got rectangular='as'; did you mean"),
    ({"coupling": "both"}, ValueError, "coupling must be one of joint, separate"),
    ({"nature": "sharde"}, ValueError, "did you mean 'shared'"),
    ({"nature": "shared"}, ValueError, "neither zero-sum nor a team's"),
    ({"tolerance": 0}, ValueError, "tolerance must be finite and > 0, got tolerance=0"),
    ({"max_iterations": 0}, ValueError, "max_iterations must be a positive int"),
    ({"initial": np.zeros(3)}, ValueError, r"initial must be finite values of shape \(2, 3\)"),
    ({"reward_set": Contamination(0.1)}, TypeError, "a set of distributions is for transitions"),
    ({"transition_set": Linf(0.1)}, TypeError, "a set of deltas is for rewards"),
    ({"reward_set": "no"}, TypeError, "reward_set must be a set of deltas"),
    ({"reward_set": -0.1}, ValueError, "half-widths that are finite and >= 0"),
    (
        {"reward_set": np.ones(3)},
        ValueError,
        r"half-widths of shape \(S, A_1, ..., A_N\) = \(3, 2, 2\), got shape \(3,\)",
    ),
    ({"reward_set": joint(L2(0.1))}, ValueError, "couples players"),
    ({"reward_set": lambda s, a: 3}, TypeError, "reward_set must return sets of deltas or None, got 3"),
    ({"reward_set": {"player_9": Linf(0.1)}}, ValueError, "reward_set must be by player: player must be one of"),
    ({"transition_set": lambda s, a: 3}, TypeError, "transition_set must return sets of distributions or None, got 3"),
    ({"transition_set": Contamination(np.full(2, 0.1))}, ValueError, r"transition_set's radius must be a number or of"),
    ({"transition_set": Contamination(0.1), "rectangular": "s"}, ValueError, "must be L1Ambiguity, L2Ambiguity"),
    ({"transition_set": np.ones((3, 2, 2, 3))}, ValueError, r"kernels of shape \(K, \*\(3, 2, 2, 3\)\)"),
    ({"transition_set": np.ones((1, 3, 2, 2, 3))}, ValueError, "transition_set must sum to 1"),
    ({"transition_set": Scenarios([[0.5, 0.5]])}, ValueError, "members over 3 states, got 2"),
    ({"selection": "best"}, ValueError, "selection must be one of"),
    ({"kind": "best"}, ValueError, "kind must be one of"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD, ids=[next(iter(row[0])) for row in BAD])
def test_bad_arguments_are_refused_with_the_rule_and_the_value(arguments, error, message):
    with pytest.raises(error, match=message):
        robust_value_iteration(game_of(2), **arguments)


def test_more_that_is_refused():
    with pytest.raises(TypeError, match="game must be a MarkovGame, got 3"):
        robust_value_iteration(3)
    with pytest.raises(ValueError, match="must keep to the nominal support"):
        robust_value_iteration(ENDLESS, transition_set=Contamination(0.1))
    with pytest.raises(ValueError, match="kind must not be 'security'"):
        robust_policy_iteration(game_of(2), kind="security")
    with pytest.raises(ValueError, match="must be one set for nature='player_0', got a dict"):
        robust_value_iteration(named_game("matching-pennies"), reward_set={0: Linf(1)}, nature="player_0")


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ((), "one array for each of 2 players"),
        ((np.ones((3, 2)), np.ones((3, 2))), r"policies\[0\] must have rows >= 0 that sum to 1"),
        ((np.eye(2), np.eye(2)), r"policies\[0\] must have shape \(3, 2\), got shape \(2, 2\)"),
    ],
)
def test_policies_that_do_not_fit_are_refused(policies, message):
    with pytest.raises(ValueError, match=message):
        robust_exploitability(game_of(2), policies)


def test_importing_leaves_torch_alone():
    statement = "import algos.tabular, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert {"torch", "stable_baselines3", "matplotlib", "scipy", "numba"} & set(done.stdout.split()) == set()
