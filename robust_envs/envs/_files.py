"""Games on disk: one .npz of plain arrays, with the names as JSON inside."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robust_envs.files import read_versioned, write_atomic

if TYPE_CHECKING:
    from robust_envs.envs.markov_game import MarkovGame

_KIND, _VERSION = "robust-envs Markov game", 1
_ARRAYS = ("rewards", "transitions", "start", "terminal")
_WORDS = ("discount", "agents", "actions", "states")


def save(game: MarkovGame, path: str | os.PathLike[str]) -> None:
    """Write a game, whole or not at all."""
    words = {name: getattr(game, name) for name in _WORDS}
    header = json.dumps({"format": _KIND, "version": _VERSION, **words}, allow_nan=False)
    arrays = {name: _numpy(getattr(game, name)) for name in _ARRAYS}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.frombuffer(header.encode(), dtype=np.uint8), **arrays)
    write_atomic(path, buffer.getvalue())


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the fields of a game."""
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            header = read_versioned(file["header"].tobytes().decode(), kind=_KIND, version=_VERSION)
            arrays = {name: file[name] for name in _ARRAYS}
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"path must hold a saved Markov game, got {os.fspath(path)}: {error}") from error
    if missing := [name for name in _WORDS if name not in header]:
        raise ValueError(f"path must hold a saved Markov game, got {os.fspath(path)} without {missing[0]}")
    return {**arrays, **{name: header[name] for name in _WORDS}}


def _numpy(array: Any) -> Any:
    return array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
