"""What all tests share."""

import ast
import os
import signal
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # before anything imports pygame

import pytest
from hypothesis import settings

# Other people's environments are slow at times, and a deadline would measure the machine. Hypothesis itself takes the
# rest from its "ci" profile where CI is set: there no example is left to chance.
# `HYPOTHESIS_PROFILE=nightly` asks each law ten thousand times.
settings.register_profile("robust-envs", settings(), deadline=None)
settings.register_profile("nightly", settings(), deadline=None, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "robust-envs"))

# A shell starts its background jobs deaf to Ctrl-C, which some tests press; children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NEEDS_TORCH = {"torch", "stable_baselines3", "algos"}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what imports torch where torch is not installed (`./check matrix`)."""
    module = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if find_spec("torch") is not None or module.suffix != ".py" or not module.exists():
        return None
    return bool(NEEDS_TORCH & _imported(module)) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Time benchmarks without coverage, which would slow down our side only."""
    for item in items:
        if "benchmarks" in item.path.parts:
            item.add_marker(pytest.mark.no_cover)


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names
