"""Deltas of a distribution: the ambiguity set, moved so that the nominal distribution is 0."""

from __future__ import annotations

import numpy as np
import pytest

from robust_envs.sets import KL, Contamination, L2Ambiguity, Moved, TotalVariation

P = (0.2, 0.3, 0.5)
VALUES = np.array([1.0, 5.0, 2.0])


@pytest.mark.parametrize("around", [TotalVariation(0.2), KL(0.1), L2Ambiguity(0.2)])
def test_the_worst_delta_leads_to_the_worst_distribution(around):
    moved = Moved(around, P)
    worst = moved.worst(VALUES)
    assert np.allclose(worst, around.worst_case(VALUES, np.array(P))[1] - P, atol=1e-9)
    assert abs(worst.sum()) < 1e-9
    assert moved.contains(worst, tolerance=1e-9)


def test_members_are_deltas_of_distributions_in_the_set():
    around = TotalVariation(0.2)
    moved = Moved(around, P)
    drawn = moved.sample(np.random.default_rng(0), (100,))
    assert drawn.shape == (100, 3)
    assert moved.contains(drawn, tolerance=1e-9).all()
    assert around.contains(drawn + P, np.array(P), 1e-9).all()
    assert not moved.contains(np.array([0.5, -0.25, -0.25]))
    assert not moved.contains(np.array([0.05, 0.05, 0.05])), "the sum stays 1"


def test_projections_are_inside_and_leave_members_alone():
    moved = Moved(TotalVariation(0.2), P)
    inside = np.array([0.1, -0.1, 0.0])
    assert np.array_equal(moved.project(inside), inside)
    outside = moved.project(np.array([0.6, -0.2, -0.4]))
    assert moved.contains(outside, tolerance=1e-9)
    assert outside[0] > 0


def test_a_share_of_the_set_is_the_set_drawn_towards_the_nominal_distribution():
    moved = Moved(TotalVariation(0.2), P)
    half = moved.scaled(0.5)
    assert np.allclose(half.worst(VALUES), 0.5 * moved.worst(VALUES))
    assert half.contains(half.worst(VALUES), tolerance=1e-9)
    assert not half.contains(moved.worst(VALUES))
    assert moved.scaled(0.0).is_zero
    assert moved.scaled(0.0).contains(np.zeros(3))
    with pytest.raises(ValueError, match=r"c must be in \[0, 1\] for distributions, got c=2"):
        moved.scaled(2)


def test_the_radius_is_that_of_the_ambiguity_set():
    moved = Moved(TotalVariation(0.2), P)
    assert moved.radius == 0.2
    assert moved.with_radius(0.1) == Moved(TotalVariation(0.1), P)
    assert Moved(TotalVariation(0.0), P).is_zero
    assert Moved(TotalVariation(0.0), P).monotone
    assert moved.dim == 3
    assert moved.names is None
    assert moved.bind(3) is moved
    low, high = moved.bounds.low, moved.bounds.high
    assert (low <= moved.worst(VALUES) + 1e-9).all()
    assert (moved.worst(VALUES) <= high + 1e-9).all()


def test_contamination_draws_towards_anything():
    moved = Moved(Contamination(0.3), P)
    assert np.allclose(moved.worst(VALUES), 0.7 * np.array(P) + 0.3 * np.array([1.0, 0.0, 0.0]) - P)
