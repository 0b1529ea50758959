"""What cannot be cut is refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from robust_envs import L1, L2, Ellipsoid, Finite, Interval, Linf, intersect


@pytest.mark.parametrize(
    ("inner", "box", "kind", "reason"),
    [
        (Linf(0.1), Interval(1.0, 2.0), ValueError, "must have a member in common"),
        (L2(1.0), L1(1.0), (TypeError, ValueError), "box"),
        (Finite([1, 2]), Interval(-1, 1), (TypeError, ValueError), "Finite"),
        (L2(0.1), Interval((1.0, 1.0), (2.0, 2.0)), ValueError, "must have a member in common"),
        (Ellipsoid([[2.0, 1.0], [1.0, 2.0]]), Interval((0.5, 0.5), (2.0, 2.0)), ValueError, "must hold 0"),
    ],
)
def test_it_is_refused(inner, box, kind, reason):
    with pytest.raises(kind, match=reason):
        intersect(inner, box).bind(2)


def test_a_box_that_only_touches_leaves_one_point():
    cut = intersect(L2(1.0), Interval((1.0, -1.0), (2.0, 1.0))).bind(2)
    assert np.allclose(cut.project(np.array([5.0, 0.3])), [1.0, 0.0], atol=1e-6)
    assert np.allclose(cut.worst(np.array([1.0, 0.0])), [1.0, 0.0], atol=1e-6)


def test_a_box_cut_by_a_box_is_a_box():
    assert intersect(Linf(1.0), Linf(0.5)) == Interval(-0.5, 0.5)
    assert intersect(Linf(1.0, unit=(1.0, 2.0)), Interval(-1.5, 1.5)).bind(2).bounds.high.tolist() == [1.0, 1.5]
