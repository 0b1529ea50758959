"""Nash equilibria of batches of stage games: certificates, completeness, other people's solvers, symmetries."""

import pickle
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from algos.tabular.stage import NoEquilibrium, pivot_loops, solve, support_loops
from algos.tabular.stage.compiled import Loops
from algos.tabular.stage.exact import exact_lemke_howson
from algos.tabular.stage.howson import lemke_howson
from algos.tabular.stage.payoffs import strategic
from algos.tabular.stage.simplex import zero_sum as batched_zero_sum
from algos.tabular.stage.supports import extreme_equilibria

LOOPS = Loops(
    pivot_loops.follow_paths, support_loops.list_equilibria, pivot_loops.solve_programs
)  # as they stand, not compiled
RNG = np.random.default_rng(4)


def gains(game, policies):
    """What each player gains by its best deviation in one game, by summing over all profiles."""
    players, *sizes = game.shape
    worth = [np.zeros(size) for size in sizes]
    for profile in product(*map(range, sizes)):
        for i in range(players):
            others = np.prod([policies[j][profile[j]] for j in range(players) if j != i])
            worth[i][profile[i]] += others * game[(i, *profile)]
    return np.array([w.max() - w @ x for w, x in zip(worth, policies, strict=True)])


def of(solution, game):
    return [policy[game] for policy in solution.policies]


def zero_sum(rows):
    return np.stack([rows, -rows], axis=1)


GAMES = {
    "normal 3x3": RNG.standard_normal((40, 2, 3, 3)),
    "normal 2x4": RNG.standard_normal((40, 2, 2, 4)),
    "ties 3x3": RNG.integers(0, 2, (60, 2, 3, 3)),
    "ties 4x3": RNG.integers(0, 3, (60, 2, 4, 3)),
    "constant": np.full((3, 2, 3, 2), 7.0),
    "zero-sum": zero_sum(RNG.standard_normal((40, 3, 4))),
    "zero-sum with ties": zero_sum(RNG.integers(-1, 2, (60, 4, 4))),
    "one action each": RNG.standard_normal((5, 2, 1, 1)),
    "one action": RNG.standard_normal((5, 2, 4, 1)),
    "tiny": 1e-9 * RNG.standard_normal((20, 2, 3, 3)),
    "huge": 1e9 * RNG.standard_normal((20, 2, 3, 3)),
    "scales apart": 10.0 ** RNG.uniform(-9, 9, (20, 2, 1, 1)) * RNG.standard_normal((20, 2, 3, 3)),
    "far from zero": 1e6 + RNG.standard_normal((20, 2, 3, 3)),
    **{
        f"ties broken by {size:g}": RNG.integers(0, 2, (80, 2, 3, 3)) + size * RNG.standard_normal((80, 2, 3, 3))
        for size in (1e-7, 1e-9, 1e-10, 1e-11, 1e-13)
    },
}


@pytest.mark.parametrize("selection", ["first", "welfare", "egalitarian"])
@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("fast", [False, None], ids=["numpy", "fastest"])
def test_every_answer_is_an_equilibrium_and_its_gap_says_so(name, selection, fast):
    games = GAMES[name]
    found = solve(games, selection=selection, fast=fast)
    allowed = 2e-9 * np.ptp(games.reshape(*games.shape[:2], -1), axis=2) + 1e-13 * np.abs(games).max()
    for b, game in enumerate(games):
        policies = of(found, b)
        assert all(np.isclose(policy.sum(), 1.0) and (policy >= 0).all() for policy in policies)
        gap = gains(game, policies)
        assert (gap <= allowed[b]).all()
        np.testing.assert_allclose(found.gap[b], np.maximum(gap, 0), atol=1e-13 * np.abs(game).max())


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (6, 4), (10, 10)])
def test_the_value_of_a_zero_sum_game_is_that_of_its_linear_program(shape):
    rows = np.concatenate([RNG.standard_normal((5, *shape)), RNG.integers(-1, 2, (5, *shape))])
    found = solve(zero_sum(rows), kind="zero_sum")
    for game, value in zip(rows, found.values[:, 0], strict=True):
        m, n = game.shape
        result = linprog(
            np.r_[np.zeros(m), -1.0],
            A_ub=np.c_[-game.T, np.ones(n)],
            b_ub=np.zeros(n),
            A_eq=np.r_[np.ones(m), 0.0][None],
            b_eq=[1.0],
            bounds=[(0, None)] * m + [(None, None)],
        )
        assert value == pytest.approx(-result.fun, abs=1e-9)


def contains(mine, theirs):
    return all(any(np.allclose(np.r_[*a], np.r_[*b], atol=1e-8) for b in mine) for a in theirs)


