"""Levels of an experiment draw the world towards its nominal value, and radii can be set."""

import gymnasium
import numpy as np
import pytest

from robust_envs import Finite, Interval, Linf, Relative, Scenarios, TotalVariation, Uniform, per_step, robust
from robust_envs.evaluation import evaluate
from robust_envs.sets import Shrunk, around, towards_nominal


@pytest.mark.parametrize(
    "members",
    [Interval(0.5, 2.0), Finite([0.5, 2.0]), Linf(1.0), Relative(0.5), per_step(Interval(0.5, 2.0))],
    ids=repr,
)
def test_half_a_level_is_half_the_delta_and_none_is_the_nominal_value(members):
    whole = around(members, [1.0]).bind(1)
    half, none = (around(towards_nominal(members, c), [1.0]).bind(1) for c in (0.5, 0.0))
    assert np.allclose(half.bounds.high, 0.5 * whole.bounds.high)
    assert np.allclose(half.bounds.low, 0.5 * whole.bounds.low)
    assert none.is_zero
    assert np.allclose(around(towards_nominal(towards_nominal(members, 0.5), 0.5), [1.0]).bind(1).bounds.high,
                       0.25 * whole.bounds.high)  # fmt: skip


def test_distributions_scale_by_their_radius_and_those_without_one_are_refused():
    assert towards_nominal(TotalVariation(0.2), 0.5) == TotalVariation(0.1)
    with pytest.raises(ValueError, match="must have a radius to be scaled"):
        towards_nominal(Scenarios([[0.5, 0.5]]), 0.5)


def test_shrunk_sets_can_be_used_in_the_sentence():
    env = robust(
        gymnasium.make("CartPole-v1"), dynamics={"masspole": Shrunk(Interval(0.2, 0.3), 0.5)}, nature=Uniform()
    )
    env.reset(seed=0)
    assert 0.15 <= env.unwrapped.masspole <= 0.2


def test_an_evaluation_over_levels_of_a_parameter_falls():
    def balance(observation):
        return int(observation @ np.array([0.1, 0.5, 3.0, 1.0]) > 0)

    found = evaluate(
        balance,
        lambda: gymnasium.make("CartPole-v1", max_episode_steps=200),
        dynamics={"tau": Interval(0.1, 0.12)},
        levels=(0.0, 0.2, 1.0),
        episodes=3,
    )
    means = [np.mean(cell.perturbed["agent_0"]) for cell in found.cells]
    assert means[0] == 200.0
    assert means[2] < 0.5 * means[0]


def test_the_radius_of_a_parameter_can_be_set():
    env = robust(gymnasium.make("CartPole-v1"), dynamics={"gravity": Linf(1.0)}, nature=Uniform())
    env.reset(seed=0, options={"radius": {"dynamics": 0.0}})
    assert env.unwrapped.gravity == 9.8
    env.radius = 5.0
    env.reset(seed=0)
    assert abs(env.unwrapped.gravity - 9.8) > 1.0
    env = robust(gymnasium.make("CartPole-v1"), dynamics={"gravity": Relative(0.1)}, nature=Uniform())
    env.radius = 0.0
    env.reset(seed=0)
    assert env.unwrapped.gravity == 9.8
