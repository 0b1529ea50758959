"""Trainers with neural networks: MADDPG and R-MADDPG on a PettingZoo ParallelEnv or on thousands of games at once."""

from algos.deep.batched import Games, SideBySide
from algos.deep.callbacks import CheckpointAtEpisodeEnd
from algos.deep.maddpg import MADDPG, MADDPGConfig
from algos.deep.process_games import ProcessGames
from algos.deep.rmaddpg import RMADDPG, RMADDPGConfig
from algos.deep.vector_games import VectorGames
from algos.deep.vmas_games import VmasGames

__all__ = [
    "MADDPG",
    "RMADDPG",
    "CheckpointAtEpisodeEnd",
    "Games",
    "MADDPGConfig",
    "ProcessGames",
    "RMADDPGConfig",
    "SideBySide",
    "VectorGames",
    "VmasGames",
]
