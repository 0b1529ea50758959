"""What Hypothesis calls when it is imported: teaches `from_type` our sets and natures."""

from __future__ import annotations

import sys

__all__ = ["load"]

_STRATEGIES = "robust_envs.testing.strategies"


def load() -> None:
    """Register the strategies, unless they are being imported right now: then they are about to do so themselves."""
    if _STRATEGIES not in sys.modules:
        import robust_envs.testing.strategies  # noqa: F401 - importing it registers them
