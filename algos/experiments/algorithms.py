"""The trainers by the names that the command line has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from algos.deep import (
    IQL,
    M3DDPG,
    MADDPG,
    MATD3,
    QMIX,
    RMAAC,
    RMADDPG,
    VDN,
    IQLConfig,
    M3DDPGConfig,
    MADDPGConfig,
    MATD3Config,
    QMIXConfig,
    RMAACConfig,
    RMADDPGConfig,
    VDNConfig,
)

__all__ = ["ALGORITHMS", "Trainer"]

Trainer = MADDPG | MATD3 | M3DDPG | RMADDPG | RMAAC | IQL | VDN | QMIX


ALGORITHMS: Mapping[str, tuple[type[Trainer], Callable[..., Any]]] = {
    "rmaddpg": (RMADDPG, RMADDPGConfig),
    "maddpg": (MADDPG, MADDPGConfig),
    "matd3": (MATD3, MATD3Config),
    "m3ddpg": (M3DDPG, M3DDPGConfig),
    "rmaac": (RMAAC, RMAACConfig),
    "iql": (IQL, IQLConfig),
    "vdn": (VDN, VDNConfig),
    "qmix": (QMIX, QMIXConfig),
}
