"""Step sizes of Q-learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["StepSize"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StepSize:
    """Shrink steps with the number n of earlier visits to a place: alpha = 1 / (1 + scale * n ** power).

    The first step replaces the table's entry. Sums of alpha diverge and sums of its square do not where power is in
    (1/2, 1] (Robbins and Monro), which is what convergence asks for. With power 1 what is left of a wrong start after
    n visits shrinks like n ** (-(1 - discount) / scale), so `scale` should not be above 1 - discount; that value, the
    default, makes both the start's and the noise's part shrink about as fast as they can.

    Args:
        scale: > 0, or None for 1 - discount (1 where the discount is 1).
        power: in (1/2, 1].

    Raises:
        ValueError: for numbers outside these ranges.

    References:
        M. Wainwright, 2019, Stochastic approximation with cone-contractive operators: sharp bounds for Q-learning.
    """

    scale: float | None = None
    power: float = 1.0

    def __post_init__(self) -> None:
        if self.scale is not None and not (isinstance(self.scale, int | float) and 0 < self.scale < np.inf):
            raise ValueError(f"scale must be finite and > 0, got scale={self.scale!r}")
        if not (isinstance(self.power, int | float) and 0.5 < self.power <= 1):
            raise ValueError(f"power must be in (1/2, 1], got power={self.power!r}")

    def after(self, visits: Any, discount: float) -> Floats:
        """Return the step sizes after so many earlier visits."""
        scale = self.scale if self.scale is not None else (1 - discount or 1.0)
        steps: Floats = 1.0 / (1.0 + scale * np.asarray(visits, dtype=np.float64) ** self.power)
        return steps
