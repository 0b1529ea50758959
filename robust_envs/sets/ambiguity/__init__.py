"""What nature may put in place of a nominal distribution."""

from robust_envs.sets.ambiguity.balls import Contamination, CVaR, L1Ambiguity, LinfAmbiguity, TotalVariation
from robust_envs.sets.ambiguity.base import AmbiguitySet
from robust_envs.sets.ambiguity.divergences import KL, ChiSquared, ReverseKL
from robust_envs.sets.ambiguity.euclidean import L2Ambiguity
from robust_envs.sets.ambiguity.moved import Moved
from robust_envs.sets.ambiguity.scenarios import Scenarios
from robust_envs.sets.ambiguity.transport import Wasserstein

__all__ = [
    "KL",
    "AmbiguitySet",
    "CVaR",
    "ChiSquared",
    "Contamination",
    "L1Ambiguity",
    "L2Ambiguity",
    "LinfAmbiguity",
    "Moved",
    "ReverseKL",
    "Scenarios",
    "TotalVariation",
    "Wasserstein",
]
