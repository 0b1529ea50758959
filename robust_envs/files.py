"""Write files whole or not at all, so that a killed process leaves the old file or the new one, never half of one."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["read_versioned", "write_atomic", "write_json"]


def write_atomic(path: str | os.PathLike[str], data: str | bytes) -> Path:
    """Write `data` to `path` through a temporary file in the same folder, which is made when it is missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write `content` as JSON for people to read; numbers that JSON has no word for (NaN) are refused."""
    return write_atomic(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_versioned(text: str, *, kind: str, version: int) -> dict[str, Any]:
    """Read the JSON object that calls itself `kind` in a version up to `version`.

    Raises:
        ValueError: for text that is not JSON, or holds another kind or a newer version.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{kind} must be JSON, got text that is not: {error}") from error
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != kind:
        raise ValueError(f"format must be {kind!r}, got {found!r}")
    if not isinstance(content.get("version"), int) or not 1 <= content["version"] <= version:
        raise ValueError(f"version of {kind} must be 1 to {version}, got version={content.get('version')!r}")
    return dict(content)


def _umask() -> int:
    # mkstemp makes files for the owner alone; a result should be as readable as any other new file.
    mask = os.umask(0)
    os.umask(mask)
    return mask
