"""Small games as arrays: solved exactly by `algos.tabular`, played as environments here."""

from robust_envs.envs.decision_problems import inventory, machine_replacement, riverswim
from robust_envs.envs.grid_games import grid_soccer, grid_world
from robust_envs.envs.markov_game import MarkovGame
from robust_envs.envs.matrix_games import (
    battle_of_the_sexes,
    chicken,
    coordination_under_risk,
    matching_pennies,
    prisoners_dilemma,
    rock_paper_scissors,
    stag_hunt,
)
from robust_envs.envs.play import MarkovDecisionEnv, MarkovGameEnv
from robust_envs.envs.registry import NAMED_GAMES, exposure, named_game

__all__ = [
    "NAMED_GAMES",
    "MarkovDecisionEnv",
    "MarkovGame",
    "MarkovGameEnv",
    "battle_of_the_sexes",
    "chicken",
    "coordination_under_risk",
    "exposure",
    "grid_soccer",
    "grid_world",
    "inventory",
    "machine_replacement",
    "matching_pennies",
    "named_game",
    "prisoners_dilemma",
    "riverswim",
    "rock_paper_scissors",
    "stag_hunt",
]
