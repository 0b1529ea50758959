"""Gradients of a policy's answers with respect to what it sees, where it has any."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["gradient_of"]

Array = np.ndarray[Any, np.dtype[Any]]
Gradient = Callable[[Any, Array], Array]


def gradient_of(policy: Any, agent: str) -> Gradient | None:
    """Return a function from (observation, weights) to the gradient of <weights, outputs>, or None.

    Outputs are the scores of discrete actions or the mean of continuous ones. Known are objects with a method
    ``gradient(observation, weights)``, torch modules and Stable-Baselines3 algorithms whose policy has a distribution.

    Example:
        >>> gradient_of(lambda observation: 0, "agent_0") is None
        True
    """
    member: Any = policy.get(agent) if isinstance(policy, Mapping) else policy
    own: Gradient | None = getattr(member, "gradient", None)
    if callable(own):
        return own
    torch = sys.modules.get("torch")  # a policy of torch has imported it
    if torch is None:
        return None
    inner = getattr(member, "policy", None)
    if isinstance(inner, torch.nn.Module) and hasattr(inner, "get_distribution"):
        return _Through(torch, inner, _scores)
    return _Through(torch, member, None) if isinstance(member, torch.nn.Module) else None


def _scores(module: Any, tensor: Any) -> Any:
    distribution = module.get_distribution(tensor).distribution
    return distribution.logits if hasattr(distribution, "logits") else distribution.mean


class _Through:
    """Differentiate a torch module."""

    def __init__(self, torch: Any, module: Any, outputs: Callable[[Any, Any], Any] | None) -> None:
        self.torch, self.module, self.outputs = torch, module, outputs

    def __call__(self, observation: Any, weights: Array) -> Array:
        torch = self.torch
        seen = torch.as_tensor(np.asarray(observation, np.float32)[None]).requires_grad_(True)
        scores = self.module(seen) if self.outputs is None else self.outputs(self.module, seen)
        total = (scores[0] * torch.as_tensor(np.asarray(weights, np.float32))).sum()
        (slope,) = torch.autograd.grad(total, seen)
        return np.asarray(slope[0].detach().cpu().numpy(), np.float64)
