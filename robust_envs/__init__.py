"""Robust Markov games: put nature into any multi-agent environment.

``env = robust(env, reward=L2(0.5), nature=WorstCase())``: the channel is the keyword, the uncertainty set is the value,
nature picks inside it. See `robust`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from robust_envs._version import __version__ as __version__

if TYPE_CHECKING:
    from robust_envs._public import *  # noqa: F403 - for type checkers; __all__ of that module says what
    from robust_envs._public import __all__ as __all__


def __getattr__(name: str) -> Any:
    """Import the public names when one is first asked for: pytest loads a plugin of ours in every project's tests."""
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    public = import_module("robust_envs._public")
    globals().update({each: getattr(public, each) for each in (*public.__all__, "__all__")})
    if name not in globals():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
