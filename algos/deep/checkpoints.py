"""Checkpoints as folders: `checkpoint.json` names the safetensors files that belong to it. Nothing is unpickled.

Replacing the JSON file is the one moment of a save. Before it the folder holds the old checkpoint, after it the new
one, and a process killed at any time leaves a complete one behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

FORMAT = "robust-envs checkpoint"
VERSION = 1
_INDEX = "checkpoint.json"
# .tmpXXXXXX: safetensors writes there first, and a process killed meanwhile leaves it behind.
_DATA = re.compile(r"[a-z]+-[0-9a-f]{32}\.safetensors|checkpoint\.json(\.new)?|\.tmp\w{6}")


class Checkpoint(NamedTuple):
    """Hold what a checkpoint stores: plain values, and tensors by group (a file each) and name."""

    values: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint folder, or replace the checkpoint in it, so that a complete one is there at every moment.

    Args:
        path: the folder. If it exists it must be empty or hold a checkpoint.
        checkpoint: what to store.

    Raises:
        ValueError: path is a file or a folder with other things in it.
    """
    folder = Path(path)
    if folder.exists():
        _refuse_foreign(folder)
        _write_into(folder, checkpoint)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.parent / f".{folder.name}.{uuid4().hex}"
    fresh.mkdir()
    try:
        _write_into(fresh, checkpoint)
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint folder back.

    Args:
        path: a folder that `write_checkpoint` wrote.

    Returns:
        What was stored, tensors on the CPU.

    Raises:
        ValueError: there is no checkpoint, it is damaged, or another version wrote it.
    """
    folder = Path(path)
    while True:
        index = _read_index(folder)
        try:
            return Checkpoint(index["values"], _read_tensors(folder, index["files"]))
        except ValueError:
            if _read_index(folder) == index:
                raise
            # A running trainer replaced the checkpoint while it was read: read the new one.


def _read_tensors(folder: Path, files: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
    tensors = {}
    for group, entry in files.items():
        file = folder / entry["name"]
        try:
            if _digest(file) != entry["sha256"]:
                raise ValueError(f"checkpoint {folder} is damaged: {file.name} is not what was written")
            tensors[group] = load_file(file)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"checkpoint {folder} is damaged: {file.name} cannot be read ({error})") from error
    return tensors


def _write_into(folder: Path, checkpoint: Checkpoint) -> None:
    files = {}
    for group, tensors in checkpoint.tensors.items():
        file = folder / f"{group}-{uuid4().hex}.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
        _flush(file)
        files[group] = {"name": file.name, "sha256": _digest(file)}
    body = {"values": checkpoint.values, "files": files}
    index = {"format": FORMAT, "version": VERSION, "sha256": _digest_of(body), **body}
    new = folder / f"{_INDEX}.new"
    new.write_text(json.dumps(index, indent=1))
    _flush(new)
    new.replace(folder / _INDEX)
    _remove_stale(folder, keep={entry["name"] for entry in files.values()})


def _read_index(folder: Path) -> dict[str, Any]:
    file = folder / _INDEX
    if not file.is_file():
        raise ValueError(f"path must be a checkpoint folder with a {_INDEX}, got {folder}")
    try:
        index = json.loads(file.read_text())
        if index["format"] != FORMAT:
            raise ValueError(f"path must be a {FORMAT}, got {folder}")
        if index["version"] != VERSION:
            raise ValueError(f"checkpoint {folder} has version {index['version']}, this program reads {VERSION}")
        body = {"values": index["values"], "files": index["files"]}
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"checkpoint {folder} is damaged: {_INDEX} cannot be read ({error!r})") from error
    if index["sha256"] != _digest_of(body):
        raise ValueError(f"checkpoint {folder} is damaged: {_INDEX} is not what was written")
    return body


def _refuse_foreign(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"path must be a folder, got the file {folder}")
    foreign = sorted(entry.name for entry in folder.iterdir() if not _DATA.fullmatch(entry.name))
    if foreign:
        raise ValueError(f"path must be a new folder or a checkpoint, got {folder} which holds {foreign[0]!r}")


def _remove_stale(folder: Path, keep: set[str]) -> None:
    for entry in folder.iterdir():
        if _DATA.fullmatch(entry.name) and entry.name not in keep | {_INDEX}:
            entry.unlink()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _flush(file: Path) -> None:
    """Wait until the file is on disk, so that the name never arrives there before the content."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
