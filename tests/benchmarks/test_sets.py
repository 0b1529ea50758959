"""How long projections and worst cases take, in passes of `np.sort` and `np.exp` over the same rows.

Run as a program it prints the table: `python tests/benchmarks/test_sets.py [rows]`.
"""

import sys

import numpy as np
import pytest
from interleaved import cpu_seconds

from robust_envs.sets import KL, L1, ChiSquared, Contamination, CVaR, L2Ambiguity, TotalVariation, Wasserstein

DIMS = (8, 64, 512)
# How many passes of `np.sort` each may take: about twice what was measured, so that a lost order of magnitude shows.
LIMITS = {"L1 projection": 18.0, "TotalVariation": 60.0, "ChiSquared": 75.0, "KL": 80.0}


def chunks(rows, dim):
    """Pieces of work over the same rows; a third of the points lies inside the L1 ball."""
    rng = np.random.default_rng(0)
    x, p0 = rng.normal(size=(rows, dim)), rng.dirichlet(np.ones(dim), size=rows)
    ball = L1(float(np.quantile(np.abs(x).sum(-1), 1 / 3)))
    sets = {"TotalVariation": TotalVariation(0.1), "ChiSquared": ChiSquared(0.1), "KL": KL(0.1)}
    sets |= {"Contamination": Contamination(0.1), "CVaR": CVaR(0.5), "L2Ambiguity": L2Ambiguity(0.1)}
    work = {"sort": lambda: np.sort(x), "exp": lambda: np.exp(x), "L1 projection": lambda: ball.project(x)}
    return work | {name: lambda u=u: u.worst_case(x, p0) for name, u in sets.items()}


def measure(rows, dim, *, rounds=3):
    """Return by name (CPU seconds, passes of sort, passes of exp)."""
    seconds = cpu_seconds(chunks(rows, dim), rounds=rounds)
    return {name: (own, own / seconds["sort"], own / seconds["exp"]) for name, own in seconds.items()}


@pytest.mark.slow
@pytest.mark.parametrize("dim", DIMS)
def test_passes_stay_within_their_limits(dim):
    measured = measure(1_000_000 // dim, dim, rounds=7)
    assert {name: measured[name][1] for name, limit in LIMITS.items() if measured[name][1] > limit} == {}


@pytest.mark.slow
@pytest.mark.parametrize("dim", [8, 64])
def test_every_worst_case_is_many_times_faster_than_a_loop_over_cvxpy(dim):
    cp = pytest.importorskip("cvxpy")
    rows, solved = 2000, 5
    rng = np.random.default_rng(0)
    v, p0 = rng.normal(size=(rows, dim)), rng.dirichlet(np.ones(dim), size=rows)
    p, values, nominal = cp.Variable(dim, nonneg=True), cp.Parameter(dim), cp.Parameter(dim)
    problem = cp.Problem(cp.Minimize(values @ p), [cp.sum(p) == 1, cp.norm1(p - nominal) <= 0.2])

    def loop():
        for i in range(solved):
            values.value, nominal.value = v[i], p0[i]
            problem.solve(cp.CLARABEL)

    loop()  # the first solve compiles
    metric = 1.0 - np.eye(dim)
    sets = [TotalVariation(0.1), ChiSquared(0.1), KL(0.1), L2Ambiguity(0.1), Wasserstein(0.1, metric)]
    work = {repr(type(u)): lambda u=u: u.worst_case(v, p0) for u in sets}
    seconds = cpu_seconds({"loop": loop, **work}, rounds=3)
    ratios = {name: seconds["loop"] / solved * rows / seconds[name] for name in work}
    assert {name: ratio for name, ratio in ratios.items() if ratio < (5 if "Wasserstein" in name else 50)} == {}


if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{'':16}{'dim':>5}{'seconds':>10}{'x sort':>9}{'x exp':>9}")
    for dim in DIMS:
        for name, (own, sorts, exps) in measure(rows, dim).items():
            print(f"{name:16}{dim:5}{own:10.4f}{sorts:9.1f}{exps:9.1f}")
