import pytest
import torch

from algos.deep import losses

T = torch.tensor
PRESENT = T([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
ACTOR = {
    "q_tm1": T([[1.0, 3.0, 9.0], [0.0, 2.0, 4.0]]),
    "outputs_tm1": T([[[1.0, 1.0], [2.0, 0.0], [9.0, 9.0]], [[3.0, 7.0], [1.0, 7.0], [2.0, 7.0]]]),
    "real": T([[1.0, 1.0], [1.0, 0.0]]),
    "present_tm1": PRESENT,
    "penalty": 0.5,
}
CRITIC = {"q_tm1": T([[1.0, 2.0, 9.0], [0.0, 1.0, 2.0]]), "target_tm1": torch.ones(2, 3), "present_tm1": PRESENT}
NATURE = {"n_tm1": T([[1.0, 2.0, 9.0], [0.0, 1.0, 2.0]]), "r_t": torch.full((2, 3), 2.0), "present_tm1": PRESENT}
TARGET = {"r_t": T([[1.0, 2.0]]), "discount_t": T([[0.5, 0.0]]), "q_t": T([[10.0, 20.0]])}
CASES = {
    "actor_loss": ACTOR,
    "critic_loss": CRITIC,
    "nature_regression_loss": NATURE,
    "nature_published_loss": {**NATURE, "weight": 0.25},
    "bootstrapped_target": TARGET,
}


def call(name, **changes):
    return getattr(losses, name)(**{**CASES[name], **changes})


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        # -mean q = -2 and -2; penalty 0.5 * mean over real outputs: rows (1, 2) and (9, 1, 4).
        ("actor_loss", [-2.0 + 0.5 * 1.5, -2.0 + 0.5 * 14 / 3]),
        ("critic_loss", [0.5, 2 / 3]),
        ("nature_regression_loss", [0.5, 5 / 3]),
        ("nature_published_loss", [1.5 + 0.25 * 0.5, 1.0 + 0.25 * 5 / 3]),
        ("bootstrapped_target", [[6.0, 2.0]]),
    ],
)
def test_loss_is_the_number_worked_out_by_hand(name, by_hand):
    torch.testing.assert_close(call(name), T(by_hand))


@pytest.mark.parametrize(("name", "argument"), [(n, a) for n, case in CASES.items() for a in case])
def test_every_argument_matters(name, argument):
    value = CASES[name][argument]
    changed = 1.0 - value if argument in ("present_tm1", "real") else value * 2 + 1
    if argument == "real":
        changed = T([[1.0, 0.0], [1.0, 0.0]])
    assert not torch.allclose(call(name, **{argument: changed}), call(name))


@pytest.mark.parametrize(
    ("name", "argument"),
    [(n, a) for n, case in CASES.items() for a, v in case.items() if v is not None and hasattr(v, "ndim")],
)
def test_wrong_rank_is_refused_by_name(name, argument):
    with pytest.raises(ValueError, match=f"{argument} must have rank"):
        call(name, **{argument: CASES[name][argument][0]})


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("critic_loss", ("q_tm1",)),
        ("actor_loss", ("q_tm1", "outputs_tm1")),
        ("nature_regression_loss", ("n_tm1",)),
        ("nature_published_loss", ("n_tm1",)),
    ],
)
def test_gradient_is_the_finite_difference(name, inputs):
    points = tuple(CASES[name][argument].double().requires_grad_() for argument in inputs)
    assert torch.autograd.gradcheck(lambda *x: call(name, **dict(zip(inputs, x, strict=True))), points)


def test_no_gradient_flows_through_the_target():
    assert not call("bootstrapped_target", q_t=T([[1.0, 1.0]], requires_grad=True)).requires_grad


def test_absent_agents_do_not_count():
    spoiled = CRITIC["q_tm1"].clone()
    spoiled[0, 2] = -1e6
    torch.testing.assert_close(call("critic_loss", q_tm1=spoiled), call("critic_loss"))


def test_agent_that_was_never_there_has_loss_zero():
    torch.testing.assert_close(call("critic_loss", present_tm1=torch.zeros(2, 3)), torch.zeros(2))


@pytest.mark.parametrize("weight", [0.1, 1.0, 10.0])
def test_published_nature_is_least_at_mean_reward_less_one_over_twice_the_weight(weight):
    rewards = torch.linspace(-1, 3, 5)[None]
    best = rewards.mean() - 1 / (2 * weight)
    natures = (best + T([0.0, 0.01, -0.01]))[:, None].expand(3, 5)
    losses_at = losses.nature_published_loss(natures, rewards.expand(3, 5), torch.ones(3, 5), weight)
    assert losses_at.argmin() == 0


def test_large_weight_makes_the_published_nature_a_regression():
    published = call("nature_published_loss", weight=1e6) / 1e6
    torch.testing.assert_close(published, call("nature_regression_loss"), rtol=1e-4, atol=1e-4)
