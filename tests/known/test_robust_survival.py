"""One state that survives with probability .9, reward 1, discount .9: worst failure rates at radius .1 in closed form.

The numbers are those of the theory sheet (G8); each follows from the definition of the set for two outcomes.
"""

import numpy as np
import pytest
from scipy.optimize import brentq

from robust_envs import sets

E, R = 0.1, 0.1


def binary_kl(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


KNOWN = [
    (sets.TotalVariation(0.0), E, 5.263158),
    (sets.L1Ambiguity(R), E + R / 2, 4.255319),
    (sets.TotalVariation(R), E + R, 3.571429),
    (sets.LinfAmbiguity(R), E + R, 3.571429),
    (sets.Wasserstein(R, [[0, 1], [1, 0]]), E + R, 3.571429),
    (sets.L2Ambiguity(R), E + R / np.sqrt(2), 3.942602),
    (sets.CVaR(0.5), E / 0.5, 3.571429),
    (sets.ChiSquared(R), E + np.sqrt(R * E * (1 - E)), 3.631326),
    (sets.Contamination(R), (1 - R) * E + R, 3.690037),
    (sets.KL(R), brentq(lambda p: binary_kl(p, E) - R, E, 0.9, xtol=1e-15), 3.019508),
    (sets.ReverseKL(R), brentq(lambda p: binary_kl(E, p) - R, E, 0.9, xtol=1e-15), 2.823732),
]


@pytest.mark.parametrize(("ambiguity", "rate", "value"), KNOWN, ids=[repr(row[0]) for row in KNOWN])
def test_the_worst_failure_rate_and_value_are_those_known(ambiguity, rate, value):
    _, p = ambiguity.worst_case([0.0, 1.0], [E, 1 - E])
    assert p[0] == pytest.approx(rate, abs=1e-12)
    v = 0.0
    for _ in range(400):
        v = 1 + 0.9 * ambiguity.worst_case([0.0, v], [E, 1 - E])[0]
    assert v == pytest.approx(value, abs=6e-7)
