"""Forward and backward passes of stacked ReLU networks, by the fastest matrix products at hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Layers = list[tuple[Tensor, Tensor]]

_FEW = 16  # columns: fewer of them are better made as rows
_LARGE = 1 << 14  # numbers in a layer from which on a product is worth a call of its own
# oneDNN's linear layer takes the widest instructions of any maker's processor, MKL only those of Intel's.
_linear: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None


def one_at_a_time(inputs: Tensor, units: int) -> bool:
    """Tell whether networks with `units` in a layer are best evaluated one by one: on a CPU, on many inputs.

    There the numbers of a whole stack do not fit into the cache, and those of a single network do.
    """
    large = inputs.shape[-2] * units >= _LARGE
    return _linear is not None and inputs.device.type == "cpu" and inputs.dtype == torch.float32 and large


def forward(layers: Layers, inputs: Tensor) -> list[Tensor]:
    """Return inputs (N, B, in) and what each layer makes of them; layers are weights (N, in, out), biases (N, 1, out).

    Example:
        >>> forward([(torch.ones(1, 2, 1), torch.zeros(1, 1, 1))], torch.ones(1, 1, 2))[-1]
        tensor([[[2.]]])
    """
    *hidden, (weight, bias) = layers
    values = [inputs]
    for inner_weight, inner_bias in hidden:
        values.append(torch.baddbmm(inner_bias, values[-1], inner_weight).relu_())
    # Outputs are few: as rows of a product they are five times faster than as columns.
    return [*values, torch.baddbmm(bias.mT, weight.mT, values[-1].mT).mT]


def forward_one(layers: Layers, inputs: Tensor) -> list[Tensor]:
    """Return the same for a single network: inputs (B, in), weights (in, out), biases (out,)."""
    *hidden, (weight, bias) = layers
    values = [inputs]
    for inner_weight, inner_bias in hidden:
        values.append(_linear(values[-1], inner_weight.T, inner_bias, "relu", [], ""))
    return [*values, torch.addmm(bias[:, None], weight.T, values[-1].T).T]


def backward(
    layers: Layers, values: list[Tensor], gradient: Tensor, *, into: Layers | None, of_inputs: bool
) -> Tensor | None:
    """Write the gradients by all parameters into tensors of their shapes and return the one by the inputs, if wanted.

    Args:
        layers: weights (N, in, out) and biases (N, 1, out), or of a single network, (in, out) and (out,).
        values: the inputs and hidden layers that the forward pass returned.
        gradient: by the outputs, (N, B, out), or (B, out).
        into: where gradients by the parameters go; None if they are not wanted.
        of_inputs: whether the gradient by the inputs is wanted, (N, B, in), or (B, in).
    """
    for depth, (weight, _) in reversed(list(enumerate(layers))):
        if into is not None:
            _by_parameters(values[depth], gradient, *into[depth])
        if depth or of_inputs:
            gradient = _by_input(gradient, weight)
        if depth:
            gradient = torch.ops.aten.threshold_backward(gradient, values[depth], 0.0)
    return gradient if of_inputs else None


def _by_parameters(inputs: Tensor, gradient: Tensor, weight: Tensor, bias: Tensor) -> None:
    torch.sum(gradient, -2, keepdim=bias.ndim > 1, out=bias)
    if gradient.shape[-1] < _FEW:
        weight.copy_((gradient.mT @ inputs).mT)
    else:
        torch.matmul(inputs.mT, gradient, out=weight)


def _by_input(gradient: Tensor, weight: Tensor) -> Tensor:
    if weight.shape[-1] == 1:
        return gradient * weight.mT
    if weight.ndim == 2:
        product: Tensor = _linear(gradient, weight, None, "none", [], "")
        return product
    return torch.bmm(gradient, weight.mT)
