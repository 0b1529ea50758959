"""What nature may choose: sets of deltas around a nominal value, and of distributions around a nominal one."""

from robust_envs.sets.ambiguity import (
    KL,
    AmbiguitySet,
    ChiSquared,
    Contamination,
    CVaR,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    Scenarios,
    TotalVariation,
    Wasserstein,
)
from robust_envs.sets.base import UncertaintySet
from robust_envs.sets.budgeted import Budgeted
from robust_envs.sets.ellipsoid import Ellipsoid
from robust_envs.sets.episode import PerEpisode, per_episode, per_step
from robust_envs.sets.finite import Finite, Switch
from robust_envs.sets.intersection import Intersection, intersect
from robust_envs.sets.interval import Box, Interval
from robust_envs.sets.joint import Joint, joint
from robust_envs.sets.norms import L1, L2, Linf
from robust_envs.sets.per_state import PerState, per_state
from robust_envs.sets.product import Product

__all__ = [
    "KL",
    "L1",
    "L2",
    "AmbiguitySet",
    "Box",
    "Budgeted",
    "CVaR",
    "ChiSquared",
    "Contamination",
    "Ellipsoid",
    "Finite",
    "Intersection",
    "Interval",
    "Joint",
    "L1Ambiguity",
    "L2Ambiguity",
    "Linf",
    "LinfAmbiguity",
    "PerEpisode",
    "PerState",
    "Product",
    "ReverseKL",
    "Scenarios",
    "Switch",
    "TotalVariation",
    "UncertaintySet",
    "Wasserstein",
    "intersect",
    "joint",
    "per_episode",
    "per_state",
    "per_step",
]
