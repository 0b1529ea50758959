"""Numbers on integer lattices: an integer shrinks to 0, and `target()` climbs by moving one, which no float allows."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

__all__ = ["STEP", "Integers", "count", "rows", "signed", "sizes"]

STEP = 16
"""Steps to the unit: a power of two, so that every lattice point is an exact float."""
_DENSE = 32  # above it most coordinates stay nominal: Hypothesis holds some 900 drawn numbers, a picture has more

Integers = NDArray[np.int64]


def sizes(most: float = 4.0, *, whole: bool = False) -> st.SearchStrategy[float]:
    """Draw numbers >= 0, shrinking to 0."""
    step = 1 if whole else STEP
    return st.integers(0, int(most * step)).map(lambda k: k / step)


def signed(most: float = 4.0, *, whole: bool = False) -> st.SearchStrategy[float]:
    """Draw numbers of either sign, shrinking to 0."""
    step = 1 if whole else STEP
    return st.integers(-int(most * step), int(most * step)).map(lambda k: k / step)


def rows(dim: int, resolution: int) -> st.SearchStrategy[Integers]:
    """Draw vectors of integers within [-resolution, resolution], shrinking to zeros; long ones are sparse."""
    fill = st.nothing() if dim <= _DENSE else st.just(0)
    return npst.arrays(np.int64, dim, elements=st.integers(-resolution, resolution), fill=fill)


def count(name: str, value: Any) -> int:
    """Return a positive int."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, got {name}={value!r}")
    if value < 1:
        raise ValueError(f"{name} must be >= 1, got {name}={value!r}")
    return int(value)
