"""QMIX: the team's value is a monotone function of its agents' values, decided by the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch

from algos.deep.config import check_integer
from algos.deep.nets import LearnedStack, StackedMLP
from algos.deep.q_config import QConfig
from algos.deep.q_losses import mix
from algos.deep.q_team import TeamQLearner, by_run

if TYPE_CHECKING:
    from torch import Tensor

    from algos.deep.buffers import Batch


@final
@dataclass(frozen=True, kw_only=True)
class QMIXConfig(QConfig):
    """Hold QMIX's settings: those of `QConfig` and the mixer's.

    Args:
        mixing_size: hidden units of the mixer, >= 1.
        mixer_hidden_sizes: units of each hidden ReLU layer of the network that makes the mixer's weights.

    Raises:
        ValueError: a value is outside its range.
    """

    mixing_size: int = 32
    mixer_hidden_sizes: tuple[int, ...] = (64,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("mixing_size", self.mixing_size, at_least=1)
        object.__setattr__(self, "mixer_hidden_sizes", tuple(self.mixer_hidden_sizes))
        for size in self.mixer_hidden_sizes:
            check_integer("mixer_hidden_sizes", size, at_least=1)


@final
class QMIX(TeamQLearner[QMIXConfig]):
    """Train a team whose value rises with each of its agents' values, so that each can act by its own alone.

    As VDN, with the sum replaced: in targets and values alike

        Q_tot = |w2| . elu(|W1| Q + b1) + v,   Q = (Q_1, ..., Q_N),   W1, b1, w2, v from the state,

    by one hypernetwork. The state is the environment's `state()` where it has one, else all observations side by
    side; batched games tell it as `View.state`.

    Args:
        env: the environment; all its `possible_agents` are one team, paid the sum of their rewards. Discrete actions.
        config: settings, `QMIXConfig()` if None.
        seed: the one source of randomness, >= 0.
        seeds: several of them, each a run of its own, in one process.
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        tensorboard_log: folder for TensorBoard, or None.
        verbose: 1 prints a table at every `log_interval`.

    Raises:
        TypeError: env is no ParallelEnv and no Games, or config no QMIXConfig.
        ValueError: a space is not supported (the agent is named), or the device is not there.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> config = QMIXConfig(transition_set="TotalVariation(0.1)", learning_starts=50, batch_size=32)
        >>> QMIX(simple_spread_v3.parallel_env(), config, seed=1).learn(200).num_timesteps
        200

    References:
        Rashid, Samvelyan, Schroeder de Witt, Farquhar, Foerster, Whiteson (2018), QMIX: Monotonic Value Function
        Factorisation for Deep Multi-Agent Reinforcement Learning; Qu et al. (2026), DrIGM, for the robust targets.
    """

    config_class = QMIXConfig
    uses_state = True

    def _make_stacks(self) -> dict[str, LearnedStack]:
        stacks, team, size = super()._make_stacks(), self._team, self.config.mixing_size
        seen = team.state_size or len(team.seats) * team.observation_size
        real = team.state_size or sum(seat.observation_size for seat in team.seats)
        outputs = len(team.seats) * size + 2 * size + 1
        sizes = (seen, *self.config.mixer_hidden_sizes, outputs)
        self._mixers = self._stack("mixers", StackedMLP((real,), sizes, len(self.seeds)))
        self._moving.append(self._mixers)
        return {**stacks, "mixers": self._mixers}

    def _joined(self, values: Tensor, batch: Batch, *, following: bool, target: bool) -> Tensor:
        state = self._seen_state(batch, following=following)
        weights = self._mixers.evaluate_target(state) if target else self._mixers(state)
        return mix(torch.stack(self._by_member(values), dim=-1), weights, self.config.mixing_size)

    def _seen_state(self, batch: Batch, *, following: bool) -> Tensor:
        """Return what the mixer sees, (R, B, S)."""
        state = batch.next_state if following else batch.state
        if state is not None:
            return by_run(state)
        observation = batch.next_observation if following else batch.observation
        by_transition: Tensor = observation.unflatten(0, (len(self.seeds), -1)).transpose(1, 2)
        return by_transition.flatten(2)
