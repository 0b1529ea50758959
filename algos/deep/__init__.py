"""Trainers with neural networks: MADDPG and R-MADDPG on any PettingZoo ParallelEnv."""

from algos.deep.callbacks import CheckpointAtEpisodeEnd
from algos.deep.maddpg import MADDPG, MADDPGConfig
from algos.deep.rmaddpg import RMADDPG, RMADDPGConfig

__all__ = ["MADDPG", "RMADDPG", "CheckpointAtEpisodeEnd", "MADDPGConfig", "RMADDPGConfig"]
