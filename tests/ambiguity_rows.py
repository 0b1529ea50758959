"""Nominal distributions and values with what breaks methods: exact zeros, ties, one place, any scale."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def rows(draw, least=1):
    """A nominal distribution from counts (exact zeros) and values with ties, at any scale."""
    n = draw(st.integers(least, 6))
    counts = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), float)
    counts[draw(st.integers(0, n - 1))] += 1
    number = st.one_of(st.integers(-3, 3).map(float), st.floats(-10, 10).map(lambda x: round(x, 3)))
    values = np.array(draw(st.lists(number, min_size=n, max_size=n)))
    return counts / counts.sum(), values * draw(st.sampled_from([1.0, 1.0, 1e-12, 1e12]))
