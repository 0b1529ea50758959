"""Stage games of one player and of many, correlated equilibria, what can be guaranteed, and bad input."""

import sys
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from algos.tabular.stage import NoEquilibrium, solve
from algos.tabular.stage.compiled import _compiled, kernels
from algos.tabular.stage.payoffs import coupled
from algos.tabular.stage.pivot_loops import follow_paths

RNG = np.random.default_rng(11)
# Aumann 1974: stop or go at a crossing.
CHICKEN = np.array([[[6.0, 2.0], [7.0, 0.0]], [[6.0, 7.0], [2.0, 0.0]]])


def test_one_player_takes_its_best_action_the_first_of_equals():
    found = solve([[[1.0, 3.0, 3.0]], [[5.0, 3.0, 3.0]]])
    np.testing.assert_array_equal(found.policies[0], [[0, 1, 0], [1, 0, 0]])
    assert found.method.tolist() == ["best_action"] * 2


def test_players_without_a_choice_change_nothing_but_welfare():
    two = RNG.standard_normal((20, 2, 3, 3))
    three = np.concatenate([two, np.zeros((20, 1, 3, 3))], axis=1)[:, [0, 2, 1], :, None]
    np.testing.assert_allclose(solve(three).values[:, [0, 2]], solve(two).values, atol=1e-12)
    bystander = np.array([[[[[2.0], [0.0]], [[0.0], [1.0]]]] * 2 + [[[[0.0], [0.0]], [[0.0], [9.0]]]]])[0]
    assert solve([bystander]).values[0] == pytest.approx([1.0, 1.0, 9.0])


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 2, 3), (2, 2, 2, 2)])
@pytest.mark.parametrize("selection", ["welfare", "first", "risk_dominant"])
def test_answers_of_many_players_are_equilibria(shape, selection):
    games = np.concatenate(
        [RNG.standard_normal((30, len(shape), *shape)), RNG.integers(0, 4, (20, len(shape), *shape))]
    )
    found = solve(games, selection=selection)
    letters = "abcd"[: len(shape)]
    for i in range(len(shape)):
        others = [letters[j] for j in range(len(shape)) if j != i]
        words = ",".join(["g" + letters, *("g" + letter for letter in others)]) + "->g" + letters[i]
        worth = np.einsum(words, games[:, i], *(found.policies[j] for j in range(len(shape)) if j != i))
        gain = worth.max(axis=1) - (worth * found.policies[i]).sum(axis=1)
        assert gain.max() <= 2e-9 * np.ptp(games)


def test_the_pure_equilibrium_of_many_players_is_the_best_or_the_first_of_all():
    games = RNG.integers(0, 5, (60, 3, 2, 2, 2)).astype(float)
    best, first = solve(games), solve(games, selection="first")
    for b, game in enumerate(games):
        stable = [
            p
            for p in product(range(2), repeat=3)
            if all(
                game[(i, *p)] == game[i][tuple(slice(None) if j == i else p[j] for j in range(3))].max()
                for i in range(3)
            )
        ]
        if stable:
            assert best.values[b].sum() == max(game[(slice(None), *p)].sum() for p in stable)
            assert tuple(policy[b].argmax() for policy in first.policies) == stable[0]
        else:
            assert best.method[b] == "logit"


def test_the_best_correlated_equilibrium_of_chicken_is_aumanns():
    # Weights 1/2, 1/4, 1/4 on (stop, stop), (stop, go), (go, stop): 21/4 each (Aumann 1974; 10.5 in sum).
    found = solve([CHICKEN], kind="correlated")
    np.testing.assert_allclose(found.joint[0], [[0.5, 0.25], [0.25, 0.0]], atol=1e-9)
    assert found.values[0] == pytest.approx([5.25, 5.25])
    np.testing.assert_allclose(found.policies[0][0], [0.75, 0.25], atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 2)])
def test_coarser_notions_of_equilibrium_allow_more_welfare(shape):
    games = RNG.standard_normal((25, len(shape), *shape))
    nash, advised, coarse = (solve(games, kind=kind) for kind in ("nash", "correlated", "coarse_correlated"))
    assert (advised.values.sum(axis=1) >= nash.values.sum(axis=1) - 1e-8).all()
    assert (coarse.values.sum(axis=1) >= advised.values.sum(axis=1) - 1e-8).all()
    for found in (advised, coarse):
        assert (found.gap <= 1e-8 * np.ptp(games)).all()
        np.testing.assert_allclose(found.joint.reshape(25, -1).sum(axis=1), 1.0)
    fair = solve(games, kind="correlated", selection="egalitarian")
    assert (fair.values.min(axis=1) >= advised.values.min(axis=1) - 1e-8).all()


