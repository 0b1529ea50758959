"""Every random number of a trainer comes from its seed, by a stream of its own; global generators are not touched."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import torch


def _sequence(seed: int, name: str) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(crc32(name.encode()),))


def numpy_generator(seed: int, name: str) -> np.random.Generator:
    """Return the numpy stream of that name."""
    return np.random.Generator(np.random.PCG64(_sequence(seed, name)))


def torch_generator(seed: int, name: str) -> torch.Generator:
    """Return the torch stream of that name, on the CPU so that every device draws the same."""
    return device_generator(seed, name, torch.device("cpu"))


def device_generator(seed: int, name: str, device: torch.device) -> torch.Generator:
    """Return the torch stream of that name on a device; kinds of devices draw differently."""
    state = _sequence(seed, name).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state))


def episode_seed(seed: int, episode: int) -> int:
    """Return the seed that the environment is reset with in an episode, the same however training got there."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0])
