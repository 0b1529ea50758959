"""Where numbers come from: versions, seed and machine kind; no user, host or folder names."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from algos.experiments.config import RunConfig

__all__ = ["provenance"]

_PACKAGES = ("robust-envs", "gymnasium", "pettingzoo", "mpe2", "numpy", "torch", "stable-baselines3")


def provenance(config: RunConfig, *, device: str) -> dict[str, Any]:
    """Describe what a run's numbers depend on besides its configuration.

    Args:
        config: of the run.
        device: that the networks were really on.

    Returns:
        Plain values, ready for JSON.
    """
    return {
        "seed": config.seed,
        "device": device,
        "threads": config.threads,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Name the commit of this package's source, with a plus when files were changed since; None without git.

    Only a repository that tracks this very file counts: an installed copy may lie inside somebody else's.
    """
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = _git(here.parent, "rev-parse", "HEAD")
    changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else commit + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
