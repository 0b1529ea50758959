"""Flags that say where work is done."""

from __future__ import annotations

from typing import Annotated, Any

import tyro

__all__ = ["Cluster", "Workers", "chosen_executor"]

Workers = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")]
Cluster = Annotated[str | None, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")]


def chosen_executor(workers: int | None, ray: str | None, *, default: str | None = None) -> Any:
    """Turn ``--workers`` and ``--ray`` into an executor."""
    from robust_envs.executors import Processes, Ray

    if workers is not None and ray is not None:
        raise ValueError(f"workers and ray must not be given both, got workers={workers} and ray={ray}")
    if ray is not None:
        return Ray(ray)
    return default if workers is None else Processes(workers)
