"""Find the smallest perturbation that breaks a policy, and check environments: search, shrink, replay, assert.

Hypothesis is needed by `robust_envs.testing.strategies` only, which is imported by name.
"""

from robust_envs.testing.asserting import NotRobustError, assert_robust
from robust_envs.testing.conformance import check_robust_env
from robust_envs.testing.counterexample import Counterexample, Expect, PerturbedStep
from robust_envs.testing.episodes import Episode
from robust_envs.testing.falsify import falsify
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.properties import (
    Moment,
    Property,
    always_within,
    eventually,
    never,
    relative_return,
    returns_at_least,
    worst_agent_at_least,
)
from robust_envs.testing.radius import RobustRadius, robust_radius
from robust_envs.testing.replay import Replayed, replay_counterexample
from robust_envs.testing.report import Check, Report
from robust_envs.testing.result import Found, Result, RuleReport
from robust_envs.testing.search import SEARCHES, Search
from robust_envs.testing.shrink import Shrunk, Transfer, wilson
from robust_envs.testing.store import load_counterexample, load_counterexamples, save_counterexample

__all__ = [
    "SEARCHES",
    "Check",
    "Counterexample",
    "Episode",
    "Expect",
    "Found",
    "Moment",
    "NotRobustError",
    "PerturbedStep",
    "Place",
    "Problem",
    "Property",
    "Replayed",
    "Report",
    "Result",
    "RobustRadius",
    "RuleReport",
    "Search",
    "Shrunk",
    "Transfer",
    "always_within",
    "assert_robust",
    "check_robust_env",
    "eventually",
    "falsify",
    "load_counterexample",
    "load_counterexamples",
    "never",
    "relative_return",
    "replay_counterexample",
    "returns_at_least",
    "robust_radius",
    "save_counterexample",
    "wilson",
    "worst_agent_at_least",
]
