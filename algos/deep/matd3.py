"""MATD3: MADDPG with twin critics, actors that wait, and noise on the actions in targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch

from algos.deep.actor_critic import (
    ActorCritic,
    Metrics,
    follow,
    play,
    see_next,
    target_actions,
    update_actors,
    update_critics,
)
from algos.deep.config import ActorCriticConfig
from algos.deep.trainer import Trainer

if TYPE_CHECKING:
    from algos.deep.buffers import Batch
    from algos.deep.nets import LearnedStack


@final
@dataclass(frozen=True, kw_only=True)
class MATD3Config(ActorCriticConfig):
    """Hold MATD3's settings: those of `ActorCriticConfig`, where they are explained, with MATD3's defaults."""

    twin_critics: bool = True
    policy_delay: int = 2
    target_noise: float = 0.2


@final
class MATD3(Trainer[MATD3Config]):
    """Train every agent of a PettingZoo `ParallelEnv` with two centralised critics each.

    Each round is MADDPG's with three changes, each a setting that the other actor-critic trainers have as well:

        twin_critics   y_i = r_i + gamma continues_i min_k Q_ik'(o', a'); actors climb Q_i1
        target_noise   a_j' = mu_j'(o_j') + cut Gaussian noise
        policy_delay   actors and targets move in every second round

    With `twin_critics=False, policy_delay=1, target_noise=0` every parameter is MADDPG's, bit for bit.

    Args:
        env: the environment; all its `possible_agents` learn. Discrete or bounded Box actions.
        config: settings, `MATD3Config()` if None.
        seed: the one source of randomness, >= 0.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv, or config no MATD3Config.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> model = MATD3(simple_spread_v3.parallel_env(), MATD3Config(learning_starts=50, batch_size=32), seed=1)
        >>> model.learn(200).num_timesteps
        200

    References:
        Fujimoto, van Hoof, Meger (2018), Addressing Function Approximation Error in Actor-Critic Methods. Ackermann,
        Gabler, Osa, Sugiyama (2019), Reducing Overestimation Bias in Multi-Agent Domains Using Double Centralized
        Critics.
    """

    config_class = MATD3Config

    def _make_stacks(self) -> dict[str, LearnedStack]:
        self._nets = ActorCritic.make(self._team, self.config, self._generators, self.device, self.seeds)
        return {"actors": self._nets.actors, "critics": self._nets.critics}

    def _update(self, batch: Batch) -> Metrics:
        nets, config = self._nets, self.config
        with torch.no_grad():
            seen_t = see_next(batch, target_actions(nets, batch, batch.next_observation, config))
        metrics = update_critics(nets, batch, batch.reward, seen_t, gamma=config.gamma)
        if nets.are_due(config.policy_delay):
            metrics |= update_actors(nets, batch, play(nets, batch, batch.observation), config)
            follow(*self._state.stacks.values(), tau=config.tau)
        return metrics