def listed(games):
    found = extreme_equilibria(strategic(np.asarray(games, dtype=float)))
    return [
        [(x, y) for g, x, y in zip(found.game, *found.policies, strict=True) if g == game] for game in range(len(games))
    ]


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (3, 4)])
def test_all_equilibria_are_those_that_nashpy_and_quantecon_find(shape):
    nashpy = pytest.importorskip("nashpy")
    quantecon = pytest.importorskip("quantecon.game_theory")
    games = np.random.default_rng(1).standard_normal((12, 2, *shape))
    for game, mine in zip(games, listed(games), strict=True):
        assert len(mine) % 2 == 1  # Wilson 1971
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nashpy misses one now and then, and says so
            theirs = list(nashpy.Game(*game).support_enumeration())
        assert contains(mine, theirs)
        players = [quantecon.Player(game[0]), quantecon.Player(np.ascontiguousarray(game[1].T))]
        theirs = quantecon.support_enumeration(quantecon.NormalFormGame(players))
        assert len(theirs) == len(mine)
        assert contains(mine, theirs)


def test_all_vertices_of_degenerate_games_are_those_that_nashpy_finds():
    nashpy = pytest.importorskip("nashpy")
    games = np.random.default_rng(2).integers(0, 3, (15, 2, 3, 3)).astype(float)
    for game, mine in zip(games, listed(games), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = list(nashpy.Game(*game).vertex_enumeration())
        assert contains(mine, theirs)


@settings(max_examples=60)
@given(arrays(np.int64, (2, 3, 3), elements=st.integers(0, 3)))
def test_no_pure_equilibrium_is_missed_and_none_has_more_welfare(game):
    pure = [
        (i, j)
        for i, j in np.ndindex(3, 3)
        if game[0, i, j] == game[0, :, j].max() and game[1, i, j] == game[1, i].max()
    ]
    (mine,) = listed([game])
    for i, j in pure:
        assert any(x[i] == 1.0 and y[j] == 1.0 for x, y in mine)
    best = solve([game]).values[0].sum()
    worth = [x @ game.sum(axis=0) @ y for x, y in mine]
    if not np.ptp(game.sum(axis=0)):  # constant sum: nothing to select
        return
    assert best == pytest.approx(max(worth), abs=1e-9)
    assert best >= max([game[:, i, j].sum() for i, j in pure], default=-1) - 1e-9


@pytest.mark.parametrize("name", ["normal 3x3", "ties 3x3", "ties 4x3", "one action", "ties broken by 1e-10"])
def test_loops_batches_and_whole_numbers_agree(name):
    scaled = strategic(GAMES[name].astype(float))
    batched, looped = extreme_equilibria(scaled), LOOPS.extreme_equilibria(scaled, 1e-10)
    np.testing.assert_array_equal(batched.game, looped.game)
    for left, right in zip(batched.policies, looped.policies, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-9)
    if "broken" not in name:
        paths, loops = lemke_howson(scaled, max_steps=200), LOOPS.lemke_howson(scaled, max_steps=200)
        exact = [exact_lemke_howson(game, 200) for game in scaled]
        for i in (0, 1):
            np.testing.assert_allclose(paths[i], loops[i], atol=1e-9)
            np.testing.assert_allclose(paths[i], [pair[i] for pair in exact], atol=1e-9)


@pytest.mark.parametrize("name", ["zero-sum", "zero-sum with ties"])
def test_linear_programs_in_loops_and_batches_agree(name):
    rows = GAMES[name][:, 0].astype(float)
    for left, right in zip(batched_zero_sum(rows, max_steps=99), LOOPS.zero_sum(rows, max_steps=99), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-9)


@pytest.mark.parametrize("kind", ["auto", "zero_sum", "security"])
def test_near_ties_that_mislead_a_pivot_are_solved_in_whole_numbers(kind):
    rng = np.random.default_rng(5)
    rows = rng.integers(-1, 2, (60, 9, 9)) + 1e-10 * rng.standard_normal((60, 9, 9))
    found = solve(zero_sum(rows), kind=kind)
    assert found.gap.max() <= 2e-9
    assert "exact" in found.method
    with pytest.raises(NoEquilibrium, match="simplex"):
        solve(zero_sum(rows), kind=kind, max_steps=1)


def test_supports_of_four_and_more_actions_are_solved_alike():
    games = RNG.standard_normal((6, 2, 5, 5))
    batched, looped = extreme_equilibria(strategic(games)), LOOPS.extreme_equilibria(strategic(games), 1e-10)
    np.testing.assert_allclose(batched.policies[0], looped.policies[0], atol=1e-9)
    assert max((x > 0).sum() for x in batched.policies[0]) >= 3


@pytest.mark.parametrize("selection", ["first", "risk_dominant"])
def test_scaling_and_shifting_a_players_payoffs_moves_no_policy(selection):
    games = RNG.standard_normal((30, 2, 3, 3))
    moved = games * np.array([3.0, 0.2])[:, None, None] + np.array([5.0, -70.0])[:, None, None]
    before, after = solve(games, selection=selection), solve(moved, selection=selection)
    for left, right in zip(before.policies, after.policies, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-7)
    np.testing.assert_allclose(after.values, before.values * [3.0, 0.2] + [5.0, -70.0], atol=1e-6)


@pytest.mark.parametrize("selection", ["welfare", "egalitarian"])
def test_renaming_actions_and_players_renames_the_answer(selection):
    games = RNG.standard_normal((30, 2, 3, 4))
    rows, cols = RNG.permutation(3), RNG.permutation(4)
    before = solve(games, selection=selection)
    after = solve(games[:, :, rows][:, :, :, cols], selection=selection)
    np.testing.assert_allclose(after.policies[0], before.policies[0][:, rows], atol=1e-9)
    np.testing.assert_allclose(after.policies[1], before.policies[1][:, cols], atol=1e-9)
    swapped = solve(games[:, ::-1].swapaxes(2, 3), selection=selection)
    np.testing.assert_allclose(swapped.policies[1], before.policies[0], atol=1e-9)
    np.testing.assert_allclose(swapped.values, before.values[:, ::-1], atol=1e-9)


@pytest.mark.parametrize("selection", ["first", "welfare", "risk_dominant"])
def test_a_batch_is_its_games_one_by_one(selection):
    games = np.concatenate([RNG.standard_normal((4, 2, 3, 3)), RNG.integers(0, 2, (4, 2, 3, 3))])
    whole = solve(games, selection=selection)
    for b in range(len(games)):
        alone = solve(games[b : b + 1], selection=selection)
        np.testing.assert_allclose(alone.values[0], whole.values[b], atol=1e-9)
        for left, right in zip(alone.policies, whole.policies, strict=True):
            np.testing.assert_allclose(left[0], right[b], atol=1e-8)


STAG_HUNT = np.array([[[4.0, 0.0], [3.0, 3.0]], [[4.0, 3.0], [0.0, 3.0]]])
SEXES = np.array([[[3.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 3.0]]])


def test_selections_of_the_stag_hunt_are_the_textbooks():
    # Harsanyi and Selten 1988: hunting the stag is payoff-dominant, the hare risk-dominant (4 - 3 < 3 - 0).
    for selection in ("welfare", "egalitarian", "payoff_dominant"):
        assert solve([STAG_HUNT], selection=selection).values[0] == pytest.approx([4.0, 4.0])
    assert solve([STAG_HUNT], selection="risk_dominant").values[0] == pytest.approx([3.0, 3.0])


def test_a_game_without_payoff_dominant_equilibrium_raises_and_shows_one_that_is_not():
    with pytest.raises(NoEquilibrium, match="selection") as raised:
        solve([STAG_HUNT, SEXES], selection="payoff_dominant")
    error = pickle.loads(pickle.dumps(raised.value))
    assert error.games.tolist() == [1]
    assert error.found.selected.tolist() == [True, False]
    assert error.found.gap[1].max() == pytest.approx(0.0, abs=1e-12)
    assert str(error) == str(raised.value)


def test_the_limit_of_logit_equilibria_is_the_risk_dominant_one_of_two_by_two_games():
    # Turocy 2005. u - v are the losses by leaving the equilibria (0, 0) and (1, 1); the larger product wins.
    losses = np.random.default_rng(8).uniform(0.1, 3.0, (60, 2, 2))
    games = np.zeros((60, 2, 2, 2))
    games[:, :, 0, 0], games[:, :, 1, 1] = losses[:, :, 0], losses[:, :, 1]
    clear = np.abs(np.log(losses.prod(axis=1) @ [1, 0] / (losses.prod(axis=1) @ [0, 1]))) > 0.05
    found = solve(games[clear], selection="risk_dominant")
    stag = losses[clear].prod(axis=1)
    np.testing.assert_allclose(found.policies[0][:, 0], stag[:, 0] > stag[:, 1], atol=1e-9)


def test_too_few_steps_raise_and_show_how_far_they_came():
    games = RNG.standard_normal((20, 2, 4, 4))
    with pytest.raises(NoEquilibrium, match="gap") as raised:
        solve(games, selection="first", max_steps=1)
    assert (raised.value.gap > 1e-3).all()
    assert raised.value.found.policies[0].shape == (20, 4)


def test_an_empty_batch_has_an_empty_answer():
    assert len(extreme_equilibria(np.zeros((0, 2, 3, 3))).game) == 0
    for kind in ("auto", "zero_sum", "security"):
        for selection in ("first", "welfare", "risk_dominant"):
            found = solve(np.zeros((0, 2, 3, 3)), kind=kind, selection=selection)
            assert found.policies[0].shape == (0, 3)
            assert found.gap.shape == (0, 2)
