"""Robust Markov games: put nature into any multi-agent environment.

``env = robust(env, reward=L2(0.5), nature=WorstCase())``: the channel is the keyword, the uncertainty set is the value,
nature picks inside it. See `robust`.
"""

from robust_envs._version import __version__ as __version__
from robust_envs.natures import AsAgents, Move, Noise, Nominal, Policy, Replay, Uniform, WorstCase
from robust_envs.seats import OutsideSetError
from robust_envs.sets import (
    KL,
    L1,
    L2,
    AmbiguitySet,
    Box,
    Budgeted,
    ChiSquared,
    Contamination,
    CVaR,
    Ellipsoid,
    Finite,
    Interval,
    L1Ambiguity,
    L2Ambiguity,
    Linf,
    LinfAmbiguity,
    Product,
    ReverseKL,
    Scenarios,
    Switch,
    TotalVariation,
    UncertaintySet,
    Wasserstein,
    joint,
    per_episode,
    per_step,
)
from robust_envs.shells.layers import find_wrapper
from robust_envs.traces import Executed, Recorded, Trace
from robust_envs.wrap import robust

__all__ = [
    "KL",
    "L1",
    "L2",
    "AmbiguitySet",
    "AsAgents",
    "Box",
    "Budgeted",
    "CVaR",
    "ChiSquared",
    "Contamination",
    "Ellipsoid",
    "Executed",
    "Finite",
    "Interval",
    "L1Ambiguity",
    "L2Ambiguity",
    "Linf",
    "LinfAmbiguity",
    "Move",
    "Noise",
    "Nominal",
    "OutsideSetError",
    "Policy",
    "Product",
    "Recorded",
    "Replay",
    "ReverseKL",
    "Scenarios",
    "Switch",
    "TotalVariation",
    "Trace",
    "UncertaintySet",
    "Uniform",
    "Wasserstein",
    "WorstCase",
    "find_wrapper",
    "joint",
    "per_episode",
    "per_step",
    "robust",
]
