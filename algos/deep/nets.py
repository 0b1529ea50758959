"""Networks stacked over agents: one parameter per kind of network, one matrix product per layer for all agents."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StackedMLP:
    """Describe N ReLU networks of one shape; the parameters live outside, in one tensor (N, P).

    Row i of the parameters is network i, so what is done per network (Adam, clipping, copying) is one operation on
    the tensor. Inputs that a network lacks are padded with zeros and change nothing: their weights get no gradient.

    Args:
        fan_in: how many inputs are real for each network, shape (N,); it sets the scale of the first layer.
        sizes: inputs (padded), hidden units of each layer, outputs.
        runs: R, of how many independent runs the parameters hold the N networks each, (R * N, P).

    Example:
        >>> net = StackedMLP(fan_in=(3, 2), sizes=(3, 4, 1))
        >>> parameters = net.initialise(torch.Generator().manual_seed(0))
        >>> net(parameters, torch.zeros(2, 5, 3)).shape
        torch.Size([2, 5, 1])
    """

    fan_in: tuple[int, ...]
    sizes: tuple[int, ...]
    runs: int = 1

    @property
    def parts(self) -> list[int]:
        """Count the parameters of each weight and bias of one network."""
        return [count for fan_in, out in pairwise(self.sizes) for count in (fan_in * out, out)]

    def initialise(self, *generators: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw parameters (N, P), each uniform in +-1/sqrt(real inputs of its layer).

        Each of R generators draws the N networks of one run, as it would alone: R of them give (R * N, P).
        """
        first, *rest = [torch.tensor(self.fan_in)] + [torch.full((len(self.fan_in),), n) for n in self.sizes[1:-1]]
        scales = [fan.to(dtype).rsqrt() for fan in (first, *rest) for _ in ("weight", "bias")]
        bound = torch.cat([s[:, None].expand(-1, n) for s, n in zip(scales, self.parts, strict=True)], dim=1)
        draws = [torch.rand(bound.shape, generator=generator, dtype=dtype) for generator in generators]
        return torch.cat([bound * (2.0 * draw - 1.0) for draw in draws])

    def layers(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """View the parameters (N, P) as weights (N, in, out) and biases (N, 1, out), layer by layer."""
        chunks = parameters.split(self.parts, dim=1)
        shapes = list(pairwise(self.sizes))
        weights = [chunk.view(-1, *shape) for chunk, shape in zip(chunks[::2], shapes, strict=True)]
        return list(zip(weights, (bias.unsqueeze(1) for bias in chunks[1::2]), strict=True))

    def __call__(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Evaluate all networks: inputs (N, B, in) give outputs (N, B, out)."""
        layers = self.layers(parameters)
        if self.runs > 1:
            layers = [(weight, _each_run_alone(bias, self.runs, inputs.shape[1])) for weight, bias in layers]
        *hidden, (weight, bias) = layers
        for inner_weight, inner_bias in hidden:
            inputs = torch.baddbmm(inner_bias, inputs, inner_weight).relu_()
        if weight.shape[-1] == 1:  # a product with one column is three times slower than the sum it stands for
            return (inputs * weight.mT).sum(-1, keepdim=True) + bias
        return torch.baddbmm(bias, inputs, weight)


class _EachRunAlone(torch.autograd.Function):
    """Expand biases (R * N, 1, H) over a batch; their gradient is summed run by run.

    How a sum over the batch is rounded depends on how many networks stand beside it; a run is to be what it is alone.
    """

    @staticmethod
    def forward(ctx: Any, bias: Tensor, runs: int, batch: int) -> Tensor:
        ctx.runs = runs
        return bias.expand(-1, batch, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        shares = gradients[0].chunk(ctx.runs)
        return torch.cat([share.sum(1, keepdim=True) for share in shares]), None, None


def _each_run_alone(bias: Tensor, runs: int, batch: int) -> Tensor:
    expanded: Tensor = _EachRunAlone.apply(bias, runs, batch)  # type: ignore[no-untyped-call]  # torch's own
    return expanded


class LearnedStack:
    """Hold N networks, their slowly following targets and their Adam state.

    Adam works element by element and the clip works row by row, so each network learns as if it were alone. Of several
    runs each is a tensor to Adam: the last elements of a tensor are rounded otherwise than those before, and a run is
    to be the same bit for bit wherever it stands.
    """

    def __init__(
        self, net: StackedMLP, parameters: Tensor, *, learning_rate: float, max_grad_norm: float, runs: int = 1
    ) -> None:
        self.net = net
        self.parameters = parameters.clone().requires_grad_()
        self.target = parameters.clone()
        self._max_grad_norm = max_grad_norm
        self._shares = list(self.parameters.detach().chunk(runs)) if runs > 1 else [self.parameters]
        self._adam = torch.optim.Adam(self._shares, lr=learning_rate)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Evaluate the networks: (N, B, in) to (N, B, out)."""
        return self.net(self.parameters, inputs)

    def evaluate_target(self, inputs: Tensor) -> Tensor:
        """Evaluate the targets: (N, B, in) to (N, B, out)."""
        return self.net(self.target, inputs)

    def descend(self, losses: Tensor) -> Tensor:
        """Take one Adam step on the losses (N,), loss i moving network i; return the gradient norms (N,)."""
        (gradient,) = torch.autograd.grad(losses.sum(), [self.parameters])
        norms: Tensor = gradient.norm(dim=1)
        clipped = gradient * (self._max_grad_norm / (norms + 1e-6)).clamp(max=1.0)[:, None]
        for share, own in zip(self._shares, clipped.chunk(len(self._shares)), strict=True):
            share.grad = own
        self._adam.step()
        return norms

    def follow(self, tau: float) -> None:
        """Move the targets the fraction tau of the way to the networks."""
        runs = len(self._shares)
        for target, share in zip(self.target.chunk(runs), self._shares, strict=True):
            target.lerp_(share.detach(), tau)

    def state(self) -> dict[str, Tensor]:
        """Return all that `restore` needs to go on exactly."""
        shares = self._adam.state_dict()["state"]
        if not shares:
            zeros = torch.zeros_like(self.target)
            adam = {"step": torch.zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
        else:
            joined = {n: torch.cat([shares[i][n] for i in range(len(shares))]) for n in ("exp_avg", "exp_avg_sq")}
            adam = {"step": shares[0]["step"], **joined}
        return {"parameters": self.parameters.detach(), "target": self.target, **adam}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned; a wrong shape is refused before anything changes."""
        expected = {name: tensor.shape for name, tensor in self.state().items()}
        if {name: tensor.shape for name, tensor in state.items()} != expected:
            raise ValueError(f"network state must have shapes {expected}")
        adam = self._adam.state_dict()
        runs = len(self._shares)
        moments = zip(*(state[name].chunk(runs) for name in ("exp_avg", "exp_avg_sq")), strict=True)
        adam["state"] = {
            i: {"step": state["step"].clone(), "exp_avg": first.clone(), "exp_avg_sq": second.clone()}
            for i, (first, second) in enumerate(moments)
        }
        self._adam.load_state_dict(adam)
        with torch.no_grad():
            self.parameters.copy_(state["parameters"])
            self.target.copy_(state["target"])


class NumpyMLP:
    """Evaluate a copy of a stack for one input per network: twice as fast as torch for so few numbers."""

    def __init__(self, stack: LearnedStack) -> None:
        self._stack = stack
        self.refresh()

    def refresh(self) -> None:
        """Copy the stack's present parameters."""
        layers = self._stack.net.layers(self._stack.parameters.detach().cpu())
        self._layers = [(weight.numpy().copy(), bias.numpy().copy()) for weight, bias in layers]

    def __call__(self, inputs: Floats) -> Floats:
        """Evaluate input i by network i: (N, in) to (N, out)."""
        values: Floats = inputs[:, None]
        *hidden, (weight, bias) = self._layers
        for inner_weight, inner_bias in hidden:
            values = np.matmul(values, inner_weight)
            values += inner_bias
            np.maximum(values, 0.0, out=values)
        outputs: Floats = np.matmul(values, weight)[:, 0] + bias[:, 0]
        return outputs
