"""What nature may choose: sets of deltas around the nominal value."""

from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.ellipsoid import Ellipsoid
from robust_envs.sets.episode import PerEpisode, per_episode, per_step
from robust_envs.sets.finite import Finite, Switch
from robust_envs.sets.interval import Box, Interval
from robust_envs.sets.joint import Joint, joint
from robust_envs.sets.norms import L1, L2, Linf
from robust_envs.sets.product import Product

__all__ = [
    "L1",
    "L2",
    "Box",
    "Ellipsoid",
    "Finite",
    "Interval",
    "Joint",
    "Linf",
    "PerEpisode",
    "Product",
    "Switch",
    "UncertaintySet",
    "joint",
    "per_episode",
    "per_step",
]
