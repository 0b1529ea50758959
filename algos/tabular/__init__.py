"""Exact and tabular methods for robust Markov games. Nothing here imports torch."""

from algos.tabular.certificates import is_equilibrium, robust_exploitability, robust_values
from algos.tabular.policy_iteration import robust_policy_iteration
from algos.tabular.q_learning import NashQ, minimax_q, robust_q
from algos.tabular.q_steps import StepSize
from algos.tabular.radius_path import RadiusPath, radius_path
from algos.tabular.solution import Solution
from algos.tabular.stage import NoEquilibrium, StageSolution
from algos.tabular.tabulation import tabulate
from algos.tabular.value_iteration import robust_value_iteration
from robust_envs.envs import MarkovGame

__all__ = [
    "MarkovGame",
    "NashQ",
    "NoEquilibrium",
    "RadiusPath",
    "Solution",
    "StageSolution",
    "StepSize",
    "is_equilibrium",
    "minimax_q",
    "radius_path",
    "robust_exploitability",
    "robust_policy_iteration",
    "robust_q",
    "robust_value_iteration",
    "robust_values",
    "tabulate",
]
