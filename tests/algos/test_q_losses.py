import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from algos.deep import q_losses
from algos.deep.q_sets import Tail
from robust_envs import Contamination, CVaR, L1Ambiguity, TotalVariation

T = torch.tensor
V = T([[0.0, 4.0, 9.0], [1.0, -1.0, 2.0]])
ETA = T([[2.0, 2.0, 2.0], [0.0, 0.0, 3.0]])
Q = T([[[1.0, 5.0, 9.0], [2.0, 0.0, -1.0]]])
CHOOSER = T([[[3.0, 2.0, 7.0], [0.0, 1.0, 5.0]]])
LEGAL = T([[[True, True, False], [True, True, True]]])
WEIGHTS = T([[[1.0, -2.0, 0.5, 0.0, 1.0, -30.0, 2.0, -1.0, 10.0]]])  # W1 (2, 2), b1 (2), w2 (2), v
CASES = {
    "taken": {"q_tm1": Q, "action_tm1": T([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])},
    "greedy_value": {"q_t": Q, "chooser_t": CHOOSER, "legal_t": LEGAL},
    "tail_value": {"v_t": V, "eta_tm1": ETA, "level": 0.5},
    "tail_loss": {"v_t": V, "eta_tm1": ETA, "present_tm1": T([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]), "level": 0.5},
    "with_floor": {"v_t": V, "floor": T([[-10.0], [0.0]]), "share": 0.25},
    "least": {"v": V, "counts": T([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])},
    "mix": {"q": T([[[2.0, 3.0]]]), "weights": WEIGHTS, "size": 2},
}
BY_HAND = {
    "taken": [[5.0, 0.0]],
    "greedy_value": [[1.0, -1.0]],  # the chooser likes actions 0 (2 is illegal) and 2
    "tail_value": [[-2.0, 2.0, 2.0], [0.0, -2.0, 1.0]],
    "tail_loss": [0.0, 1 / 3],
    "with_floor": [[-2.5, 0.5, 4.25], [0.75, -0.75, 1.5]],
    "least": [[4.0], [-1.0]],
    # |W1| = (1, 2; 0.5, 0): hidden (2 + 1.5 + 1, 4 + 0 - 30) = (4.5, -26), elu (4.5, -1), |w2| = (2, 1)
    "mix": [[9.0 - 1.0 + 10.0]],
}


def call(name, **changes):
    return getattr(q_losses, name)(**{**CASES[name], **changes})


@pytest.mark.parametrize("name", CASES)
def test_value_is_the_number_worked_out_by_hand(name):
    torch.testing.assert_close(call(name), T(BY_HAND[name]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("taken", {"q_tm1": Q + 1.0}),
        ("taken", {"action_tm1": T([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])}),
        ("greedy_value", {"q_t": Q + 1.0}),
        ("greedy_value", {"chooser_t": -CHOOSER}),
        ("greedy_value", {"legal_t": ~LEGAL}),
        ("tail_value", {"v_t": V - 1.0}),
        ("tail_value", {"eta_tm1": ETA + 1.0}),
        ("tail_value", {"level": 0.9}),
        ("tail_loss", {"v_t": V - 1.0}),
        ("tail_loss", {"eta_tm1": ETA + 1.0}),
        ("tail_loss", {"present_tm1": torch.ones(2, 3)}),
        ("tail_loss", {"level": 0.9}),
        ("with_floor", {"v_t": V + 1.0}),
        ("with_floor", {"floor": T([[0.0], [0.0]])}),
        ("with_floor", {"share": 0.5}),
        ("least", {"v": V - 1.0}),
        ("least", {"counts": torch.ones(2, 3)}),
        ("mix", {"q": T([[[2.0, 4.0]]])}),
        ("mix", {"weights": WEIGHTS + 1.0}),
    ],
)
def test_every_argument_matters(name, changes):
    assert not torch.allclose(call(name, **changes), call(name))


