"""Random streams of nature: one per (layer, channel, agent), never the environment's own.

Keyed by content rather than by order, so that adding a channel or an agent moves nobody else's noise.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

__all__ = ["BLOCK", "block_rows", "episode_seed", "stream", "stream_seed"]

BLOCK = 8192  # numbers drawn at once: a pre-drawn row costs a quarter of a draw of its own


def stream(seed: int | None, *, depth: int, channel: str, agent: str) -> np.random.Generator:
    """Make the generator of one nature.

    Args:
        seed: Seed of the episode (``env.reset(seed=...)``); ``None`` draws fresh entropy.
        depth: Number of robust layers below this one.
        channel: Channel name, e.g. ``"observation"``.
        agent: Agent id, or ``"*"`` for a nature that covers all agents, ``"a+b"`` for one that covers some.

    Returns:
        A generator which depends on nothing but the arguments.

    Example:
        >>> a = stream(0, depth=0, channel="reward", agent="agent_0")
        >>> b = stream(0, depth=0, channel="reward", agent="agent_0")
        >>> a.random() == b.random()
        True
    """
    return np.random.default_rng(_sequence(seed, depth, channel, agent))


def stream_seed(seed: int | None, *, depth: int, channel: str, agent: str) -> int:
    """Make the seed of one nature's torch generator, from what `stream` makes a numpy one of.

    Example:
        >>> stream_seed(0, depth=0, channel="reward", agent="a") == stream_seed(0, depth=0, channel="reward", agent="b")
        False
    """
    return int(_sequence(seed, depth, channel, agent).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _sequence(seed: int | None, depth: int, channel: str, agent: str) -> np.random.SeedSequence:
    key = (depth, crc32(channel.encode()), crc32(str(agent).encode()))
    return np.random.SeedSequence(seed, spawn_key=key)


def block_rows(dim: int) -> int:
    """Return how many rows of `dim` numbers are drawn at once (1 to 256).

    The answer depends on `dim` only: a wrapped environment and its vectorised twin must draw alike.

    Example:
        >>> block_rows(4), block_rows(100_000)
        (256, 1)
    """
    return max(1, min(256, BLOCK // dim))


def episode_seed(seed: int, episode: int) -> int:
    """Derive the reset seed of an episode from the seed of a run.

    Args:
        seed: Seed of the run, >= 0.
        episode: Number of the episode, >= 0.

    Returns:
        An integer in [0, 2**31), the same for the same arguments on every machine.

    Example:
        >>> episode_seed(0, 1) == episode_seed(0, 1) != episode_seed(0, 2)
        True
    """
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1)
