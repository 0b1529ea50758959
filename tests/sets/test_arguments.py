"""Bad arguments are refused where they are given, with parameter, rule and value."""

import subprocess
import sys

import numpy as np
import pytest

from robust_envs import sets
from robust_envs.sets import L1, L2, Budgeted, Ellipsoid, Finite, Interval, Linf, Switch, UncertaintySet

nan, inf = float("nan"), float("inf")

VALUES = [
    (lambda: Linf(-1), "radius must be finite and >= 0, got radius=-1"),
    (lambda: L1(-0.1), "radius must be finite and >= 0, got radius=-0.1"),
    (lambda: L2(nan), "radius must be finite and >= 0, got radius=nan"),
    (lambda: L2(inf), "radius must be finite and >= 0, got radius=inf"),
    (lambda: L2(10**400), "radius must be finite and >= 0, got radius=1000"),
    (lambda: L2(1.0).with_radius(-2), "radius must be finite and >= 0, got radius=-2"),
    (lambda: Ellipsoid([[1.0]], -1), "radius must be finite and >= 0, got radius=-1"),
    (lambda: Ellipsoid([[1.0]]).with_radius(nan), "radius must be finite and >= 0, got radius=nan"),
    (lambda: L2(1e300).scaled(1e300), "radius must be finite and >= 0, got radius=inf"),
    (lambda: Interval(-1.0, 1e300).scaled(1e300), "high must be finite, got high=inf"),
    (lambda: Finite([1e300]).bind(1).scaled(1e300), "members must be finite, got members=inf"),
    (lambda: L2(1e300, unit=(1.0, 1e300)), r"radius \* unit must be finite, got radius \* unit=inf"),
    (lambda: L2(1.0).scaled(-1), "c must be finite and >= 0, got c=-1"),
    (lambda: Interval(0.0, 1.0).scaled(nan), "c must be finite and >= 0, got c=nan"),
    (lambda: Finite([0.0]).scaled(-1), "c must be finite and >= 0, got c=-1"),
    (lambda: Switch(0.1).scaled(inf), "c must be finite and >= 0, got c=inf"),
    (lambda: Linf(1.0, unit=-1.0), "unit must be finite and >= 0, got unit=-1.0"),
    (lambda: Linf(1.0, unit=(1.0, nan)), "unit must be finite and >= 0, got unit=nan"),
    (lambda: Linf(1.0, unit=()), r"unit must not be empty, got unit=\(\)"),
    (lambda: Linf(1.0, dim=0), "dim must be a positive int, got dim=0"),
    (lambda: Linf(1.0, unit=(1.0, 2.0), dim=3), "unit must have one entry for each of 3 coordinates"),
    (lambda: Linf(1.0, names=("x", "x")), "names must be distinct and not empty"),
    (lambda: Linf(1.0, names=()), "names must be distinct and not empty"),
    (lambda: Interval(1.0, 0.0), r"low must be <= high, got low=1.0, high=0.0"),
    (lambda: Interval((0.0, 2.0), 1.0), "low must be <= high"),
    (lambda: Interval((0.0, 0.0), (1.0, 1.0, 1.0)), "low and high must have equal lengths"),
    (lambda: Interval(-inf, 0.0), "low must be finite, got low=-inf"),
    (lambda: Interval(0.0, nan), "high must be finite, got high=nan"),
    (lambda: Ellipsoid([[1.0, 2.0], [0.0, 1.0]]), "matrix must be symmetric"),
    (lambda: Ellipsoid([[1.0, 2.0], [2.0, 1.0]]), "matrix must be positive definite"),
    (lambda: Ellipsoid([[1.0, 1.0], [1.0, 1.0]]), "matrix must be positive definite"),
    (lambda: Ellipsoid([[0.0]]), "matrix must be positive definite"),
    (lambda: Ellipsoid([[1.0, 2.0]]), "matrix must be square"),
    (lambda: Ellipsoid([[nan]]), "matrix must be finite, got matrix=nan"),
    (lambda: Ellipsoid([[1.0, 2.0], [0.0]]), "matrix must have rows of equal length"),
    (lambda: Finite([]), r"members must not be empty, got members=\[\]"),
    (lambda: Finite([[0.0, 1.0], [0.0]]), "members must have rows of equal length"),
    (lambda: Finite([0.0, inf]), "members must be finite, got members=inf"),
    (lambda: Budgeted(1.0, -1), "budget must be finite and >= 0, got budget=-1"),
    (lambda: Switch(1.5), r"probability must be in \[0, 1\], got probability=1.5"),
    (lambda: Switch(-0.1), r"probability must be in \[0, 1\], got probability=-0.1"),
    (lambda: Switch(nan), r"probability must be in \[0, 1\], got probability=nan"),
    (lambda: L2(1.0).project(1.0), "delta must have coordinates on its last axis"),
    (lambda: L2(1.0).bind(2).grid(0), "n must be a positive int, got n=0"),
    (lambda: Interval(0.5, 1.0).fit([0.7], -1.0, 0.2), "no member of Interval"),
]

