"""Stage games: the one-shot games in which the players of a Markov game meet at every state, solved by the batch."""

from algos.tabular.stage.solution import NoEquilibrium, StageSolution
from algos.tabular.stage.solve import solve

__all__ = ["NoEquilibrium", "StageSolution", "solve"]
