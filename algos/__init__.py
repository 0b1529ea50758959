"""Trainers for robust multi-agent games. What needs torch is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algos.deep import (
        IQL,
        M3DDPG,
        MADDPG,
        MATD3,
        QMIX,
        RMAAC,
        RMADDPG,
        VDN,
        CheckpointAtEpisodeEnd,
        IQLConfig,
        M3DDPGConfig,
        MADDPGConfig,
        MATD3Config,
        QMIXConfig,
        RMAACConfig,
        RMADDPGConfig,
        VDNConfig,
    )

__all__ = [
    "IQL",
    "M3DDPG",
    "MADDPG",
    "MATD3",
    "QMIX",
    "RMAAC",
    "RMADDPG",
    "VDN",
    "CheckpointAtEpisodeEnd",
    "IQLConfig",
    "M3DDPGConfig",
    "MADDPGConfig",
    "MATD3Config",
    "QMIXConfig",
    "RMAACConfig",
    "RMADDPGConfig",
    "VDNConfig",
]


def __getattr__(name: str) -> Any:
    """Import the trainers at first use, so that `algos.tabular` runs without torch."""
    if name not in __all__:
        raise AttributeError(f"module 'algos' has no attribute {name!r}")
    import algos.deep

    return getattr(algos.deep, name)
