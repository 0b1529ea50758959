"""Random numbers for thousands of games at once.

This package never imports torch: whoever hands us a torch environment has, and the loaded module is used.
"""

from __future__ import annotations

import math
import sys
from functools import cache
from typing import Any

import numpy as np

__all__ = ["Stream", "Tensor", "torch_module"]

Tensor = Any
_PLACES = 1 << 16  # sixteen random bits are a place: a step of 1/32768 of the radius, for a third of the price
_SLICES = 1 << 13  # quantiles of a normal: as many as stay in a processor's cache between two steps of a simulator


def torch_module() -> Any:
    """Return torch, which is loaded wherever there is a tensor."""
    return sys.modules["torch"]


class Stream:
    """Draw for one share of the games: a torch generator, and on the CPU numpy's for what it draws faster.

    Args:
        torch: the module.
        seed: of both.
        device: of what is drawn.
    """

    def __init__(self, torch: Any, seed: int, device: Any) -> None:
        self.torch = torch.Generator(device).manual_seed(seed)
        self._module = torch
        self._numpy = np.random.default_rng(seed) if self.torch.device.type == "cpu" else None

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Draw from [0, 1), float32."""
        if self._numpy is None:
            return self._module.rand(tuple(shape), generator=self.torch, device=self.torch.device)
        return self._module.from_numpy(self._numpy.random(tuple(shape), np.float32))

    def signed(self, shape: tuple[int, ...]) -> Tensor:
        """Draw uniformly from (-1, 1), float32, on the CPU one of 65,536 places."""
        if self._numpy is None:
            return self.uniform(shape).mul_(2.0).sub_(1.0)
        places = self._module.from_numpy(self._places(shape).view(np.int16))
        return places.to(self._module.float32).add_(0.5).mul_(2.0 / _PLACES).view(shape)

    def cut_normal(self, shape: tuple[int, ...], cut: float) -> Tensor:
        """Draw from a standard normal cut at `cut`, divided by it, float32, on the CPU one of 8,192 quantiles."""
        if self._numpy is None:
            edge, scale = math.erf(cut / math.sqrt(2.0)), math.sqrt(2.0) / cut
            return self._module.erfinv(self.signed(shape).mul_(edge)).mul_(scale).clamp_(-1.0, 1.0)
        drawn = np.empty(shape, np.float32)
        np.take(_quantiles(cut), self._places(shape) >> 3, out=drawn.reshape(-1), mode="wrap")
        return self._module.from_numpy(drawn)

    def _places(self, shape: tuple[int, ...]) -> Any:
        """Draw sixteen bits for each number, four numbers from each word of the generator."""
        assert self._numpy is not None  # the callers have looked
        count = math.prod(shape)
        return self._numpy.bit_generator.random_raw((count + 3) // 4).view(np.uint16)[:count]


@cache
def _quantiles(cut: float) -> Any:
    """Return the middles of equally likely slices of a standard normal cut at `cut`, over `cut`."""
    edge = math.erf(cut / math.sqrt(2.0))
    middles = (np.arange(_SLICES) + 0.5) * (2.0 / _SLICES) - 1.0
    torch = torch_module()
    z = torch.erfinv(torch.from_numpy(middles * edge)) * (math.sqrt(2.0) / cut)
    return z.to(torch.float32).numpy()
