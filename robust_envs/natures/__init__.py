"""Who picks inside the uncertainty set.

A nature is a callable of `Move`; a lambda will do. Natures that need not look at the move also have ``block``, which
draws many moves at once, or ``course``, which draws them knowing where in the episode they stand. Natures made of
natures (`Mixture`, `Population`, `scheduled`) have ``pick``, which says who makes the next move.
"""

from robust_envs.natures.drawn import Noise, Nominal, Uniform, WorstCase
from robust_envs.natures.feedback import LinearFeedback
from robust_envs.natures.gradient import GradientAttack
from robust_envs.natures.mixing import Mixture, Population
from robust_envs.natures.move import Move, Nature
from robust_envs.natures.played import AsAgents, Policy, Replay, check_nature
from robust_envs.natures.schedules import Scheduled, scheduled
from robust_envs.natures.signals import Drift, Impulse, Periodic, RandomWalk, Step

__all__ = [
    "AsAgents",
    "Drift",
    "GradientAttack",
    "Impulse",
    "LinearFeedback",
    "Mixture",
    "Move",
    "Nature",
    "Noise",
    "Nominal",
    "Periodic",
    "Policy",
    "Population",
    "RandomWalk",
    "Replay",
    "Scheduled",
    "Step",
    "Uniform",
    "WorstCase",
    "check_nature",
    "scheduled",
]
