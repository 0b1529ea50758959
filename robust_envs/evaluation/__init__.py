"""Measure policies under many natures in common random numbers: returns, robustness curves, statistics and plots."""

from robust_envs.evaluation.curve import CurvePoint, Estimate, RobustnessCurve, robustness_curve
from robust_envs.evaluation.evaluate import evaluate
from robust_envs.evaluation.plots import plot_curve
from robust_envs.evaluation.random_policy import RandomPolicy
from robust_envs.evaluation.results import (
    TEAM,
    Difference,
    Episodes,
    Evaluation,
    RewardKind,
    Summary,
    paired_difference,
)
from robust_envs.evaluation.statistics import (
    ConfidenceInterval,
    bootstrap_interval,
    cvar,
    interquartile_mean,
    stratified_interval,
)
from robust_envs.evaluation.training_seeds import MethodPoint, over_training_seeds

__all__ = [
    "TEAM",
    "ConfidenceInterval",
    "CurvePoint",
    "Difference",
    "Episodes",
    "Estimate",
    "Evaluation",
    "MethodPoint",
    "RandomPolicy",
    "RewardKind",
    "RobustnessCurve",
    "Summary",
    "bootstrap_interval",
    "cvar",
    "evaluate",
    "interquartile_mean",
    "over_training_seeds",
    "paired_difference",
    "plot_curve",
    "robustness_curve",
    "stratified_interval",
]
