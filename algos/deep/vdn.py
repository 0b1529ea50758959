"""VDN: the team's value is the sum of its agents' values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from algos.deep.q_config import QConfig
from algos.deep.q_team import TeamQLearner

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch


@final
@dataclass(frozen=True, kw_only=True)
class VDNConfig(QConfig):
    """Hold VDN's settings: those of `QConfig`, where they are explained."""


@final
class VDN(TeamQLearner[VDNConfig]):
    """Train a team whose value is the sum of its agents' values, so that each can act by its own alone.

    Each round

        values    minimise  E[(sum_i Q_i(o_i, a_i) - y)^2],   y = sum_i (r_i + worst delta_i) + gamma W
        targets   follow their networks by the fraction tau,

    where W is one sample of the worst expectation of V(o') = sum_i Q_i'(o_i', argmax_a Q_i(o_i', a)) over
    `transition_set`; without sets it is V(o'). One nature stands against the team.

    Args:
        env: the environment; all its `possible_agents` are one team, paid the sum of their rewards. Discrete actions.
        config: settings, `VDNConfig()` if None.
        seed: the one source of randomness, >= 0.
        seeds: several of them, each a run of its own, in one process.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv and no Games, or config no VDNConfig.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> config = VDNConfig(reward_set="Linf(0.5)", learning_starts=50, batch_size=32)
        >>> VDN(simple_spread_v3.parallel_env(), config, seed=1).learn(200).num_timesteps
        200

    References:
        Sunehag et al. (2018), Value-Decomposition Networks for Cooperative Multi-Agent Learning; Qu et al. (2026),
        DrIGM, for the robust targets.
    """

    config_class = VDNConfig

    def _joined(self, values: Tensor, batch: Batch, *, following: bool, target: bool) -> Tensor:
        return self._summed(values)
