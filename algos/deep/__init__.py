"""Trainers with neural networks: MADDPG and R-MADDPG on a PettingZoo ParallelEnv or on thousands of games at once."""

from algos.deep.batched import Games, SideBySide
from algos.deep.callbacks import CheckpointAtEpisodeEnd, UncertaintySchedule
from algos.deep.evaluations import EvaluateAtEpisodeEnd
from algos.deep.iql import IQL, IQLConfig
from algos.deep.m3ddpg import M3DDPG, M3DDPGConfig
from algos.deep.maddpg import MADDPG, MADDPGConfig
from algos.deep.matd3 import MATD3, MATD3Config
from algos.deep.process_games import ProcessGames
from algos.deep.qmix import QMIX, QMIXConfig
from algos.deep.rmaac import RMAAC, RMAACConfig
from algos.deep.rmaddpg import RMADDPG, RMADDPGConfig
from algos.deep.schedules import Cosine, Linear, Stairs
from algos.deep.vdn import VDN, VDNConfig
from algos.deep.vector_games import VectorGames
from algos.deep.vmas_games import VmasGames

__all__ = [
    "IQL",
    "M3DDPG",
    "MADDPG",
    "MATD3",
    "QMIX",
    "RMAAC",
    "RMADDPG",
    "VDN",
    "CheckpointAtEpisodeEnd",
    "Cosine",
    "EvaluateAtEpisodeEnd",
    "Games",
    "IQLConfig",
    "Linear",
    "M3DDPGConfig",
    "MADDPGConfig",
    "MATD3Config",
    "ProcessGames",
    "QMIXConfig",
    "RMAACConfig",
    "RMADDPGConfig",
    "SideBySide",
    "Stairs",
    "UncertaintySchedule",
    "VDNConfig",
    "VectorGames",
    "VmasGames",
]
