"""MADDPG: every agent an actor of its own observation and a critic of everybody's."""

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
from algos.deep.config import ActorCriticConfig, check_number
from algos.deep.inference import InferredPolicies
from algos.deep.trainer import Trainer

if TYPE_CHECKING:
    from algos.deep.buffers import Batch
    from algos.deep.games import Team
    from algos.deep.nets import LearnedStack


@final
@dataclass(frozen=True, kw_only=True)
class MADDPGConfig(ActorCriticConfig):
    """Hold MADDPG's settings: those of `ActorCriticConfig` and of inference.

    Args:
        infer_policies: whether every agent learns what the others' policies are from what they did, and believes that
            in its critic's target, instead of being told.
        inference_learning_rate: Adam step size of the inferred policies, > 0.
        inference_entropy: weight of their entropy, >= 0.

    Raises:
        ValueError: a value is outside its range.
    """

    infer_policies: bool = False
    inference_learning_rate: float = 1e-2
    inference_entropy: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.infer_policies, bool):
            raise TypeError(f"infer_policies must be True or False, got infer_policies={self.infer_policies!r}")
        check_number("inference_learning_rate", self.inference_learning_rate, above=0.0)
        check_number("inference_entropy", self.inference_entropy, at_least=0.0)


@final
class MADDPG(Trainer[MADDPGConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` with a centralised critic.

    Each round, for all agents i at once,

        critic   minimise  E[(Q_i(o, a) - r_i - gamma continues_i Q_i'(o', mu_1'(o_1'), ..., mu_N'(o_N')))^2]
        actor    minimise -E[Q_i(o, a_1, ..., mu_i(o_i), ..., a_N)] + penalty E[outputs_i^2]
        targets  follow their networks by the fraction tau.

    With `infer_policies` agent i does not know mu_j' in its target: it puts there its own guess at j's policy, a
    network p_ij trained on what j did,

        inference  minimise -E[log p_ij(a_j | o_j)] - w E[entropy of p_ij(. | o_j)]

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
        self._nets = ActorCritic.make(self._team, self.config, self._generators, self.device, self.seeds)
        stacks = {"actors": self._nets.actors, "critics": self._nets.critics}
        if not self.config.infer_policies:
            return stacks
        self._inferred = InferredPolicies(
            self._team,
            self.config,
            self._generators("inferred"),
            self.device,
            learning_rate=self.config.inference_learning_rate,
            entropy=self.config.inference_entropy,
        )
        return {**stacks, "inferred": self._inferred.stack}

    def _check_team(self, team: Team) -> None:
        if self.config.infer_policies and len(team.seats) < 2:
            raise ValueError(f"infer_policies needs other agents, got {list(team.agents)} alone")

    def _update(self, batch: Batch) -> Metrics:
        nets, config = self._nets, self.config
        with torch.no_grad():
            actions = target_actions(nets, batch, batch.next_observation, config)
            seen_t = self._inferred.see_next(batch, actions) if config.infer_policies else see_next(batch, actions)
        metrics = update_critics(nets, batch, batch.reward, seen_t, gamma=config.gamma)
        if config.infer_policies:
            metrics |= self._inferred.update(batch)
        if nets.are_due(config.policy_delay):
            metrics |= update_actors(nets, batch, play(nets, batch, batch.observation), config)
            follow(*self._state.stacks.values(), tau=config.tau)
        return metrics
