"""Say what to install where a library is missing."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["require"]


def require(module: str, install: str) -> None:
    """Raise unless a library is installed.

    Args:
        module: What it is imported as.
        install: What to give to pip.

    Raises:
        ImportError: In one line that says what to install.

    Example:
        >>> require("no_such_library", "no-such-library")
        Traceback (most recent call last):
        ImportError: this needs no_such_library, which is not installed: pip install no-such-library
    """
    if find_spec(module) is None:
        raise ImportError(f"this needs {module}, which is not installed: pip install {install}")