def test_the_gap_of_advice_is_the_best_gain_by_disobeying_it():
    found = solve([CHICKEN], kind="correlated")
    uniform = np.full((2, 2), 0.25)
    _, swap = coupled(CHICKEN[None], uniform[None], coarse=False)
    _, leave = coupled(CHICKEN[None], uniform[None], coarse=True)
    # Against a uniform opponent stopping is worth 4 and going 3.5: told to go, stop.
    assert swap[0] == pytest.approx([0.25, 0.25])
    assert leave[0] == pytest.approx([0.25, 0.25])
    assert found.gap.max() < 1e-9


def test_many_small_programs_in_one_are_those_one_by_one():
    games = RNG.standard_normal((6, 2, 2, 3))
    whole = solve(games, kind="correlated")
    for b in range(6):
        assert solve(games[b : b + 1], kind="correlated").values[0].sum() == pytest.approx(whole.values[b].sum())


def test_security_is_what_a_linear_program_guarantees():
    games = RNG.standard_normal((10, 3, 2, 3, 2))
    found = solve(games, kind="security")
    for b, i in product(range(10), range(3)):
        rows = np.moveaxis(games[b, i], i, 0).reshape(games.shape[2 + i], -1)
        m, n = rows.shape
        result = linprog(
            np.r_[np.zeros(m), -1.0],
            A_ub=np.c_[-rows.T, np.ones(n)],
            b_ub=np.zeros(n),
            A_eq=np.r_[np.ones(m), 0.0][None],
            b_eq=[1.0],
            bounds=[(0, None)] * m + [(None, None)],
        )
        assert found.values[b, i] == pytest.approx(-result.fun, abs=1e-9)
        assert (found.policies[i][b] @ rows).min() == pytest.approx(found.values[b, i], abs=1e-9)
    assert found.gap.max() < 1e-9


def test_nobody_gets_less_at_an_equilibrium_than_it_can_guarantee():
    games = RNG.integers(0, 4, (40, 2, 3, 3))
    assert (solve(games).values >= solve(games, kind="security").values - 1e-9).all()


@pytest.mark.parametrize(
    ("games", "options", "error", "words"),
    [
        ("abc", {}, TypeError, "payoffs must be an array of numbers"),
        (np.zeros((2, 2)), {}, ValueError, r"shape \(B, N, A1"),
        (np.zeros((1, 3, 2, 2)), {}, ValueError, "N action axes"),
        (np.zeros((1, 2, 0, 2)), {}, ValueError, "at least one action"),
        ([[[[1.0, np.nan]], [[0.0, 0.0]]]], {}, ValueError, "finite.*game 0"),
        ([CHICKEN], {"kind": "best"}, ValueError, "kind must be one of auto"),
        ([CHICKEN], {"selection": "good"}, ValueError, "selection must be one of welfare"),
        ([CHICKEN], {"selection": "first", "kind": "correlated"}, ValueError, "for correlated"),
        ([CHICKEN], {"kind": "zero_sum"}, ValueError, "constant sum.*game 0"),
        (np.zeros((1, 3, 2, 2, 2)), {"kind": "zero_sum"}, ValueError, "two players, got 3"),
        ([CHICKEN], {"tolerance": 0.0}, ValueError, "tolerance must be finite and > 0"),
        ([CHICKEN], {"tolerance": np.inf}, ValueError, "tolerance"),
        ([CHICKEN], {"max_steps": 0}, ValueError, "max_steps must be a positive int"),
        ([CHICKEN], {"max_supports": 1.5}, ValueError, "max_supports must be a positive int"),
        ([CHICKEN], {"max_supports": 2}, ValueError, "max_supports=2 pairs of supports, got 5"),
        (np.ones((1, 3, 2, 2, 2)), {"selection": "payoff_dominant"}, ValueError, "at most two players"),
    ],
)
def test_bad_input_is_refused_by_name(games, options, error, words):
    with pytest.raises(error, match=words):
        solve(games, **options)


def test_large_games_of_constant_sum_need_no_list_of_supports():
    rows = RNG.standard_normal((3, 20, 20))
    assert solve(np.stack([rows, 5.0 - rows], axis=1)).gap.max() < 1e-12


def test_fast_asks_for_numba_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr("algos.tabular.stage.compiled.find_spec", lambda name: None)
    assert kernels(None) is None
    with pytest.raises(ImportError, match=r"robust-envs\[fast\]"):
        solve([CHICKEN], selection="first", fast=True)


def test_where_nothing_can_be_kept_on_disk_loops_are_compiled_anew(monkeypatch):
    numba = pytest.importorskip("numba")
    asked = []

    def njit(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert _compiled.__wrapped__().follow_paths is follow_paths
    assert [options.get("cache", False) for options in asked] == [True, False, False, False]


def test_correlated_equilibria_ask_for_scipy_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"robust-envs\[algos\]"):
        solve([CHICKEN], kind="correlated")


def test_a_path_that_is_cut_short_raises_with_what_it_reached():
    games = RNG.standard_normal((5, 3, 2, 2, 2))
    with pytest.raises(NoEquilibrium, match="logit") as raised:
        solve(games, selection="risk_dominant", max_steps=3)
    assert raised.value.found.policies[0].shape == (5, 2)
