"""Batches of vector environments, taken apart and put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

__all__ = ["rebatch", "sub_space", "unbatch"]

Space = spaces.Space[Any]


def unbatch(space: Space | None, batch: Any, size: int) -> list[Any]:
    """Take a batch apart: one value for each sub-environment, views where there are arrays.

    Example:
        >>> unbatch(spaces.Dict(a=spaces.Discrete(3)), {"a": [1, 2]}, 2)
        [{'a': 1}, {'a': 2}]
    """
    if isinstance(space, spaces.Dict):
        parts = {key: unbatch(part, batch[key], size) for key, part in space.spaces.items()}
        return [{key: part[i] for key, part in parts.items()} for i in range(size)]
    if isinstance(space, spaces.Tuple):
        columns = [unbatch(part, batch[k], size) for k, part in enumerate(space.spaces)]
        return list(zip(*columns, strict=True))
    return list(batch)


def rebatch(space: Space | None, batch: Any, old: Sequence[Any], new: Sequence[Any]) -> Any:
    """Put values that are no longer the `old` objects into a copy of the batch; parts that did not move are shared."""
    if isinstance(space, spaces.Dict):
        return _rebatch_parts(space.spaces.items(), batch, old, new)
    if isinstance(space, spaces.Tuple):
        return _rebatch_parts(list(enumerate(space.spaces)), batch, old, new)
    moved = [i for i, (before, after) in enumerate(zip(old, new, strict=True)) if before is not after]
    if not moved:
        return batch
    copy, first = np.array(batch), np.asarray(new[moved[0]])
    if copy.dtype.kind in "iub" and first.dtype.kind == "f":
        copy = copy.astype(first.dtype)  # an integer plus a delta is a float
    for i in moved:
        copy[i] = new[i]
    return copy


def _rebatch_parts(parts: Any, batch: Any, old: Sequence[Any], new: Sequence[Any]) -> Any:
    changed = {key: rebatch(part, batch[key], [v[key] for v in old], [v[key] for v in new]) for key, part in parts}
    if all(changed[key] is batch[key] for key in changed):
        return batch
    return {**batch, **changed} if isinstance(batch, Mapping) else tuple(changed.values())


def sub_space(single: Space, batched: Space, index: int) -> Space:
    """Return the space of one sub-environment, whose bounds may be its own (``observation_mode="different"``)."""
    if isinstance(single, spaces.Box) and isinstance(batched, spaces.Box):
        low, high = batched.low[index], batched.high[index]
        if np.array_equal(low, single.low) and np.array_equal(high, single.high):
            return single
        dtype: Any = single.dtype
        return spaces.Box(low, high, dtype=dtype.type)
    if isinstance(single, spaces.Dict) and isinstance(batched, spaces.Dict):
        parts = {key: sub_space(part, batched[key], index) for key, part in single.spaces.items()}
        return single if all(parts[key] is single[key] for key in parts) else spaces.Dict(parts)
    if isinstance(single, spaces.Tuple) and isinstance(batched, spaces.Tuple):
        row = [sub_space(part, batched[k], index) for k, part in enumerate(single.spaces)]
        return single if all(a is b for a, b in zip(row, single.spaces, strict=True)) else spaces.Tuple(row)
    return single
