"""Ratios of steps per CPU-second, measured in one process, in turns, in short chunks: the median is the answer."""

import time
from collections.abc import Callable

import numpy as np


def cpu_seconds(chunks: dict[str, Callable[[], None]], *, rounds: int) -> dict[str, float]:
    """Run every chunk once a round, in turn, and return the median CPU time of each."""
    times: dict[str, list[float]] = {name: [] for name in chunks}
    for _ in range(rounds):
        for name, chunk in chunks.items():
            start = time.process_time()
            chunk()
            times[name].append(time.process_time() - start)
    return {name: float(np.median(measured)) for name, measured in times.items()}


def ratios(chunks: dict[str, Callable[[], None]], *, rounds: int = 31) -> dict[str, float]:
    """Return the speed of each chunk relative to the one called ``naked``."""
    seconds = cpu_seconds(chunks, rounds=rounds)
    return {name: seconds["naked"] / own for name, own in seconds.items()}
