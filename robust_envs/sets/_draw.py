"""Random draws for numpy and torch generators; one stream, so a block equals the same number of single draws."""

import sys
from typing import Any

import numpy as np

Array = Any


def uniform(rng: Any, shape: tuple[int, ...]) -> Array:
    """Draw from [0, 1)."""
    if isinstance(rng, np.random.Generator):
        return rng.random(shape)
    return _torch(rng).rand(shape, generator=rng, device=rng.device)


def normal(rng: Any, shape: tuple[int, ...]) -> Array:
    """Draw standard normals."""
    if isinstance(rng, np.random.Generator):
        return rng.standard_normal(shape)
    return _torch(rng).randn(shape, generator=rng, device=rng.device)


def laplace(rng: Any, shape: tuple[int, ...]) -> Array:
    """Draw standard Laplace numbers: an exponential with a fair sign."""
    if isinstance(rng, np.random.Generator):
        return rng.laplace(size=shape)
    torch = _torch(rng)
    sign = torch.randint(0, 2, shape, generator=rng, device=rng.device) * 2 - 1
    return torch.empty(shape, device=rng.device).exponential_(generator=rng) * sign


def index(rng: Any, below: int, shape: tuple[int, ...]) -> Array:
    """Draw integers from {0, ..., below - 1}."""
    if isinstance(rng, np.random.Generator):
        return rng.integers(below, size=shape)
    return _torch(rng).randint(below, shape, generator=rng, device=rng.device)


def _torch(rng: Any) -> Any:
    # Whoever holds a torch.Generator has imported torch; we never import it ourselves.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(rng, torch.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator or a torch.Generator, got rng={rng!r}")
    return torch
