"""Forward and backward passes of stacks: against autograd, finite differences, and the same network elsewhere."""

import pytest
import torch

from algos.deep import layers
from algos.deep.nets import StackedMLP


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(net, batch, *, dtype=torch.float32, runs=1):
    generators = [torch.Generator().manual_seed(run) for run in range(runs)]
    parameters = net.initialise(*generators, dtype=dtype)
    draws = torch.Generator().manual_seed(9)
    inputs = torch.randn(runs * len(net.fan_in), batch, net.sizes[0], generator=draws, dtype=dtype)
    gradient = torch.randn(*inputs.shape[:2], net.sizes[-1], generator=draws, dtype=dtype)
    return parameters.requires_grad_(), inputs.requires_grad_(), gradient


def gradients(evaluate, parameters, inputs, gradient):
    outputs = evaluate(parameters, inputs)
    return outputs.detach(), *torch.autograd.grad(outputs, [parameters, inputs], gradient)


@pytest.mark.parametrize("batch", [7, 512], ids=["together", "one at a time"])
@pytest.mark.parametrize("sizes", [(5, 64, 48, 1), (5, 64, 3), (5, 32, 32, 20), (4, 1)], ids=str)
def test_passes_are_those_that_torch_would_make(batch, sizes):
    net = StackedMLP((3, 5, 4), sizes)
    given = drawn(net, batch)
    for ours, torchs in zip(gradients(net, *given), gradients(net.evaluate, *given), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-4)


def test_gradients_are_those_of_finite_differences_and_can_be_differentiated_in_their_turn():
    net = StackedMLP((3, 2), (3, 6, 2))
    parameters, inputs, _ = drawn(net, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(net, (parameters, inputs))
    assert torch.autograd.gradgradcheck(net, (parameters, inputs))


def test_gradient_that_nobody_wants_is_not_made():
    net = StackedMLP((3, 2), (3, 6, 2))
    parameters, inputs, gradient = drawn(net, 4)
    for wanted in (parameters, inputs):
        others = (parameters.detach(), inputs) if wanted is inputs else (parameters, inputs.detach())
        (found,) = torch.autograd.grad(net(*others), [wanted], gradient)
        (expected,) = torch.autograd.grad(net.evaluate(*others), [wanted], gradient)
        torch.testing.assert_close(found, expected)


def test_without_onednn_the_numbers_are_the_same_to_rounding(monkeypatch):
    net = StackedMLP((40, 40), (40, 64, 64, 1))
    given = drawn(net, 512)
    fast = gradients(net, *given)
    monkeypatch.setattr(layers, "_linear", None)
    assert not layers.one_at_a_time(given[1], 64)
    for one, other in zip(fast, gradients(net, *given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [4, 16, 1024])
@pytest.mark.parametrize("sizes", [(6, 8, 8, 1), (11, 16, 5), (48, 64, 64, 1), (3, 1)], ids=str)
def test_run_beside_others_is_bit_for_bit_what_it_is_alone(batch, sizes):
    together, alone = StackedMLP((sizes[0],) * 2, sizes, 3), StackedMLP((sizes[0],) * 2, sizes)
    parameters, inputs, gradient = drawn(together, batch, runs=3)
    found = gradients(together, parameters, inputs, gradient)
    for run in range(3):
        rows = slice(2 * run, 2 * run + 2)
        own = [tensor[rows].detach().clone() for tensor in (parameters, inputs, gradient)]
        expected = gradients(alone, own[0].requires_grad_(), own[1].requires_grad_(), own[2])
        for all_runs, one in zip(found, expected, strict=True):
            assert torch.equal(all_runs[rows], one)


def test_what_all_agents_of_a_run_see_need_not_be_copied_for_each():
    net = StackedMLP((6, 6), (6, 16, 1), 2)
    parameters, _, _ = drawn(net, 4, runs=2)
    shared = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    seen = shared[:, None].expand(2, 2, 4, 6)
    torch.testing.assert_close(net(parameters, seen), net(parameters, seen.flatten(0, 1)))
