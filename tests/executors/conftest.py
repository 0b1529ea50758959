"""Executors under test: all obey the same laws."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from robust_envs.executors import Executor, Processes, Ray

HAS_RAY = find_spec("ray") is not None
KINDS = ["process", pytest.param("ray", marks=pytest.mark.skipif(not HAS_RAY, reason="ray is not installed"))]


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """One small cluster for all tests: executors use a cluster that this process is connected to already."""
    import os

    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(params=KINDS)
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        request.getfixturevalue("cluster")
        return Ray()
    return Processes(2)
