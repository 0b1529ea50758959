"""Bad arguments of sets of distributions are refused, with parameter, rule and value."""

import numpy as np
import pytest

from robust_envs.sets import KL, Contamination, CVaR, L2Ambiguity, ReverseKL, Scenarios, TotalVariation, Wasserstein

nan, inf = float("nan"), float("inf")
EVEN = [0.5, 0.5]

VALUES = [
    (lambda: TotalVariation(-1), "radius must be finite and >= 0, got radius=-1"),
    (lambda: KL(nan), "radius must be finite and >= 0, got radius=nan"),
    (lambda: KL([0.1, inf]), "radius must be finite and >= 0, got radius=inf"),
    (lambda: KL([]), r"radius must not be empty, got radius=\[\]"),
    (lambda: KL([[0.1], [0.1, 0.2]]), "radius must have rows of equal length"),
    (lambda: Contamination(1.5), r"radius must be in \[0, 1\], got radius=1.5"),
    (lambda: CVaR(0.0), r"alpha must be in \(0, 1\], got alpha=0.0"),
    (lambda: CVaR(2), r"alpha must be in \(0, 1\], got alpha=2"),
    (lambda: Scenarios([]), r"members must not be empty, got members=\[\]"),
    (lambda: Scenarios([[0.5, 0.6]]), "members must sum to 1 over its last axis, got a sum of 1.1"),
    (lambda: Scenarios([EVEN]).worst_case([1.0, 2.0, 3.0]), "members must have 3 entries each, got 2"),
    (lambda: Wasserstein(0.1, [[0, 1]]), "metric must be square"),
    (lambda: Wasserstein(0.1, [[1, 1], [1, 0]]), "metric must be 0 on the diagonal"),
    (lambda: Wasserstein(0.1, [[0, 0], [0, 0]]), "metric must be > 0 off the diagonal"),
    (lambda: Wasserstein(0.1, [[0, 1], [2, 0]]), "metric must be symmetric"),
    (lambda: Wasserstein(0.1, [[0, 1, 9], [1, 0, 1], [9, 1, 0]]), "metric must satisfy the triangle inequality"),
    (lambda: Wasserstein(0.1, [[0, nan], [nan, 0]]), "metric must be finite, got metric=nan"),
    (lambda: Wasserstein(0.1, [[0, 1], [1, 0]]).worst_case([1, 2, 3], [1, 0, 0]), "metric must have one row for each"),
    (lambda: KL(0.1).worst_case([0.0, nan], EVEN), "values must be finite, got an entry nan"),
    (lambda: KL(0.1).worst_case([0.0, -inf], EVEN), "values must be finite, got an entry -inf"),
    (lambda: KL(0.1).worst_case([0.0, 1.0], [0.5, 0.6]), "nominal must sum to 1 over its last axis, got a sum of 1.1"),
    (lambda: KL(0.1).worst_case([0.0, 1.0], [1.5, -0.5]), "nominal must have entries >= 0, got an entry -0.5"),
    (lambda: KL(0.1).worst_case([0.0, 1.0], [nan, 1.0]), "nominal must have entries >= 0, got an entry nan"),
    (lambda: KL(0.1).worst_case([0.0, 1.0, 2.0], EVEN), "must broadcast, got shapes"),
    (lambda: KL(0.1).worst_case([0.0], EVEN), "nominal must have 1 entries on its last axis"),
    (lambda: KL([0.1, 0.2, 0.3]).worst_case(np.zeros((2, 2)), EVEN), "values, nominal and radius must broadcast"),
    (lambda: KL(0.1).worst_case(1.0, EVEN), "values must have coordinates on its last axis"),
    (lambda: KL(0.1).worst_case([], []), "values must not be empty on its last axis"),
    (lambda: KL(0.1).contains(EVEN, [0.5, 0.6]), "nominal must sum to 1"),
    (lambda: KL(0.1).contains(EVEN, EVEN, -1), "tolerance must be finite and >= 0, got tolerance=-1"),
    (lambda: KL(0.1).project([0.0, 1.0], EVEN), "q must be > 0 wherever nominal is"),
    (lambda: KL(0.1).project([nan, 1.0], EVEN), "q must be finite, got an entry nan"),
    (lambda: KL(0.1).sample(np.random.default_rng(0), [0.5, 0.6]), "nominal must sum to 1"),
    (lambda: L2Ambiguity(0.1).worst_case_srect([[0.0, 1.0]], [EVEN], [0.7]), "policy must sum to 1"),
    (lambda: L2Ambiguity(0.1).worst_case_srect(np.zeros((3, 2)), [EVEN], EVEN), "policy and radius must broadcast"),
]

TYPES = [
    (lambda: TotalVariation("0.1"), "radius must be a number, got radius='0.1'"),
    (lambda: TotalVariation(True), "radius must be a number, got radius=True"),
    (lambda: TotalVariation(0.1, support_only=1), "support_only must be a bool, got support_only=1"),
    (lambda: TotalVariation(0.1, True), "positional argument"),
    (lambda: Scenarios(0.5), "members must be a sequence, got members=0.5"),
    (lambda: Wasserstein(0.1, 1.0), "metric must be a sequence, got metric=1.0"),
    (lambda: KL(0.1).worst_case(["a", "b"], EVEN), "values must be an array of numbers"),
    (lambda: KL(0.1).sample(0, EVEN), "rng must be a numpy.random.Generator or a torch.Generator, got rng=0"),
]


@pytest.mark.parametrize(("build", "sentence"), VALUES, ids=[sentence for _, sentence in VALUES])
def test_bad_values_are_value_errors(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


@pytest.mark.parametrize(("build", "sentence"), TYPES, ids=[sentence for _, sentence in TYPES])
def test_wrong_kinds_are_type_errors(build, sentence):
    with pytest.raises(TypeError, match=sentence):
        build()


@pytest.mark.parametrize("ambiguity", [ReverseKL(0.1), Wasserstein(0.1, [[0, 1], [1, 0]])])
def test_no_projection_is_better_than_a_wrong_one(ambiguity):
    with pytest.raises(NotImplementedError, match="has no exact projection"):
        ambiguity.project(EVEN, EVEN)


def test_nothing_is_rescaled():
    # A sum that is off by less than rounding in single precision is taken as it is, and comes out as it is.
    p0 = np.array([0.5, 0.5 + 1e-9])
    assert Contamination(0.0).worst_case([0.0, 1.0], p0)[1].tolist() == p0.tolist()
