"""Robust losses and the geometry of actions: numbers by hand, slopes by finite differences, oracles."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.deep import robust_losses as losses
from algos.deep.games import Team
from algos.deep.heads import ActionSets, TorchHead

T = torch.tensor
PRESENT = T([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
ROWS = T([[1.0, 2.0, 9.0], [0.0, 1.0, 2.0]])
ACTIONS = T([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]], [[0.5, 0.5], [0.0, 0.0], [1.0, 0.0]]])
CASES = {
    "worst_step": {"gradient": T([[3.0, -4.0], [0.0, 2.0]]), "epsilon": T([[0.5], [2.0]])},
    "into_ball": {"outputs": T([[0.3, -0.4], [1.0, 0.0]]), "axes": T([2.0, 1.0])},
    "policy_change": {"actions_tm1": ACTIONS, "moved_tm1": ACTIONS.flip(1), "present_tm1": PRESENT},
    "nature_value_loss": {"q_tm1": ROWS, "present_tm1": PRESENT},
    "inference_loss": {"log_likelihood_tm1": -ROWS, "entropy_tm1": 2 * ROWS, "present_tm1": PRESENT, "weight": 0.25},
}


def call(name, **changes):
    return getattr(losses, name)(**{**CASES[name], **changes})


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("worst_step", [[-0.3, 0.4], [0.0, -2.0]]),
        ("into_ball", [[1.2 * math.tanh(0.5), -0.8 * math.tanh(0.5)], [2.0 * math.tanh(1.0), 0.0]]),
        # rows that are present: |(9,9)-(1,0)|^2 = 145 and 0; then 0.5, 0, 0.5.
        ("policy_change", [72.5, 1 / 3]),
        ("nature_value_loss", [1.5, 1.0]),
        ("inference_loss", [1.5 - 0.25 * 3.0, 1.0 - 0.25 * 2.0]),
    ],
)
def test_value_is_the_number_worked_out_by_hand(name, by_hand):
    torch.testing.assert_close(call(name), T(by_hand))


@pytest.mark.parametrize(("name", "argument"), [(n, a) for n, case in CASES.items() for a in case])
def test_every_argument_matters(name, argument):
    value = CASES[name][argument]
    changed = T([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]) if argument == "present_tm1" else value * 2 + 1
    assert not torch.allclose(call(name, **{argument: changed}), call(name))


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("into_ball", "outputs"),
        ("policy_change", "actions_tm1"),
        ("policy_change", "moved_tm1"),
        ("nature_value_loss", "q_tm1"),
        ("inference_loss", "log_likelihood_tm1"),
        ("inference_loss", "entropy_tm1"),
    ],
)
def test_gradient_is_the_finite_difference(name, argument):
    point = CASES[name][argument].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: call(name, **{argument: x}), (point,))


@pytest.mark.parametrize("name", ["policy_change", "nature_value_loss", "inference_loss"])
def test_wrong_rank_is_refused_by_name(name):
    for argument, value in CASES[name].items():
        if hasattr(value, "ndim"):
            with pytest.raises(ValueError, match=f"{argument} must have rank"):
                call(name, **{argument: value[0]})


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 3.0))
@settings(deadline=None, max_examples=30)
def test_worst_step_is_the_least_of_the_ball_and_network_outputs_stay_in_it(seed, epsilon):
    rng = np.random.default_rng(seed)
    gradient, others = (torch.from_numpy(rng.normal(size=(n, 4))) for n in (1, 200))
    step = losses.worst_step(gradient, torch.full((1, 1), epsilon, dtype=torch.float64))
    members = losses.into_ball(others * 5, torch.tensor(epsilon, dtype=torch.float64))
    assert float(members.norm(dim=-1).max()) <= epsilon * (1 + 1e-9)
    assert float(step.norm()) == pytest.approx(epsilon)
    assert float((gradient * step).sum()) <= float((gradient * members).sum(-1).min()) + 1e-9


def test_no_slope_no_step_and_outputs_near_zero_have_a_gradient():
    torch.testing.assert_close(losses.worst_step(torch.zeros(2, 3), T([[1.0]])), torch.zeros(2, 3))
    outputs = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    losses.into_ball(outputs, T([2.0]).double()).sum().backward()
    torch.testing.assert_close(outputs.grad, torch.full((1, 3), 2.0).double())


def team(*actions, continuous="tanh"):
    box = spaces.Box(-1.0, 1.0, (2,), np.float32)
    names = [f"a{i}" for i in range(len(actions))]
    return Team.of_spaces(names, [box] * len(actions), actions, continuous)


MIXED = team(spaces.Discrete(4), spaces.Box(-2.0, 3.0, (2,), np.float32), spaces.Discrete(3))


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_projected_actions_can_be_played_and_no_other_is_nearer(seed):
    rng = np.random.default_rng(seed)
    points = torch.from_numpy(rng.normal(size=(50, 3, 4)) * 2)
    nearest = ActionSets(MIXED, torch.device("cpu")).project(points)
    assert float(nearest[:, 1, :2].abs().max()) <= 1.0
    assert float(nearest[:, 1, 2:].abs().max()) == float(nearest[:, 2, 3:].abs().max()) == 0.0
    torch.testing.assert_close(nearest[:, 1, :2], points[:, 1, :2].clamp(-1, 1))
    for player, choices in ((0, 4), (2, 3)):
        found, given_ = nearest[:, player, :choices], points[:, player, :choices]
        assert float(found.min()) >= 0.0
        torch.testing.assert_close(found.sum(-1), torch.ones(50).double())
        others = torch.from_numpy(rng.dirichlet(np.ones(choices), 50))
        # The nearest point of a convex set sees no other at less than a right angle.
        assert float(((given_ - found) * (others - found)).sum(-1).max()) <= 1e-9


def test_projection_and_tangent_respect_what_is_legal():
    sets = ActionSets(team(spaces.Discrete(4), spaces.Discrete(4)), torch.device("cpu"))
    legal = T([[[True, True, False, False], [True, True, True, True]]])
    points = T([[[0.2, 0.4, 9.0, 9.0], [0.25, 0.25, 0.25, 0.25]]])
    torch.testing.assert_close(sets.project(points, legal), T([[[0.4, 0.6, 0.0, 0.0], [0.25] * 4]]))
    torch.testing.assert_close(sets.tangent(points, legal), T([[[-0.1, 0.1, 0.0, 0.0], [0.0] * 4]]))


def test_directions_along_which_actions_move_keep_their_sum():
    sets = ActionSets(MIXED, torch.device("cpu"))
    directions = torch.arange(12.0).reshape(1, 3, 4)
    along = sets.tangent(directions)
    torch.testing.assert_close(along.sum(-1)[:, [0, 2]], torch.zeros(1, 2))
    torch.testing.assert_close(along[0, 1], T([4.0, 5.0, 0.0, 0.0]))
    assert float(along[0, 2, 3]) == 0.0


def test_likelihood_is_that_of_a_categorical_and_of_a_gaussian_of_variance_one():
    head = TorchHead(MIXED, torch.device("cpu"))
    outputs = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    actions = torch.zeros(3, 5, 4)
    actions[0, :, 2] = actions[2, :, 1] = 1.0
    actions[1, :, :2] = T([0.3, -0.8])
    likelihood, entropy = head.log_likelihood(outputs, actions)
    for player, chosen, choices in ((0, 2, 4), (2, 1, 3)):
        exact = torch.distributions.Categorical(logits=outputs[player, :, :choices])
        torch.testing.assert_close(likelihood[player], exact.log_prob(T(chosen)))
        torch.testing.assert_close(entropy[player], exact.entropy())
    gaussian = torch.distributions.Normal(torch.tanh(outputs[1, :, :2]), 1.0)
    constant = math.log(2 * math.pi)
    torch.testing.assert_close(likelihood[1], gaussian.log_prob(T([0.3, -0.8])).sum(-1) + constant)
    assert float(entropy[1].abs().max()) == 0.0


@pytest.mark.parametrize("continuous", ["tanh", "softmax"])
def test_noise_on_target_actions_leaves_actions_that_can_be_played(continuous):
    box = spaces.Box(0.0, 1.0, (3,), np.float32)
    head = TorchHead(team(box, spaces.Discrete(3), continuous=continuous), torch.device("cpu"))
    outputs, noise = (torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    shaken = head.shaken(outputs, None, noise)
    torch.testing.assert_close(head.shaken(outputs, None, torch.zeros_like(noise)), head(outputs))
    soft = shaken if continuous == "softmax" else shaken[1:]
    torch.testing.assert_close(soft, torch.softmax((outputs + noise)[-len(soft) :], -1))
    if continuous == "tanh":
        torch.testing.assert_close(shaken[0], (torch.tanh(outputs[0]) + noise[0]).clamp(-1, 1))
