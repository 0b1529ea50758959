"""RMAAC: MADDPG whose agents act on observations that a nature, one per agent, has perturbed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from gymnasium import spaces

from algos.deep.actor_critic import (
    ActorCritic,
    Metrics,
    by_transition,
    everybody_sees,
    follow,
    play,
    see_next,
    target_actions,
    update_actors,
    update_critics,
)
from algos.deep.config import ActorCriticConfig, check_number
from algos.deep.ernie import real_observations
from algos.deep.nets import LearnedStack, StackedMLP
from algos.deep.robust_losses import into_ball, nature_value_loss
from algos.deep.trainer import Trainer
from robust_envs import L2, Linf, UncertaintySet

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.games import Team


@final
@dataclass(frozen=True, kw_only=True)
class RMAACConfig(ActorCriticConfig):
    """Hold RMAAC's settings: those of `ActorCriticConfig` and nature's.

    Args:
        observation_set: perturbations of an agent's flat observation (the shorter ones padded with zeros), in its
            units: `Linf` or `L2`, into which a network's output is brought smoothly.
        nature_learning_rate: Adam step size of the natures, > 0.

    Raises:
        ValueError: a value is outside its range, or the set is another one.
    """

    observation_set: UncertaintySet | str = "Linf(0.1)"
    nature_learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        members = self._read_sets("observation_set")
        if not isinstance(members, Linf | L2):
            raise ValueError(
                "observation_set must be Linf or L2, into which a network's output can be brought smoothly, "
                f"got observation_set={members!r}"
            )
        check_number("nature_learning_rate", self.nature_learning_rate, above=0.0)


@final
class RMAAC(Trainer[RMAACConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` against a nature that perturbs what it observes.

    Agent i has a nature n_i which sees all observations and moves agent i's inside the set. Each round is MADDPG's,
    with o_i + n_i(o) where an actor looks, and one step more: for all agents i at once,

        critic   y_i = r_i + gamma continues_i Q_i'(o', a'),   a_j' = mu_j'(o_j' + n_j'(o')) for all j
        nature   minimise  E[Q_i(o, a_1, ..., mu_i(o_i + n_i(o)), ..., a_N)]
        actor    minimise -E[Q_i(o, a_1, ..., mu_i(o_i + n_i(o)), ..., a_N)] + penalty E[outputs_i^2]

    Critics are told the true observations. Natures move inside the updates; episodes are played without them, which
    off-policy learning allows (the paper's are played with them). With radius 0 actors and critics are MADDPG's, bit
    for bit.

    Args:
        env: the environment; all its `possible_agents` learn. Discrete or bounded Box actions, Box observations.
        config: settings, `RMAACConfig()` if None.
        seed: the one source of randomness, >= 0.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv, or config no RMAACConfig.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> from robust_envs import Linf
        >>> config = RMAACConfig(observation_set=Linf(0.1), learning_starts=50, batch_size=32)
        >>> RMAAC(simple_spread_v3.parallel_env(), config, seed=1).learn(200).num_timesteps
        200

    References:
        He, Han, Su, Han, Zou, Miao (2023), Robust Multi-Agent Reinforcement Learning with State Uncertainty, section 5.
    """

    config_class = RMAACConfig

    def _check_team(self, team: Team) -> None:
        for seat in team.seats:
            if not isinstance(seat.seen_space, spaces.Box):
                raise ValueError(f"agent {seat.agent!r}: observation_set needs a Box to move in, got {seat.seen_space}")

    def _make_stacks(self) -> dict[str, LearnedStack]:
        team, config, device, runs = self._team, self.config, self.device, len(self.seeds)
        self._nets = ActorCritic.make(team, config, self._generators, device, self.seeds)
        assert isinstance(config.observation_set, UncertaintySet)  # text was read when the config was made
        members = config.observation_set.bind(team.observation_size)
        self._axes = torch.from_numpy(members.bounds.high).to(device, torch.float32) * real_observations(
            team, device, runs
        )
        agents, width = len(team.seats), team.observation_size
        real = sum(seat.observation_size for seat in team.seats)
        net = StackedMLP((real,) * agents, (agents * width, *config.hidden_sizes, width), runs)
        self._natures = LearnedStack(
            net,
            net.initialise(*self._generators("observation natures")).to(device),
            learning_rate=config.nature_learning_rate,
            max_grad_norm=config.max_grad_norm,
            runs=runs,
        )
        return {"actors": self._nets.actors, "critics": self._nets.critics, "natures": self._natures}

    def _update(self, batch: Batch) -> Metrics:
        nets, config = self._nets, self.config
        with torch.no_grad():
            looks_t = self._perturbed(batch, batch.next_observation, self._natures.target)
            seen_t = see_next(batch, target_actions(nets, batch, looks_t, config))
        metrics = update_critics(nets, batch, batch.reward, seen_t, gamma=config.gamma)
        metrics |= self._update_natures(batch)
        if nets.are_due(config.policy_delay):
            looks = self._perturbed(batch, batch.observation, self._natures.parameters.detach())
            metrics |= update_actors(nets, batch, play(nets, batch, looks), config)
            follow(*self._state.stacks.values(), tau=config.tau)
        return metrics

    def _perturbed(self, batch: Batch, observation: Tensor, natures: Tensor) -> Tensor:
        """Return what the actors see (N, B, O) when natures with these parameters have moved it."""
        state = everybody_sees(by_transition(observation, batch.joint.shape[:-2]), len(observation))
        outputs = self._natures.net(natures, state)
        if isinstance(self.config.observation_set, Linf):
            return observation + self._axes * torch.tanh(outputs)
        return observation + into_ball(outputs, self._axes)

    def _update_natures(self, batch: Batch) -> Metrics:
        looks = self._perturbed(batch, batch.observation, self._natures.parameters)
        losses = nature_value_loss(self._nets.first_q(play(self._nets, batch, looks).seen), batch.present)
        self._natures.descend(losses)
        return {"nature_loss": losses.detach()}
