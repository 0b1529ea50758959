"""M3DDPG: MADDPG where every agent expects the others to do what hurts it most, near what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import torch

from algos.deep.actor_critic import (
    ActorCritic,
    Metrics,
    follow,
    joint_stack,
    play,
    see_next,
    target_actions,
    update_actors,
    update_critics,
)
from algos.deep.config import ActorCriticConfig, check_choice, check_number
from algos.deep.partners import Partners
from algos.deep.robust_losses import nature_value_loss
from algos.deep.trainer import Trainer

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch
    from algos.deep.games import Team
    from algos.deep.nets import LearnedStack


@final
@dataclass(frozen=True, kw_only=True)
class M3DDPGConfig(ActorCriticConfig):
    """Hold M3DDPG's settings: those of `ActorCriticConfig` and nature's.

    Args:
        epsilon: how far each partner's action may move, in the Euclidean norm and the networks' form (half widths of
            a box; probabilities of discrete actions), >= 0; one number, or one for each agent in the order of
            `possible_agents`. The paper's code has 1e-3 for opponents and 1e-5 for one's own team, which changes
            nothing that can be seen.
        nature: who moves them. "gradient": one step down the critic's slope, as in the paper. "learned": a network for
            each agent, trained to lower its critic.
        nature_learning_rate: Adam step size of the learned natures, > 0.

    Raises:
        ValueError: a value is outside its range.
    """

    epsilon: float | tuple[float, ...] = 0.1
    nature: Literal["gradient", "learned"] = "gradient"
    nature_learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.epsilon, list | tuple):
            object.__setattr__(self, "epsilon", tuple(self.epsilon))
        for value in self.epsilon if isinstance(self.epsilon, tuple) else (self.epsilon,):
            check_number("epsilon", value, at_least=0.0)
        check_choice("nature", self.nature, ("gradient", "learned"))
        check_number("nature_learning_rate", self.nature_learning_rate, above=0.0)

    def radii(self, agents: tuple[str, ...]) -> tuple[float, ...]:
        """Return epsilon for each agent."""
        given = self.epsilon if isinstance(self.epsilon, tuple) else (self.epsilon,) * len(agents)
        if len(given) != len(agents):
            raise ValueError(f"epsilon must hold one number for each of {list(agents)}, got epsilon={self.epsilon!r}")
        return given


@final
class M3DDPG(Trainer[M3DDPGConfig]):
    """Train every agent of a PettingZoo `ParallelEnv` against partners who may act a little otherwise.

    Each round is MADDPG's with one change, made in both places where a critic sees what others do: for agent i and all
    j other than i at once,

        target   a_j = mu_j'(o_j') - epsilon_j g_j / |g_j|,   g_j = the slope of Q_i' by a_j
        actor    a_j = stored a_j  - epsilon_j g_j / |g_j|,   g_j = the slope of Q_i by a_j, where a_i = mu_i(o_i)

    that is the minimum over balls of radius epsilon_j of the critic, to first order. Slopes are taken along the actions
    that can be played (the choices of a discrete one add up to 1) and what leaves them is put back; the paper's code
    does neither. With epsilon 0 every parameter is MADDPG's, bit for bit.

    With `nature="learned"` the steps are those of a network per agent, which sees all observations and actions and
    minimises the agent's critic.

    Args:
        env: the environment; all its `possible_agents` learn. Discrete or bounded Box actions.
        config: settings, `M3DDPGConfig()` if None.
        seed: the one source of randomness, >= 0.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv, or config no M3DDPGConfig.
        ValueError: a space is not supported (the agent is named), epsilon is for another number of agents, or the
            device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> config = M3DDPGConfig(epsilon=0.1, learning_starts=50, batch_size=32)
        >>> M3DDPG(simple_spread_v3.parallel_env(), config, seed=1).learn(200).num_timesteps
        200

    References:
        Li, Wu, Cui, Dong, Fang, Russell (2019), Robust Multi-Agent Reinforcement Learning via Minimax Deep
        Deterministic Policy Gradient, algorithm 1.
    """

    config_class = M3DDPGConfig

    def _check_team(self, team: Team) -> None:
        if len(team.seats) < 2:
            raise ValueError(f"M3DDPG needs other agents whose actions are uncertain, got {list(team.agents)} alone")

    def _make_stacks(self) -> dict[str, LearnedStack]:
        self._nets = ActorCritic.make(self._team, self.config, self._generators, self.device, self.seeds)
        stacks = {"actors": self._nets.actors, "critics": self._nets.critics}
        radii = self.config.radii(self._team.agents)
        self._partners = Partners(self._team, radii, self.device, len(self.seeds))
        if self.config.nature == "gradient":
            return stacks
        self._natures = joint_stack(
            self._team,
            self.config,
            self._generators("partners"),
            self.device,
            self.config.nature_learning_rate,
            outputs=self._team.action_size * len(self._team.seats),
        )
        return {**stacks, "natures": self._natures}

    def _update(self, batch: Batch) -> Metrics:
        nets, config = self._nets, self.config
        with torch.no_grad():
            seen_t = see_next(batch, target_actions(nets, batch, batch.next_observation, config))
            seen_t = self._harm_next(batch, seen_t)
        metrics = update_critics(nets, batch, batch.reward, seen_t, gamma=config.gamma)
        metrics |= self._update_natures(batch)
        if nets.are_due(config.policy_delay):
            played = play(nets, batch, batch.observation)
            harmed = self._harm(batch, played.seen)
            metrics |= update_actors(nets, batch, played._replace(seen=harmed), config)
            follow(*self._state.stacks.values(), tau=config.tau)
        return metrics

    def _harm_next(self, batch: Batch, seen: Tensor) -> Tensor:
        """Move the partners in what target critics see."""
        if self.config.nature == "gradient":
            return self._partners.worst(self._nets.first_target_q, seen, batch.continues, batch.next_legal)
        return self._partners.answered(self._natures.evaluate_target(seen), seen, batch.continues, batch.next_legal)

    def _harm(self, batch: Batch, seen: Tensor) -> Tensor:
        """Move the partners in what critics see."""
        if self.config.nature == "gradient":
            return self._partners.worst(self._nets.first_q, seen, batch.present, batch.legal)
        with torch.no_grad():
            outputs = self._natures(seen)
        return self._partners.answered(outputs, seen, batch.present, batch.legal)

    def _update_natures(self, batch: Batch) -> Metrics:
        """Move the learned natures down the critics, each agent playing as its actor says."""
        if self.config.nature == "gradient":
            return {}
        with torch.no_grad():
            seen = play(self._nets, batch, batch.observation).seen
        harmed = self._partners.answered(self._natures(seen), seen, batch.present, batch.legal)
        losses = nature_value_loss(self._nets.first_q(harmed), batch.present)
        if not self._partners.certain:
            self._natures.descend(losses)
        return {"nature_loss": losses.detach()}
