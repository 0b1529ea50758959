"""Attacks along the gradient of a policy or a critic. torch is imported when one is made, not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from robust_envs.natures.checks import integer, number
from robust_envs.natures.move import Array, Move, discrete, is_choice
from robust_envs.sets import Interval, Linf, UncertaintySet

if TYPE_CHECKING:
    import torch

    from robust_envs.natures.differentiable import View

__all__ = ["GradientAttack"]

_TARGETS = ("divergence", "value", "least")


@final
@dataclass(frozen=True)
class GradientAttack:
    r"""Follow the gradient of a torch policy or critic to what hurts it: FGSM in one step, PGD in several.

    Minimise a loss over the set, from a start inside it: \(\delta \leftarrow \Pi(\delta + \alpha\, d)\) with the set's
    own projection \(\Pi\). One step goes to its worst member \(d = \arg\min_{y} \langle \nabla L, y \rangle\): a sign
    step for `Linf`, a normalised one for `L2`. Several do so in boxes and follow the gradient itself, at that length,
    elsewhere; the least loss on the way wins. With \(s\) what the agent should have seen, \(L\) is

    - ``"divergence"``: \(-KL(\pi(\cdot|s) \,\|\, \pi(\cdot|s + \delta))\), for a policy without a distribution minus
      the squared distance of the actions; starts at a random member, since the gradient is 0 at 0;
    - ``"value"``: \(Q(s, \pi(s + \delta))\), with a critic of states only \(V(s + \delta)\); on the action channel
      \(Q(s, a + \delta)\);
    - ``"least"``: \(-\log \pi(a^\circ|s + \delta)\), where \(a^\circ\) is the action that the policy likes least (a
      Q-network: values least) at \(s\). On a discrete action channel the choice itself: the legal one liked least.

    Args:
        policy: The policy attacked: a Stable-Baselines3 model or policy, a trainer of `algos.deep`, an object with
            ``torch_policy(agent)`` (a function from observations (B, n) to a torch Distribution or actions), a
            ``torch.nn.Module`` of flat observations; one for all agents or a dict by agent. ``None`` with a `critic` on
            the action channel.
        target: What to minimise, see above.
        critic: Module for ``"value"``, where the policy brings none: of observations, with one value for each discrete
            action (B, A) or one for the state (B, 1); with continuous actions of (observations, actions).
        discrete: For a plain module: whether it returns logits or values of discrete actions, or actions.
        steps: Gradient steps, >= 1.
        step_size: Length of a step in multiples of the set; 1 for one step, 2.5 / steps for several.
        restarts: Starts, >= 1: the first at 0, the others at random; the least loss wins.

    Raises:
        TypeError: If an argument is of another kind, or `policy` cannot be differentiated: it says what is needed.
        ValueError: If an argument is out of range; at ``robust()``, if the channel or target does not fit.

    Example:
        >>> import gymnasium
        >>> import torch
        >>> from robust_envs import GradientAttack, Linf, robust
        >>> net = torch.nn.Linear(4, 2)  # a policy for CartPole: observation to logits
        >>> attack = GradientAttack(net, discrete=True, target="least", steps=5)
        >>> env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=attack)
        >>> observation, _ = env.reset(seed=0)

    References:
        Ian Goodfellow, Jonathon Shlens, Christian Szegedy (2015), Explaining and Harnessing Adversarial Examples.
        Aleksander Madry et al. (2018), Towards Deep Learning Models Resistant to Adversarial Attacks.
        Huan Zhang et al. (2020), Robust Deep Reinforcement Learning against Adversarial Perturbations on State
        Observations, section 3 (the critic and the maximal difference attack).
    """

    policy: Any = None
    target: str = field(default="divergence", kw_only=True)
    critic: Any = field(default=None, kw_only=True)
    discrete: bool | None = field(default=None, kw_only=True)
    steps: int = field(default=1, kw_only=True)
    step_size: float | None = field(default=None, kw_only=True)
    restarts: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        if self.target not in _TARGETS:
            raise ValueError(f"target must be one of {', '.join(map(repr, _TARGETS))}, got target={self.target!r}")
        integer("steps", self.steps, least=1)
        integer("restarts", self.restarts, least=1)
        if self.step_size is not None:
            number("step_size", self.step_size, "be finite and > 0", above=0.0)
        if self.policy is None and self.critic is None:
            raise TypeError("policy must be given, or a critic for the action channel, got policy=None")
        for agent in self.policy if isinstance(self.policy, Mapping) else (None,):
            self._view(agent)

    def check(self, channel: str, members: UncertaintySet) -> None:
        """Raise where there is nothing to follow."""
        if channel not in ("observation", "action"):
            raise ValueError(f"GradientAttack() acts on observations and actions, got channel {channel!r}")
        if channel == "observation":
            if self.policy is None:
                raise ValueError("GradientAttack() on observations needs a policy, got policy=None")
        elif discrete(members) and self.target == "divergence":
            raise ValueError("GradientAttack() on discrete actions needs target='least' or 'value', got 'divergence'")
        elif not discrete(members) and self.target != "value":
            raise ValueError(f"GradientAttack() on actions of a Box needs target='value', got {self.target!r}")
        for agent in self.policy if isinstance(self.policy, Mapping) else (None,):
            self._view(agent).need(self.target, actions=channel == "action", choices=discrete(members))

    def __call__(self, move: Move) -> Any:
        """Return the worst delta found."""
        view = self._view(move.agent)
        with view.attacked():
            if is_choice(move):
                return _least_choice(self._scores(view, view.tensor(move.seen)).detach(), move)
            loss = self._action_loss(view, move) if move.channel == "action" else self._seen_loss(view, move)
            return self._descend(loss, view, move)

    def _descend(self, loss: Callable[[torch.Tensor], torch.Tensor], view: View, move: Move) -> Array:
        starts = [self._start(move, restart) for restart in range(self.restarts)]
        if self.steps == 1 and self.restarts == 1:
            _, gradient = view.gradient(loss, starts[0])
            return self._step(starts[0], gradient, move.set)
        found = []
        for delta in starts:
            for _ in range(self.steps):
                value, gradient = view.gradient(loss, delta)
                found.append((value, delta))
                delta = self._step(delta, gradient, move.set)
            found.append((view.evaluate(loss, delta), delta))
        return min(found, key=lambda pair: pair[0])[1]

    def _start(self, move: Move, restart: int) -> Array:
        random = restart > 0 or self.target == "divergence"
        return np.asarray(move.set.sample(move.rng) if random else move.set.project(np.zeros(len(move.nominal))))

    def _step(self, delta: Array, gradient: Array, members: UncertaintySet) -> Array:
        if not gradient.any():
            return delta
        length = self.step_size or (1.0 if self.steps == 1 else 2.5 / self.steps)
        direction = np.asarray(members.worst(gradient))
        if self.steps > 1 and not isinstance(members, Linf | Interval):
            # towards the worst member alone several steps would settle beside it where a set is not round
            direction = -gradient * (np.linalg.norm(direction) / np.linalg.norm(gradient))
        return np.asarray(members.project(delta + length * direction))

    def _seen_loss(self, view: View, move: Move) -> Callable[[torch.Tensor], torch.Tensor]:
        """The loss of a delta to what the agent sees, shape (1, dim)."""
        if len(move.nominal) != len(move.seen):
            raise ValueError(f"GradientAttack() needs Box observations, perturbed as a whole, of {move.agent!r}")
        true = view.tensor(move.seen)
        if self.target == "divergence":
            return lambda delta: -view.divergence(true, true + delta)
        if self.target == "value":
            return lambda delta: view.value(true, true + delta)
        least = self._scores(view, true).argmin()
        return lambda delta: -view.log_probabilities(true + delta)[0, least]

    def _action_loss(self, view: View, move: Move) -> Callable[[torch.Tensor], torch.Tensor]:
        true, action = view.tensor(move.seen), view.tensor(move.nominal)
        return lambda delta: view.action_value(true, action + delta)

    def _scores(self, view: View, true: torch.Tensor) -> torch.Tensor:
        """How much each discrete action is liked, shape (A,)."""
        return (view.action_values(true) if self.target == "value" else view.preferences(true))[0]

    def _view(self, agent: Any) -> View:
        from robust_envs.natures.differentiable import make_view

        if isinstance(agent, tuple):
            raise ValueError(f"GradientAttack() attacks one agent at a time and cannot fill a joint set over {agent}")
        policy = self.policy
        if isinstance(policy, Mapping):
            if agent not in policy:
                raise KeyError(f"policy has no entry for agent {agent!r}: it has {sorted(policy)}")
            policy = policy[agent]
        return make_view(policy, critic=self.critic, discrete=self.discrete, agent=agent)


def _least_choice(scores: torch.Tensor, move: Move) -> int:
    """Return the choice with the least score."""
    choices = [int(member[0]) for member in np.asarray(move.set.members)]  # type: ignore[attr-defined]
    return min(choices, key=lambda choice: float(scores[choice]))
