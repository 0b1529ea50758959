"""Thin shells that carry the natures through one environment API each; `robust` picks among them."""

from robust_envs.shells.aec import RobustAECEnv
from robust_envs.shells.agents_aec import NatureAECEnv, NaturesOnlyAECEnv
from robust_envs.shells.agents_gym import NatureEnv
from robust_envs.shells.agents_parallel import NatureParallelEnv, NaturesOnlyParallelEnv
from robust_envs.shells.batched import RobustBatchedEnv
from robust_envs.shells.gym import RobustEnv
from robust_envs.shells.parallel import RobustParallelEnv
from robust_envs.shells.vector import RobustVectorEnv

__all__ = [
    "NatureAECEnv",
    "NatureEnv",
    "NatureParallelEnv",
    "NaturesOnlyAECEnv",
    "NaturesOnlyParallelEnv",
    "RobustAECEnv",
    "RobustBatchedEnv",
    "RobustEnv",
    "RobustParallelEnv",
    "RobustVectorEnv",
]
