"""Learners on disk: plain arrays, and JSON for the rest; nothing in a file is ever executed."""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import Any
from zipfile import BadZipFile

import numpy as np

from robust_envs.envs import MarkovGame
from robust_envs.files import write_atomic

__all__ = ["fingerprint", "load", "save"]

FORMAT = {"format": "robust-envs nash-q", "version": 1}


def fingerprint(game: MarkovGame) -> str:
    """Return a digest of all that learning takes from a game."""
    digest = hashlib.sha256(repr((game.n_actions, float(game.discount))).encode())
    for array in (game.rewards, game.transitions, game.start, game.terminal):
        digest.update(np.ascontiguousarray(np.asarray(array, dtype=np.float64)).tobytes())
    return digest.hexdigest()


def save(path: str | os.PathLike[str], identity: dict[str, str], state: dict[str, Any], streams: list[Any]) -> None:
    """Write a learner's state."""
    head = json.dumps({**FORMAT, **identity, "streams": streams})
    buffer = io.BytesIO()
    np.savez(buffer, head=np.array(head), **state)
    write_atomic(path, buffer.getvalue())


def load(
    path: str | os.PathLike[str], identity: dict[str, str], like: dict[str, Any]
) -> tuple[dict[str, Any], list[Any]]:
    """Return the state and the streams of a learner of the same game and options.

    Args:
        path: what `save` wrote.
        identity: the game and options it must be of.
        like: arrays of the names and shapes that are wanted.

    Raises:
        ValueError: for any other file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            state = {name: file[name] for name in like if name in file}
    except (BadZipFile, KeyError, EOFError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)} is no saved learner: {error}") from error
    if {name: head.get(name) for name in FORMAT} != FORMAT:
        raise ValueError(f"{os.fspath(path)} must be of {FORMAT}, got {head.get('format')!r} {head.get('version')!r}")
    for name, wanted in identity.items():
        if head.get(name) != wanted:
            raise ValueError(f"the saved learner has another {name}: {head.get(name)}, not {wanted}")
    if {name: array.shape for name, array in state.items()} != {name: array.shape for name, array in like.items()}:
        raise ValueError(f"{os.fspath(path)} does not hold the arrays of this learner")
    return state, head["streams"]
