"""R-MADDPG: MADDPG whose critics believe a nature, one per agent, in place of the stored reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import torch

from algos.deep.actor_critic import (
    ActorCritic,
    Metrics,
    everybody_sees,
    follow,
    joint_stack,
    update_actors,
    update_critics,
)
from algos.deep.config import ActorCriticConfig, check_choice, check_number
from algos.deep.losses import nature_published_loss, nature_regression_loss
from algos.deep.trainer import Trainer

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.nets import LearnedStack


@final
@dataclass(frozen=True, kw_only=True)
class RMADDPGConfig(ActorCriticConfig):
    """Hold R-MADDPG's settings: those of `ActorCriticConfig` and nature's.

    Args:
        nature: what stands in for the stored reward in the critics' targets. "published": a network that lowers the
            reward and is held near the observed one. "regression": the same network without the lowering, the
            ablation. "none": the stored reward, which makes it MADDPG.
        nature_learning_rate: Adam step size of the natures, > 0.
        nature_weight: how strongly the published nature is held near the observed reward, > 0.

    Raises:
        ValueError: a value is outside its range.
    """

    nature: Literal["published", "regression", "none"] = "published"
    nature_learning_rate: float = 1e-2
    nature_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("nature", self.nature, ("published", "regression", "none"))
        for name in ("nature_learning_rate", "nature_weight"):
            check_number(name, getattr(self, name), above=0.0)


@final
class RMADDPG(Trainer[RMADDPGConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` against a nature that names its reward.

    Each round is MADDPG's with one change, and one step more: for all agents i at once,

        critic   minimise E[(Q_i(o, a) - n_i'(o, a) - gamma continues_i Q_i'(o', mu'(o')))^2], n_i' in place of r_i
        nature   minimise E[n_i(o, a)] + w E[(n_i(o, a) - r_i)^2]   ("published")
                       or E[(n_i(o, a) - r_i)^2]                    ("regression")

    The published nature tends to `E[r_i | o, a] - 1 / (2 w)`: the reward without its noise, less a constant. It
    knows of no radius. With "none" there is no nature, and every parameter is MADDPG's, bit for bit.

    Args:
        env: the environment; all its `possible_agents` learn. Discrete or bounded Box actions.
        config: settings, `RMADDPGConfig()` if None.
        seed: the one source of randomness, >= 0.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv, or config no RMADDPGConfig.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> config = RMADDPGConfig(nature="regression", learning_starts=50, batch_size=32)
        >>> model = RMADDPG(simple_spread_v3.parallel_env(), config, seed=1)
        >>> model.learn(200).num_timesteps
        200

    References:
        Zhang, Sun, Tao, Genc, Mallya, Basar (2020), Robust Multi-Agent Reinforcement Learning with Model Uncertainty,
        algorithm 1; nature's loss as in the public code that descends from the authors'.
    """

    config_class = RMADDPGConfig

    def _make_stacks(self) -> dict[str, LearnedStack]:
        self._nets = ActorCritic.make(self._team, self.config, self._generators, self.device)
        stacks = {"actors": self._nets.actors, "critics": self._nets.critics}
        if self.config.nature == "none":
            return stacks
        generators, rate = self._generators("natures"), self.config.nature_learning_rate
        self._natures = joint_stack(self._team, self.config, generators, self.device, rate)
        return {**stacks, "natures": self._natures}

    def _update(self, batch: Batch) -> Metrics:
        critic_metrics = update_critics(self._nets, batch, self._believed_rewards(batch), gamma=self.config.gamma)
        actor_metrics = update_actors(self._nets, batch, penalty=self.config.logit_penalty)
        nature_metrics = self._update_natures(batch)
        follow(*self._state.stacks.values(), tau=self.config.tau)
        return {**critic_metrics, **actor_metrics, **nature_metrics}

    def _believed_rewards(self, batch: Batch) -> Tensor:
        """Return the rewards (N, B) that the critics learn from."""
        if self.config.nature == "none":
            return batch.reward
        with torch.no_grad():
            return self._natures.evaluate_target(everybody_sees(batch.joint, len(batch.reward)))[..., 0]

    def _update_natures(self, batch: Batch) -> Metrics:
        if self.config.nature == "none":
            return {}
        n_tm1 = self._natures(everybody_sees(batch.joint, len(batch.reward)))[..., 0]
        if self.config.nature == "published":
            losses = nature_published_loss(n_tm1, batch.reward, batch.present, self.config.nature_weight)
        else:
            losses = nature_regression_loss(n_tm1, batch.reward, batch.present)
        self._natures.descend(losses)
        nature, reward = n_tm1.detach().mean(1), batch.reward.mean(1)
        return {"nature_loss": losses.detach(), "nature": nature, "observed_reward": reward}