TYPES = [
    (lambda: Linf("0.1"), "radius must be a number, got radius='0.1'"),
    (lambda: L2(True), "radius must be a number, got radius=True"),
    (lambda: L2(np.bool_(True)), "radius must be a number"),
    (lambda: L2(None), "radius must be a number, got radius=None"),
    (lambda: L2([0.1]), r"radius must be a number, got radius=\[0.1\]"),
    (lambda: L2(1j), "radius must be a number"),
    (lambda: L2(1.0).scaled("2"), "c must be a number, got c='2'"),
    (lambda: Linf(1.0, unit="1"), "unit must be a number, got unit='1'"),
    (lambda: Linf(1.0, unit=[True, 1.0]), "unit must be a number, got unit=True"),
    (lambda: Linf(1.0, unit={1.0: 2.0}), "unit must be a number"),
    (lambda: Linf(1.0, names="xy"), "names must be a sequence of strings, got names='xy'"),
    (lambda: Linf(1.0, names=(1, 2)), "names must be a sequence of strings"),
    (lambda: Linf(1.0, dim=2.0), "dim must be a positive int, got dim=2.0"),
    (lambda: Linf(1.0, dim=True), "dim must be a positive int, got dim=True"),
    (lambda: Linf(1.0, 2.0), "positional argument"),
    (lambda: Linf(), "radius"),
    (lambda: Linf(1.0, radios=2.0), "radios"),
    (lambda: Interval("0", 1.0), "low must be a number, got low='0'"),
    (lambda: Ellipsoid(1.0), "matrix must be a sequence"),
    (lambda: Ellipsoid([["a"]]), "matrix must be a number"),
    (lambda: Finite(0.5), "members must be a sequence, got members=0.5"),
    (lambda: Finite([[["a"]]]), "members must be a number"),
    (lambda: Finite("ab"), "members must be a sequence"),
    (lambda: Switch("0.5"), "probability must be a number"),
    (lambda: L2(1.0).bind(2).sample(0), "rng must be a numpy.random.Generator or a torch.Generator, got rng=0"),
    (lambda: L2(1.0).bind(2).sample(None), "rng must be"),
    (lambda: L2(1.0).contains(["a"]), "delta must be an array of numbers"),
    (lambda: L2(1.0).bind(2).grid(1.5), "n must be a positive int, got n=1.5"),
    (lambda: UncertaintySet(), "abstract"),
]


@pytest.mark.parametrize(("build", "sentence"), VALUES, ids=[sentence for _, sentence in VALUES])
def test_bad_values_are_value_errors(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


@pytest.mark.parametrize(("build", "sentence"), TYPES, ids=[sentence for _, sentence in TYPES])
def test_wrong_kinds_are_type_errors(build, sentence):
    with pytest.raises(TypeError, match=sentence):
        build()


def test_numbers_of_all_kinds_are_radii():
    for radius in (1, 1.0, np.float32(1), np.int64(1), np.float64(1)):
        assert L2(radius) == L2(1.0)
        assert type(L2(radius).radius) is float


def test_arrays_lists_and_tuples_are_the_same_unit():
    for unit in ([1, 2], (1.0, 2.0), np.array([1, 2]), np.array([1.0, 2.0], np.float32)):
        assert L2(1.0, unit=unit) == L2(1.0, unit=(1.0, 2.0))
        assert hash(L2(1.0, unit=unit)) == hash(L2(1.0, unit=(1.0, 2.0)))


def test_sets_are_frozen():
    with pytest.raises(AttributeError):
        L2(1.0).radius = 2.0


def test_changing_the_array_given_does_not_change_the_set():
    unit = np.array([1.0, 2.0])
    s = L2(1.0, unit=unit)
    unit[:] = 9.0
    assert s.unit == (1.0, 2.0)


def test_repr_says_what_was_given_and_no_more():
    assert repr(Linf(0.1)) == "Linf(0.1)"
    assert repr(L2(1, unit=[1, 2], names=["x", "y"])) == "L2(1.0, names=('x', 'y'), unit=(1.0, 2.0))"
    assert repr(Interval(-0.0, 1)) == "Interval(0.0, 1.0)"
    assert repr(L2(1.0).bind(3)) == "L2(1.0, dim=3)"
    assert repr(Switch(0.5)) == "Switch(0.5)"


def test_exported_names_are_there_and_sorted():
    assert set(sets.__all__) == {name for name in vars(sets) if not name.startswith("_") and name[0].isalpha()} - {
        name for name in vars(sets) if type(vars(sets)[name]).__name__ == "module"
    }


def test_importing_sets_leaves_torch_out():
    code = "import sys, robust_envs.sets; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
