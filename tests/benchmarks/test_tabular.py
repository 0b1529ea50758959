"""How fast robust value iteration is: against a loop over linear programs, and as the number of states grows.

Run as a program it prints both tables and draws the second: `python tests/benchmarks/test_tabular.py [picture]`.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from algos.tabular import MarkovGame, robust_value_iteration
from algos.tabular.backups import Sweep, first_profile
from algos.tabular.model import RobustModel
from robust_envs import L1Ambiguity

RADIUS = 0.2
SIZES = (125, 250, 500, 1000)


def random_game(n_states, *, n_actions=5, successors=8, seed=0):
    """Two players with rewards of their own; every row leads to a few states."""
    rng = np.random.default_rng(seed)
    shape = (n_states, n_actions, n_actions)
    transitions = np.zeros((*shape, n_states))
    place = np.indices(shape)[..., None]
    np.add.at(
        transitions,
        (*place, rng.integers(0, n_states, (*shape, successors))),
        rng.dirichlet(np.ones(successors), size=shape),
    )
    return MarkovGame(rng.normal(size=(2, *shape)), transitions, 0.9)


def one_sweep(game, selection="first"):
    """Return a function that does one sweep: nature's answers for both players and all stage equilibria."""
    sweep = Sweep(RobustModel(game, transition_set=L1Ambiguity(RADIUS)), selection, "auto")
    values, profile = np.random.default_rng(1).normal(size=(2, game.n_states)), first_profile(sweep.model)
    return lambda: sweep(values, profile)


def straightforward(game, values, state):
    """Nature's answers at one state, a linear program each over the states that matter; no stage game is solved.

    Over all 1,000 states each program would take a hundred times as long.
    """
    answers = np.zeros((2, *game.n_actions))
    for joint in np.ndindex(*game.n_actions):
        row = game.transitions[(state, *joint)]
        for player in range(2):
            places = np.union1d(np.flatnonzero(row), values[player].argmin())
            nominal, n, eye = row[places], len(places), np.eye(len(places))
            found = linprog(  # variables p and t >= |p - nominal|: sum(t) <= radius
                np.concatenate([values[player, places], np.zeros(n)]),
                A_ub=np.block([[eye, -eye], [-eye, -eye], [np.zeros((1, n)), np.ones((1, n))]]),
                b_ub=np.concatenate([nominal, -nominal, [RADIUS]]),
                A_eq=np.concatenate([np.ones(n), np.zeros(n)])[None],
                b_eq=[1.0],
            )
            answers[(player, *joint)] = game.rewards[(player, state, *joint)] + game.discount * found.fun
    return answers


def seconds(work, *, rounds=5):
    """Return the shortest CPU time of a call."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def compare(n_states, *, sample=5):
    """Return seconds for a sweep by us, and for nature's answers alone by linear programs, from a sample of states."""
    game = random_game(n_states)
    values = np.random.default_rng(1).normal(size=(2, n_states))
    ours = seconds(one_sweep(game))
    start = time.process_time()
    found = [straightforward(game, values, state) for state in range(sample)]
    theirs = (time.process_time() - start) / sample * n_states
    model = RobustModel(game, transition_set=L1Ambiguity(RADIUS))
    mine = np.stack([model.tensor(model.answer(i, values[i]).payoffs)[:sample] for i in range(2)], axis=1)
    np.testing.assert_allclose(mine, found, atol=1e-7)
    return ours, theirs


def growth(sizes=SIZES):
    """Return seconds of a sweep, and of a whole solution to 1e-6, by number of states."""
    rows = []
    for n_states in sizes:
        game = random_game(n_states)
        sweep = seconds(one_sweep(game))
        start = time.process_time()
        solution = robust_value_iteration(
            game, transition_set=L1Ambiguity(RADIUS), selection="first", tolerance=1e-6, max_iterations=60
        )
        rows.append((n_states, sweep, time.process_time() - start, solution.iterations))
    return rows


def test_a_sweep_over_a_thousand_states_is_fifty_times_a_loop_over_linear_programs():
    ours, theirs = compare(1000)
    assert theirs > 50 * ours


@pytest.mark.slow
def test_the_cost_of_a_sweep_is_linear_in_the_number_of_states():
    cost = {n: seconds(one_sweep(random_game(n))) for n in (250, 1000)}
    assert cost[1000] < 2 * 4 * cost[250]  # twice linear: a square would be four times


def draw(rows, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=150, layout="constrained")
    axes = figure.subplots()
    sizes = [row[0] for row in rows]
    axes.plot(sizes, [1000 * row[1] for row in rows], "o-", color="#0072B2", label="measured")
    per_state = rows[-1][1] / sizes[-1]
    axes.plot([0, sizes[-1]], [0, 1000 * per_state * sizes[-1]], ":", color="#D55E00", label="proportional")
    axes.set_xlabel("states (5 x 5 joint actions, 8 successors each)")
    axes.set_ylabel("milliseconds of CPU for one sweep")
    axes.set_title("Robust value iteration: two players, L1 sets, Lemke-Howson")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    ours, theirs = compare(1000, sample=20)
    print(f"1000 states x 5 x 5, L1: {ours:.3f} s a sweep, {theirs:.0f} s by linear programs: x{theirs / ours:.0f}")
    rows = growth()
    print(f"{'states':>8}{'s a sweep':>12}{'us a state':>12}{'s to solve':>12}{'sweeps':>8}")
    for n, sweep, whole, sweeps in rows:
        print(f"{n:>8}{sweep:>12.4f}{1e6 * sweep / n:>12.1f}{whole:>12.2f}{sweeps:>8}")
    draw(rows, Path(sys.argv[1] if len(sys.argv) > 1 else "sweep-cost.png"))
