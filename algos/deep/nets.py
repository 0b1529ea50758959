"""Networks stacked over agents: one parameter per kind of network, one matrix product per layer for all agents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from algos.deep.layers import Layers, backward, forward, forward_one, one_at_a_time

Floats = npt.NDArray[np.float32]
_ALIGNED = 16  # numbers of four bytes in a cache line


@dataclass(frozen=True)
class StackedMLP:
    """Describe N ReLU networks of one shape; the parameters live outside, in one tensor (N, P).

    Row i of the parameters is network i, so what is done per network (Adam, clipping, copying) is one operation on
    the tensor. Rows end in zeros that nobody reads, so that each starts at a multiple of 64 bytes: matrix libraries
    round by where numbers lie in memory, and a network is to be the same wherever it stands. Inputs that a network
    lacks are padded with zeros and change nothing: their weights get no gradient.

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

    @cached_property
    def parts(self) -> list[int]:
        """Count the parameters of each weight and bias of one network."""
        return [count for fan_in, out in pairwise(self.sizes) for count in (fan_in * out, out)]

    @cached_property
    def padding(self) -> int:
        """Count the zeros at the end of a row of parameters."""
        return -sum(self.parts) % _ALIGNED

    def initialise(self, *generators: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw parameters (N, P), each uniform in +-1/sqrt(real inputs of its layer).

        Each of R generators draws the N networks of one run, as it would alone: R of them give (R * N, P).
        """
        first, *rest = [torch.tensor(self.fan_in)] + [torch.full((len(self.fan_in),), n) for n in self.sizes[1:-1]]
        scales = [fan.to(dtype).rsqrt() for fan in (first, *rest) for _ in ("weight", "bias")]
        bound = torch.cat([s[:, None].expand(-1, n) for s, n in zip(scales, self.parts, strict=True)], dim=1)
        draws = [torch.rand(bound.shape, generator=generator, dtype=dtype) for generator in generators]
        return pad(torch.cat([bound * (2.0 * draw - 1.0) for draw in draws]), (0, self.padding))

    def layers(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """View the parameters (N, P) as weights (N, in, out) and biases (N, 1, out), layer by layer."""
        *chunks, _ = parameters.split([*self.parts, self.padding], dim=1)
        shapes = list(pairwise(self.sizes))
        weights = [chunk.view(-1, *shape) for chunk, shape in zip(chunks[::2], shapes, strict=True)]
        return list(zip(weights, (bias.unsqueeze(1) for bias in chunks[1::2]), strict=True))

    def __call__(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Evaluate all networks: inputs (N, B, in), or (R, N, B, in) of R runs, give outputs (R * N, B, out)."""
        if torch.compiler.is_compiling() or torch.is_autocast_enabled(inputs.device.type):
            return self.evaluate(parameters, inputs)  # the compiler writes its own backward pass, autocast its types
        outputs: Tensor = _Evaluation.apply(self, parameters, inputs)  # type: ignore[no-untyped-call]  # torch's own
        return outputs

    def evaluate(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Evaluate all networks by operations that can be differentiated again and again."""
        return forward(self.layers(parameters), inputs.flatten(0, -3))[-1]

    def shares(self, inputs: Tensor) -> list[Tensor]:
        """Cut inputs into what is evaluated at a time: on a CPU a run (N, B, in), or one network (B, in) if large.

        Its numbers then stay in the processor's cache, and a run is rounded as it would be alone.
        """
        seen = inputs if inputs.ndim == 4 else inputs.unflatten(0, (self.runs, -1))
        if one_at_a_time(inputs, max(self.sizes[1:])):
            return [own for run in seen.unbind() for own in run.unbind()]
        return list(seen) if inputs.device.type == "cpu" else [seen.flatten(0, 1)]

    def layers_of(self, shares: list[Tensor], parameters: Tensor) -> list[Layers]:
        """View the parameters as the layers of each share."""
        every = self.layers(parameters)
        if shares[0].ndim == 2:
            cut = [zip(weight.unbind(), bias.squeeze(1).unbind(), strict=True) for weight, bias in every]
        else:
            n = len(shares)
            cut = [zip(weight.chunk(n), bias.chunk(n), strict=True) for weight, bias in every]
        return [list(layers) for layers in zip(*cut, strict=True)]


class _Evaluation(torch.autograd.Function):
    """Evaluate a stack, with no gradient that nobody wants."""

    @staticmethod
    def forward(ctx: Any, net: StackedMLP, parameters: Tensor, inputs: Tensor) -> Tensor:
        shares = net.shares(inputs)
        layers = net.layers_of(shares, parameters)
        run = forward if shares[0].ndim == 3 else forward_one
        values = [run(own, seen) for own, seen in zip(layers, shares, strict=True)]
        ctx.net, ctx.layers, ctx.values = net, layers, [known[:-1] for known in values]
        ctx.save_for_backward(parameters, inputs)
        return _joined([known[-1] for known in values])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        net, (parameters, inputs), wanted = ctx.net, ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # what we return will be differentiated in its turn
            return None, *_differentiable(net, parameters, inputs, gradients[0], wanted)
        shares = [known[0] for known in ctx.values]
        of_parameters = torch.zeros_like(parameters) if wanted[0] else None
        into: list[Any] = [None] * len(shares)
        if of_parameters is not None:
            into = net.layers_of(shares, of_parameters)
        split = gradients[0].unbind() if shares[0].ndim == 2 else gradients[0].chunk(len(shares))
        each = zip(ctx.layers, ctx.values, split, into, strict=True)
        found = [backward(*own, into=target, of_inputs=wanted[1]) for *own, target in each]
        of_inputs = [part for part in found if part is not None]
        return None, of_parameters, _joined(of_inputs).view(inputs.shape) if of_inputs else None


def _joined(parts: list[Tensor]) -> Tensor:
    if parts[0].ndim == 2:
        return torch.stack(parts)
    return torch.cat(parts) if len(parts) > 1 else parts[0].contiguous()


def _differentiable(
    net: StackedMLP, parameters: Tensor, inputs: Tensor, gradient: Tensor, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    outputs = net.evaluate(parameters, inputs)
    chosen = [tensor for tensor, want in zip((parameters, inputs), wanted, strict=True) if want]
    found = iter(torch.autograd.grad(outputs, chosen, gradient, create_graph=True))
    return next(found) if wanted[0] else None, next(found) if wanted[1] else None


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
        self._adam = torch.optim.Adam(self._shares, lr=learning_rate, fused=True)

    @property
    def steps(self) -> int:
        """How many steps were taken, as Adam counts them: a number of our own would be a constant to a compiler."""
        state = self._adam.state.get(self._shares[0])
        return int(state["step"]) if state else 0

    def __call__(self, inputs: Tensor) -> Tensor:
        """Evaluate the networks: (N, B, in) to (N, B, out)."""
        return self.net(self.parameters, inputs)

    def frozen(self, inputs: Tensor) -> Tensor:
        """Evaluate the networks without a gradient by their parameters, to differentiate by the inputs only."""
        return self.net(self.parameters.detach(), inputs)

    def evaluate_target(self, inputs: Tensor) -> Tensor:
        """Evaluate the targets: (N, B, in) to (N, B, out)."""
        return self.net(self.target, inputs)

    def descend(self, losses: Tensor) -> Tensor:
        """Take one Adam step on the losses (N,), loss i moving network i; return the gradient norms (N,)."""
        (gradient,) = torch.autograd.grad(losses.sum(), [self.parameters])
        return self.move(gradient)

    def move(self, gradient: Tensor) -> Tensor:
        """Take one Adam step down this gradient (N, P), clipped by network; return its norms (N,)."""
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
