"""Ratios of steps per CPU-second, measured in one process, in turns, in short chunks: the median is the answer."""

import gc
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


def paired(naked: Callable[[], None], other: Callable[[], None], *, rounds: int) -> tuple[float, float, float]:
    """Run both once a round, the first one in turn; return the median of the rounds' own ratios, and where it lies.

    A machine that is busy for a while slows both chunks of a round. Garbage is collected between them, for what falls
    due in one of them may be the other's.

    Returns:
        Speed relative to ``naked``, and the ends of an interval that holds the true median with 95 percent.
    """
    gc.collect()
    gc.freeze()
    found = []
    for round_ in range(rounds):
        seconds = {}
        for chunk in (naked, other) if round_ % 2 else (other, naked):
            gc.collect()
            start = time.process_time()
            chunk()
            seconds[chunk] = time.process_time() - start
        found.append(seconds[naked] / seconds[other])
    gc.unfreeze()
    found.sort()
    reach = min(round(0.98 * rounds**0.5), rounds // 2)  # order statistics: the sign test
    middle = rounds // 2
    return float(np.median(found)), found[middle - reach], found[min(middle + reach, rounds - 1)]
