"""Mark functions that compiled loops may call; without numba they stay what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    def register_jitable(function: Any) -> Any:
        """Return the function."""
else:
    try:
        from numba.extending import register_jitable
    except ImportError:

        def register_jitable(function: Any) -> Any:
            """Return the function."""
            return function


__all__ = ["register_jitable"]
