import numpy as np
import pytest
import torch
from torch import nn

from algos.deep.nets import LearnedStack, NumpyMLP, StackedMLP

FAN_IN = (5, 3, 4)
SIZES = (5, 8, 6, 2)


@pytest.fixture
def net():
    return StackedMLP(FAN_IN, SIZES)


@pytest.fixture
def parameters(net):
    return net.initialise(torch.Generator().manual_seed(0))


@pytest.fixture
def inputs():
    x = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(1))
    return x * (torch.arange(5) < torch.tensor(FAN_IN)[:, None, None])


def separate(net, parameters, agent):
    """Build the ordinary torch module of one agent, without its padding."""
    modules = []
    for weight, bias in net.layers(parameters.detach()):
        real = FAN_IN[agent] if not modules else weight.shape[1]
        linear = nn.Linear(real, weight.shape[2])
        linear.weight.data = weight[agent, :real].T.clone()
        linear.bias.data = bias[agent, 0].clone()
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("outputs", [1, 2])
def test_stack_equals_separate_networks(inputs, outputs):
    net = StackedMLP(FAN_IN, (*SIZES[:-1], outputs))
    parameters = net.initialise(torch.Generator().manual_seed(0))
    stacked = net(parameters, inputs)
    for i, real in enumerate(FAN_IN):
        torch.testing.assert_close(stacked[i], separate(net, parameters, i)(inputs[i, :, :real]))


@pytest.mark.parametrize("max_grad_norm", [0.05, 1e9])
def test_stack_learns_as_separate_networks_do(net, parameters, inputs, max_grad_norm):
    stack = LearnedStack(net, parameters, learning_rate=0.05, max_grad_norm=max_grad_norm)
    modules = [separate(net, parameters, i) for i in range(3)]
    adams = [torch.optim.Adam(module.parameters(), lr=0.05) for module in modules]
    for _ in range(5):
        norms = stack.descend(stack(inputs).square().mean(dim=(1, 2)))
        for i, (module, adam) in enumerate(zip(modules, adams, strict=True)):
            adam.zero_grad()
            module(inputs[i, :, : FAN_IN[i]]).square().mean().backward()
            norm = nn.utils.clip_grad_norm_(module.parameters(), max_grad_norm)
            torch.testing.assert_close(norm, norms[i], rtol=1e-4, atol=1e-6)
            adam.step()
    for i, module in enumerate(modules):
        torch.testing.assert_close(stack(inputs)[i], module(inputs[i, :, : FAN_IN[i]]), rtol=1e-4, atol=1e-5)


def test_one_agents_loss_moves_that_agent_only(net, parameters, inputs):
    stack = LearnedStack(net, parameters, learning_rate=0.1, max_grad_norm=1.0)
    stack.descend(stack(inputs).square().mean(dim=(1, 2)) * torch.tensor([0.0, 1.0, 0.0]))
    moved = (stack.parameters != parameters).any(dim=1)
    assert moved.tolist() == [False, True, False]


def test_weights_of_padding_never_move(net, parameters, inputs):
    stack = LearnedStack(net, parameters, learning_rate=0.1, max_grad_norm=1.0)
    stack.descend(stack(inputs).square().mean(dim=(1, 2)))
    before, after = (net.layers(p)[0][0] for p in (parameters, stack.parameters))
    assert torch.equal(before[1, 3:], after[1, 3:])
    assert not torch.equal(before[1, :3], after[1, :3])


def test_initial_scale_is_that_of_the_real_inputs():
    net = StackedMLP((4, 400), (400, 1000, 1))
    weight, bias = net.layers(net.initialise(torch.Generator().manual_seed(0)))[0]
    for agent, fan_in in enumerate((4, 400)):
        for tensor in (weight[agent], bias[agent]):
            assert 0.95 * fan_in**-0.5 < tensor.abs().max() <= fan_in**-0.5


def test_numpy_copy_agrees_and_follows_only_when_refreshed(net, parameters, inputs):
    stack = LearnedStack(net, parameters, learning_rate=0.1, max_grad_norm=1.0)
    copy, x = NumpyMLP(stack), inputs[:, 0].numpy()
    before = copy(x)
    np.testing.assert_allclose(before, stack(inputs)[:, 0].detach().numpy(), rtol=1e-5, atol=1e-6)
    stack.descend(stack(inputs).square().mean(dim=(1, 2)))
    np.testing.assert_array_equal(copy(x), before)
    copy.refresh()
    np.testing.assert_allclose(copy(x), stack(inputs)[:, 0].detach().numpy(), rtol=1e-5, atol=1e-6)


def test_target_follows_by_the_fraction_tau(net, parameters):
    stack = LearnedStack(net, parameters, learning_rate=0.1, max_grad_norm=1.0)
    with torch.no_grad():
        stack.parameters.add_(1.0)
    stack.follow(0.25)
    torch.testing.assert_close(stack.target, parameters + 0.25)


@pytest.mark.parametrize("steps_before", [0, 3])
def test_restored_stack_goes_on_as_the_saved_one(net, parameters, inputs, steps_before):
    def step(stack):
        stack.descend(stack(inputs).square().mean(dim=(1, 2)))
        stack.follow(0.1)

    stack = LearnedStack(net, parameters, learning_rate=0.1, max_grad_norm=1.0)
    for _ in range(steps_before):
        step(stack)
    state = {name: tensor.clone() for name, tensor in stack.state().items()}
    other = LearnedStack(net, torch.zeros_like(parameters), learning_rate=0.1, max_grad_norm=1.0)
    other.restore(state)
    for _ in range(3):
        step(stack)
        step(other)
    assert torch.equal(stack.parameters, other.parameters)
    assert torch.equal(stack.target, other.target)


def test_state_of_another_shape_is_refused(net, parameters):
    stack = LearnedStack(net, parameters, learning_rate=0.1, max_grad_norm=1.0)
    with pytest.raises(ValueError, match="shapes"):
        stack.restore({**stack.state(), "target": torch.zeros(1)})


def test_gradient_of_the_stack_is_the_finite_difference():
    net = StackedMLP((2, 3), (3, 4, 1))
    parameters = net.initialise(torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    x = torch.randn(2, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(lambda p: net(p, x), (parameters,))
