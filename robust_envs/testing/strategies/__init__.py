"""Hypothesis strategies for uncertainty sets, what lies in them, natures, episodes and games.

Everything is drawn from Hypothesis, as integers of which 0 stands for the nominal value: examples shrink towards no
perturbation, and `hypothesis.target` climbs. Importing this module teaches `hypothesis.strategies.from_type` our
classes; where robust-envs is installed, Hypothesis does so by itself, unless `HYPOTHESIS_NO_PLUGINS` is set.
"""

from robust_envs.testing.strategies.ambiguity import ambiguity_sets, markov_games
from robust_envs.testing.strategies.members import distributions, members
from robust_envs.testing.strategies.natures import Follow, Push, natures
from robust_envs.testing.strategies.register import register
from robust_envs.testing.strategies.sets import uncertainty_sets
from robust_envs.testing.strategies.traces import traces

__all__ = [
    "Follow",
    "Push",
    "ambiguity_sets",
    "distributions",
    "markov_games",
    "members",
    "natures",
    "traces",
    "uncertainty_sets",
]

register()