@pytest.mark.parametrize(
    ("name", "argument"),
    [(n, a) for n, case in CASES.items() for a, v in case.items() if hasattr(v, "ndim") and a != "legal_t"],
)
def test_wrong_rank_is_refused_by_name(name, argument):
    with pytest.raises(ValueError, match=f"{argument} must have rank"):
        call(name, **{argument: CASES[name][argument][0]})


@pytest.mark.parametrize(
    ("name", "inputs"),
    [("taken", ("q_tm1",)), ("tail_loss", ("eta_tm1",)), ("mix", ("q", "weights")), ("with_floor", ("v_t",))],
)
def test_gradient_is_the_finite_difference(name, inputs):
    nudge = 0.01  # off the corners of max and |w|
    points = tuple((CASES[name][argument].double() + nudge).requires_grad_() for argument in inputs)
    assert torch.autograd.gradcheck(lambda *x: call(name, **dict(zip(inputs, x, strict=True))), points)


def test_learner_that_was_never_there_has_floor_zero():
    assert torch.equal(call("least", counts=torch.zeros(2, 3)), torch.zeros(2, 1))


def test_maximum_is_what_a_network_chooses_for_itself():
    everything = torch.ones(1, 2, 3, dtype=torch.bool)
    assert torch.equal(call("greedy_value", chooser_t=Q, legal_t=everything), Q.amax(-1))


numbers = st.floats(-5.0, 5.0, width=32)
vectors = st.lists(numbers, min_size=3, max_size=3)


@settings(deadline=None, max_examples=60)
@given(q=vectors, rise=st.lists(st.floats(0.0, 5.0, width=32), min_size=3, max_size=3), data=st.data())
def test_team_value_never_falls_where_agents_values_rise(q, rise, data):
    size = data.draw(st.integers(1, 4))
    count = 3 * size + 2 * size + 1
    weights = T([[data.draw(st.lists(numbers, min_size=count, max_size=count))]])
    low = T([[q]]).requires_grad_()
    below = q_losses.mix(low, weights, size)
    above = q_losses.mix(low.detach() + T([[rise]]), weights, size)
    assert (above >= below - 1e-4 * (1 + below.abs())).all()
    (gradient,) = torch.autograd.grad(below.sum(), low)
    assert (gradient >= 0).all()


probabilities = st.lists(st.integers(0, 6), min_size=4, max_size=4).filter(sum).map(lambda c: np.array(c) / sum(c))
SETS = st.one_of(
    st.floats(0.0, 1.0).map(Contamination),
    st.floats(0.0, 1.0).map(TotalVariation),
    st.floats(0.0, 2.0).map(L1Ambiguity),
    st.floats(0.01, 1.0).map(CVaR),
)


@settings(deadline=None, max_examples=150)
@given(members=SETS, values=st.lists(st.integers(-5, 5), min_size=4, max_size=4), nominal=probabilities)
def test_best_dual_variable_gives_the_worst_case_of_the_set(members, values, nominal):
    tail, v = Tail.of(members), torch.tensor([values], dtype=torch.float64)
    etas = v.T.expand(4, 4)  # the dual is piecewise linear: its maximum is at one of the values
    p = torch.from_numpy(nominal)
    best = (q_losses.tail_value(v.expand(4, 4), etas, tail.level) * p).sum(1).max().reshape(1, 1)
    found = q_losses.with_floor(best, q_losses.least(v, torch.ones_like(v)), tail.floor_share)
    exact, _ = members.worst_case(np.array(values, float), nominal)
    assert found.item() == pytest.approx(float(exact), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(level=st.floats(0.05, 1.0), eta=numbers, values=st.lists(st.integers(-5, 5), min_size=4, max_size=4))
def test_any_dual_variable_is_below_the_worst_case(level, eta, values):
    v = torch.tensor([values], dtype=torch.float64)
    guess = q_losses.tail_value(v, torch.full_like(v, eta), level).mean().item()
    exact, _ = CVaR(level).worst_case(np.array(values, float), np.full(4, 0.25))
    assert guess <= float(exact) + 1e-6
