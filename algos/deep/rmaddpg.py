"""R-MADDPG: MADDPG whose critics believe a nature, one per agent, in place of the stored reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import torch

from algos.deep.actor_critic import (
    ActorCritic,
    Metrics,
    everybody_sees,
    follow,
    joint_stack,
    play,
    see_next,
    target_actions,
    update_actors,
    update_critics,
)
from algos.deep.config import ActorCriticConfig, check_choice, check_number
from algos.deep.losses import nature_published_loss, nature_regression_loss
from algos.deep.q_sets import RewardSets, check_reward_sets, reward_shifts
from algos.deep.trainer import Trainer
from robust_envs import L2

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.games import Team
    from algos.deep.nets import LearnedStack


@final
@dataclass(frozen=True, kw_only=True)
class RMADDPGConfig(ActorCriticConfig):
    """Hold R-MADDPG's settings: those of `ActorCriticConfig` and nature's.

    Args:
        nature: what stands in for the stored reward in the critics' targets. "published": a network that lowers the
            reward and is held near the observed one. "regression": the same network without the lowering, the
            ablation. "set": the stored reward and the worst delta of `reward_set`. "none": the stored reward, which
            makes it MADDPG.
        reward_set: deltas that nature may add to a reward, in its units: a set for every agent, `joint(set)`, or a dict
            by agent; also as text, "Linf(0.5)". With "regression" the worst delta is added to the regressed reward.
        rectangular: "sa": nature picks for each joint action apart. "s": the set is a ball `L2` over the rewards of all
            joint actions at once, so that nature takes from the likely ones and mixing pays; discrete actions only.
        nature_learning_rate: Adam step size of the natures, > 0.
        nature_weight: how strongly the published nature is held near the observed reward, > 0.

    Raises:
        ValueError: a value is outside its range, or the set is not one that this nature can use.
    """

    nature: Literal["published", "regression", "set", "none"] = "published"
    reward_set: RewardSets | str | None = None
    rectangular: Literal["sa", "s"] = "sa"
    nature_learning_rate: float = 1e-2
    nature_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("nature", self.nature, ("published", "regression", "set", "none"))
        check_choice("rectangular", self.rectangular, ("sa", "s"))
        for name in ("nature_learning_rate", "nature_weight"):
            check_number(name, getattr(self, name), above=0.0)
        if self._read_sets("reward_set") is None:
            if self.nature == "set":
                raise ValueError("reward_set must be given with nature='set', got reward_set=None")
            return
        if self.nature in ("published", "none"):
            known = {"published": "lowers rewards by a constant and knows no set", "none": "is absent"}[self.nature]
            raise ValueError(f"reward_set needs nature='set' or 'regression': {self.nature!r} {known}")
        check_reward_sets(self.reward_set)  # type: ignore[arg-type]  # no text any more
        sets = self.reward_set.values() if isinstance(self.reward_set, Mapping) else [self.reward_set]
        if self.rectangular == "s" and not all(isinstance(members, L2) for members in sets):
            raise ValueError(
                "reward_set must be L2 with rectangular='s', of other sets the worst is not known in closed form, "
                f"got reward_set={self.reward_set!r}"
            )


@final
class RMADDPG(Trainer[RMADDPGConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` against a nature that names its reward.

    Each round is MADDPG's with one change, and one step more: for all agents i at once,

        critic   minimise E[(Q_i(o, a) - n_i'(o, a) - gamma continues_i Q_i'(o', mu'(o')))^2], n_i' in place of r_i
        nature   minimise E[n_i(o, a)] + w E[(n_i(o, a) - r_i)^2]   ("published")
                       or E[(n_i(o, a) - r_i)^2]                    ("regression")
                       or n_i = r_i + min over d in the set of d    ("set"; with a set also added to "regression")

    The published nature tends to `E[r_i | o, a] - 1 / (2 w)`: the reward without its noise, less a constant. It
    knows of no radius. With "none" there is no nature, and every parameter is MADDPG's, bit for bit; with "set" and
    radius 0 as well. With `rectangular="s"` nature has one Euclidean ball of radius L for the rewards of all joint
    actions, and x is the product of the agents' (target) policies:

        n_i(o, a) = r_i - L x(a) / |x|_2,   the minimiser of <x, n> over |n - r_i|_2 <= L

    A radius that depends on state or action is nature's in the environment:
    `robust(env, reward=per_state(...), nature=WorstCase())`.

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

    def _check_team(self, team: Team) -> None:
        for seat in team.seats if self.config.rectangular == "s" else ():
            if seat.kind != "discrete":
                raise ValueError(
                    f"agent {seat.agent!r}: rectangular='s' needs discrete actions, over which a ball of rewards can "
                    f"stand, got {seat.action_space}"
                )

    def _make_stacks(self) -> dict[str, LearnedStack]:
        self._nets = ActorCritic.make(self._team, self.config, self._generators, self.device, self.seeds)
        stacks = {"actors": self._nets.actors, "critics": self._nets.critics}
        shifts = reward_shifts(self.config.reward_set, self._team.agents)  # type: ignore[arg-type]  # no text any more
        self._shift = (
            None if shifts is None else torch.from_numpy(shifts).to(self.device).repeat(len(self.seeds))[:, None]
        )
        if not self._is_learned:
            return stacks
        generators, rate = self._generators("natures"), self.config.nature_learning_rate
        self._natures = joint_stack(self._team, self.config, generators, self.device, rate)
        return {**stacks, "natures": self._natures}

    def _update(self, batch: Batch) -> Metrics:
        nets, config = self._nets, self.config
        with torch.no_grad():
            seen_t = see_next(batch, target_actions(nets, batch, batch.next_observation, config))
        metrics = update_critics(nets, batch, self._believed_rewards(batch), seen_t, gamma=config.gamma)
        metrics |= self._update_natures(batch)
        if nets.are_due(config.policy_delay):
            metrics |= update_actors(nets, batch, play(nets, batch, batch.observation), config)
            follow(*self._state.stacks.values(), tau=config.tau)
        return metrics

    @property
    def _is_learned(self) -> bool:
        return self.config.nature in ("published", "regression")

    def _believed_rewards(self, batch: Batch) -> Tensor:
        """Return the rewards (N, B) that the critics learn from."""
        rewards = batch.reward
        if self._is_learned:
            with torch.no_grad():
                rewards = self._natures.evaluate_target(everybody_sees(batch.joint, len(batch.reward)))[..., 0]
        if self._shift is None:
            return rewards
        return rewards + (self._shift * self._shares(batch) if self.config.rectangular == "s" else self._shift)

    def _shares(self, batch: Batch) -> Tensor:
        """Return x(a) / |x|_2 of the joint actions that were played (N, B), x the product of the target policies."""
        nets = self._nets
        with torch.no_grad():
            policies = nets.head(nets.actors.evaluate_target(batch.observation), batch.legal)
        played = batch.action.transpose(-3, -2).flatten(0, -3)
        share = (policies * played).sum(-1) / policies.norm(dim=-1)
        by_run: Tensor = torch.where(batch.present > 0, share, 1.0).unflatten(0, (len(self.seeds), -1))
        return by_run.prod(1, keepdim=True).expand_as(by_run).flatten(0, 1)

    def _update_natures(self, batch: Batch) -> Metrics:
        if not self._is_learned:
            return {}
        n_tm1 = self._natures(everybody_sees(batch.joint, len(batch.reward)))[..., 0]
        if self.config.nature == "published":
            losses = nature_published_loss(n_tm1, batch.reward, batch.present, self.config.nature_weight)
        else:
            losses = nature_regression_loss(n_tm1, batch.reward, batch.present)
        self._natures.descend(losses)
        nature, reward = n_tm1.detach().mean(1), batch.reward.mean(1)
        return {"nature_loss": losses.detach(), "nature": nature, "observed_reward": reward}
