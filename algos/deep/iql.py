"""IQL: every agent learns the values of its own actions by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from algos.deep.q_config import QConfig
from algos.deep.q_learner import QLearner, Scored, by_agent
from algos.deep.q_losses import taken

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.nets import StackedMLP


@final
@dataclass(frozen=True, kw_only=True)
class IQLConfig(QConfig):
    """Hold IQL's settings: those of `QConfig`, where they are explained."""


@final
class IQL(QLearner[IQLConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` by deep Q-learning, the others being part of its world.

    Each round, for all agents i at once,

        values    minimise  E[(Q_i(o_i, a_i) - y_i)^2],   y_i = r_i + worst delta_i + gamma W_i
        targets   follow their networks by the fraction tau,

    where W_i is one sample of the worst expectation of V_i(o_i') = Q_i'(o_i', argmax_a Q_i(o_i', a)) over
    `transition_set`; without sets it is V_i(o_i'). Nature stands against each agent alone.

    Args:
        env: the environment; all its `possible_agents` learn. Discrete actions.
        config: settings, `IQLConfig()` if None.
        seed: the one source of randomness, >= 0.
        seeds: several of them, each a run of its own, in one process.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv and no Games, or config no IQLConfig.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> from robust_envs import Contamination
        >>> config = IQLConfig(transition_set=Contamination(0.1), learning_starts=50, batch_size=32)
        >>> IQL(simple_spread_v3.parallel_env(), config, seed=1).learn(200).num_timesteps
        200

    References:
        Tan (1993), Multi-Agent Reinforcement Learning: Independent vs. Cooperative Agents; van Hasselt, Guez, Silver
        (2016), Deep Reinforcement Learning with Double Q-learning; Wang, Zou (2021), Online Robust Reinforcement
        Learning with Model Uncertainty.
    """

    config_class = IQLConfig

    def _scored(self, batch: Batch) -> Scored:
        reward = batch.reward if self._shifts is None else batch.reward + self._shifts
        return Scored(reward, batch.present, batch.continues)

    def _joined(self, values: Tensor, batch: Batch, *, following: bool, target: bool) -> Tensor:
        return values

    def _tail_net(self, runs: int) -> StackedMLP:
        return self._q.net

    def _tails_taken(self, batch: Batch, *, target: bool) -> Tensor:
        evaluate = self._tails.evaluate_target if target else self._tails
        return taken(evaluate(batch.observation), by_agent(batch))
