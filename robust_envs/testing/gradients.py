"""Gradients of a policy's answers with respect to what it sees, where it has any."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from robust_envs.natures.differentiable import View

__all__ = ["gradient_of"]

Array = np.ndarray[Any, np.dtype[Any]]
Gradient = Callable[[Any, Array], Array]


def gradient_of(policy: Any, agent: str) -> Gradient | None:
    """Return a function from (observation, weights) to the gradient of <weights, outputs>, or None.

    Outputs are the scores of discrete actions or the mean of continuous ones. Known are objects with a method
    ``gradient(observation, weights)`` and the torch policies that `GradientAttack` knows.

    Example:
        >>> gradient_of(lambda observation: 0, "agent_0") is None
        True
    """
    member: Any = policy.get(agent) if isinstance(policy, Mapping) else policy
    own: Gradient | None = getattr(member, "gradient", None)
    if callable(own):
        return own
    if member is None or "torch" not in sys.modules:  # a policy of torch has imported it
        return None
    from robust_envs.natures.differentiable import make_view

    try:
        return _Through(make_view(member, critic=None, discrete=False, agent=agent))
    except TypeError:  # nothing that torch can differentiate
        return None


class _Through:
    """Differentiate a torch policy."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __call__(self, observation: Any, weights: Array) -> Array:
        view = self.view
        with view.attacked():
            chosen = view.tensor(weights)
            _, slope = view.gradient(lambda seen: view.outputs(seen) * chosen, np.asarray(observation).reshape(-1))
        return slope
