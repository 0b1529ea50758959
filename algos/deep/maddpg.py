"""MADDPG: every agent an actor of its own observation and a critic of everybody's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from algos.deep.actor_critic import ActorCritic, Metrics, follow, update_actors, update_critics
from algos.deep.config import ActorCriticConfig
from algos.deep.trainer import Trainer

if TYPE_CHECKING:
    from algos.deep.buffers import Batch
    from algos.deep.nets import LearnedStack


@final
@dataclass(frozen=True, kw_only=True)
class MADDPGConfig(ActorCriticConfig):
    """Hold MADDPG's settings: those of `ActorCriticConfig`, where they are explained."""


@final
class MADDPG(Trainer[MADDPGConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` with a centralised critic.

    Each round, for all agents i at once,

        critic   minimise  E[(Q_i(o, a) - r_i - gamma continues_i Q_i'(o', mu_1'(o_1'), ..., mu_N'(o_N')))^2]
        actor    minimise -E[Q_i(o, a_1, ..., mu_i(o_i), ..., a_N)] + penalty E[outputs_i^2]
        targets  follow their networks by the fraction tau.

    Args:
        env: the environment; all its `possible_agents` learn. Discrete or bounded Box actions.
        config: settings, `MADDPGConfig()` if None.
        seed: the one source of randomness, >= 0.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv, or config no MADDPGConfig.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> model = MADDPG(simple_spread_v3.parallel_env(), MADDPGConfig(learning_starts=50, batch_size=32), seed=1)
        >>> model.learn(200).num_timesteps
        200

    References:
        Lowe, Wu, Tamar, Harb, Abbeel, Mordatch (2017), Multi-Agent Actor-Critic for Mixed Cooperative-Competitive
        Environments, algorithm 1.
    """

    config_class = MADDPGConfig

    def _make_stacks(self) -> dict[str, LearnedStack]:
        self._nets = ActorCritic.make(self._team, self.config, self._generators, self.device)
        return {"actors": self._nets.actors, "critics": self._nets.critics}

    def _update(self, batch: Batch) -> Metrics:
        critic_metrics = update_critics(self._nets, batch, batch.reward, gamma=self.config.gamma)
        actor_metrics = update_actors(self._nets, batch, penalty=self.config.logit_penalty)
        follow(self._nets.actors, self._nets.critics, tau=self.config.tau)
        return {**critic_metrics, **actor_metrics}
