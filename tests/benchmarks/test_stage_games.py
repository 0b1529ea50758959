"""Stage games per CPU-second against loops over other people's solvers, measured in turn in one process.

Run as a program it prints the table: `python tests/benchmarks/test_stage_games.py [GAMES]`.
"""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from interleaved import cpu_seconds

from algos.tabular.stage import solve

FAST = find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not FAST, reason="needs numba, the extra `fast`")


def zero_sum_games(count: int, size: int) -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((count, size, size))
    return np.stack([rows, -rows], axis=1)


def general_games(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 2, size, size))


def with_nashpy(games: np.ndarray) -> None:
    import nashpy

    for game in games:
        nashpy.Game(game[0]).linear_program()


def with_scipy(games: np.ndarray) -> None:
    from scipy.optimize import linprog

    for game in games[:, 0]:
        m, n = game.shape
        linprog(
            np.r_[np.zeros(m), -1.0],
            A_ub=np.c_[-game.T, np.ones(n)],
            b_ub=np.zeros(n),
            A_eq=np.r_[np.ones(m), 0.0][None],
            b_eq=[1.0],
            bounds=[(0, None)] * m + [(None, None)],
            method="highs",
        )


def with_quantecon(games: np.ndarray) -> None:
    from quantecon.game_theory import NormalFormGame, Player, lemke_howson

    for first, second in games:
        lemke_howson(NormalFormGame([Player(first), Player(np.ascontiguousarray(second.T))]))


def ratios(games: np.ndarray, loops: dict[str, tuple[object, int]], ours: dict[str, dict[str, object]]) -> dict:
    """Return how many times as fast each of ours is as each loop; a loop runs over so many of the games only."""
    work = {f"ours {name}": lambda o=options: solve(games, **o) for name, options in ours.items()}
    work |= {name: lambda f=loop, n=count: f(games[:n]) for name, (loop, count) in loops.items()}
    for run in work.values():
        run()  # compile and import
    seconds = cpu_seconds(work, rounds=5)
    return {
        (name, loop): seconds[loop] * len(games) / count / seconds[f"ours {name}"]
        for name in ours
        for loop, (_, count) in loops.items()
    }


def measure(count: int) -> dict[str, dict]:
    speeds = {"numpy": {"fast": False}} | ({"numba": {"fast": True}} if FAST else {})
    part = max(count // 20, 1)  # the slow loops
    linear = {"nashpy": (with_nashpy, part), "scipy": (with_scipy, part)}
    table = {
        "zero-sum 3x3": ratios(zero_sum_games(count, 3), linear, speeds),
        "zero-sum 10x10": ratios(zero_sum_games(count, 10), linear, speeds),
    }
    if FAST:
        path = {"quantecon lemke_howson": (with_quantecon, count)}
        for size in (3, 10):
            ours = {name: {"selection": "first", **how} for name, how in speeds.items()}
            table[f"general {size}x{size}, first"] = ratios(general_games(count, size), path, ours)
        ours = {name: {"selection": "welfare", **how} for name, how in speeds.items()}
        table["general 3x3, welfare"] = ratios(general_games(count, 3), path, ours)
    return table


@pytest.mark.slow
def test_a_thousand_small_zero_sum_games_are_a_hundred_times_as_fast_as_a_loop():
    pytest.importorskip("nashpy")
    found = ratios(zero_sum_games(1000, 3), {"nashpy": (with_nashpy, 50), "scipy": (with_scipy, 50)}, {"ours": {}})
    assert found["ours", "nashpy"] >= 100
    assert found["ours", "scipy"] >= 50


@pytest.mark.slow
@needs_numba
def test_a_thousand_larger_zero_sum_games_are_a_hundred_times_as_fast_as_a_loop():
    found = ratios(zero_sum_games(1000, 10), {"scipy": (with_scipy, 50)}, {"ours": {}})
    assert found["ours", "scipy"] >= 100


@pytest.mark.slow
@needs_numba
def test_one_equilibrium_of_a_thousand_games_is_many_times_as_fast_as_a_compiled_loop():
    pytest.importorskip("quantecon")
    loops, ours = {"quantecon": (with_quantecon, 1000)}, {"ours": {"selection": "first", "fast": True}}
    found = ratios(general_games(1000, 3), loops, ours)["ours", "quantecon"]
    assert found >= 10  # the goal is 15, and 17 to 22 were measured; this is for a machine with other work


@pytest.mark.slow
@needs_numba
def test_the_best_of_all_equilibria_costs_less_than_others_need_for_one():
    pytest.importorskip("quantecon")
    loops, ours = {"quantecon": (with_quantecon, 1000)}, {"numpy": {"fast": False}, "numba": {"fast": True}}
    found = ratios(general_games(1000, 3), loops, ours)
    assert found["numpy", "quantecon"] >= 1
    assert found["numba", "quantecon"] >= 2  # the goal is 3, and 4.6 was measured


if __name__ == "__main__":
    games = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{'':24}{'ours':>8}{'times as fast as':>28}")
    for kind, found in measure(games).items():
        for (name, loop), ratio in found.items():
            print(f"{kind:24}{name:>8}{loop:>28}{ratio:9.1f}")
