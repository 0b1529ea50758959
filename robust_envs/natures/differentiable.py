"""How policies of several libraries are differentiated: by the gradient of what they do with respect to what they see.

This file imports torch; nothing does so before a `GradientAttack` is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Normal, kl_divergence

__all__ = ["View", "make_view"]

Array = np.ndarray[Any, np.dtype[Any]]
Answer = Distribution | Tensor
_NEEDS = (
    "a Stable-Baselines3 model, a trainer of algos.deep, a torch.nn.Module of flat observations, "
    "or an object with torch_policy(agent)"
)


class View:
    """What can be differentiated of a policy and its critic. Observations (B, n) and actions (B, m) are flat.

    Args:
        act: From observations to a distribution, or to actions.
        state_values: From observations to values of the state, (B, 1), or of each discrete action, (B, A).
        pair_values: From observations and actions to values, (B, 1).
        modules: Put in evaluation mode during an attack, so that nothing (dropout) draws from torch's generator.
        dtype, device: Of what the networks take.
    """

    def __init__(
        self,
        *,
        act: Callable[[Tensor], Answer] | None = None,
        state_values: Callable[[Tensor], Tensor] | None = None,
        pair_values: Callable[[Tensor, Tensor], Tensor] | None = None,
        modules: tuple[torch.nn.Module, ...] = (),
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self._act, self._state_values, self._pair_values = act, state_values, pair_values
        self._modules, self._dtype, self._device = modules, dtype, device

    def need(self, target: str, *, actions: bool, choices: bool) -> None:
        """Raise unless there is a critic where one is needed."""
        if target != "value":
            return
        if actions and not choices and self._pair_values is None:
            raise TypeError(
                "critic must be given: an attack on actions follows a critic of (observations, actions), as models "
                "of SAC, TD3 and DDPG have one"
            )
        if self._state_values is None and (choices or self._pair_values is None):
            raise TypeError("critic must be given for target='value': the policy has none")

    @contextmanager
    def attacked(self) -> Iterator[None]:
        """Differentiate, whatever the caller switched off, and leave the modules as they were."""
        parts = [part for module in self._modules for part in module.modules()]
        modes = [part.training for part in parts]
        for part in parts:
            part.training = False
        try:
            with torch.inference_mode(mode=False), torch.enable_grad():
                yield
        finally:
            for part, mode in zip(parts, modes, strict=True):
                part.training = mode

    def tensor(self, numbers: Array) -> Tensor:
        """Return numbers (n,) as a batch of one."""
        return torch.as_tensor(np.array(numbers, np.float64), dtype=self._dtype, device=self._device)[None]

    def gradient(self, loss: Callable[[Tensor], Tensor], delta: Array) -> tuple[float, Array]:
        """Return the loss and its gradient, shape (dim,), float64."""
        at = self.tensor(delta).requires_grad_()
        value = loss(at).sum()
        (found,) = torch.autograd.grad(value, [at], allow_unused=True) if value.requires_grad else (None,)
        if found is None:
            raise TypeError("policy must be differentiable: its answer does not depend on its input in torch's eyes")
        return float(value.detach()), np.asarray(found[0].double().cpu().numpy())

    def evaluate(self, loss: Callable[[Tensor], Tensor], delta: Array) -> float:
        """Return the loss."""
        return float(loss(self.tensor(delta)).sum().detach())

    def outputs(self, shown: Tensor) -> Tensor:
        """Return the scores of discrete actions, shape (B, A), or the mean of continuous ones, shape (B, m)."""
        answer = self._answer(shown)
        if isinstance(answer, Tensor):
            return answer
        return answer.logits if isinstance(answer, Categorical) else answer.mean

    def divergence(self, true: Tensor, shown: Tensor) -> Tensor:
        """Return how far what the policy does at `shown` is from what it does at `true`."""
        before, after = self._answer(true), self._answer(shown)
        if isinstance(before, Tensor) or isinstance(after, Tensor):
            return ((after - before.detach()) ** 2).sum()  # type: ignore[operator, union-attr]
        return kl_divergence(before, after).sum()

    def value(self, true: Tensor, shown: Tensor) -> Tensor:
        """Return the value, at the true observation, of what the policy does at the one shown."""
        if self._pair_values is not None:
            answer = self._answer(shown)
            return self._pair_values(true, answer if isinstance(answer, Tensor) else answer.mean).sum()
        values = self._states(shown)
        if values.shape[-1] == 1:
            return values.sum()
        return (self._states(true).detach() * self.log_probabilities(shown).exp()).sum()

    def action_value(self, true: Tensor, actions: Tensor) -> Tensor:
        """Return the value of actions."""
        assert self._pair_values is not None  # `need` has asked
        return self._pair_values(true, actions).sum()

    def action_values(self, true: Tensor) -> Tensor:
        """Return the value of each discrete action, shape (B, A)."""
        values = self._states(true)
        if values.shape[-1] == 1:
            raise TypeError("critic must value each action, shape (B, A), to choose one, got one value for the state")
        return values

    def preferences(self, true: Tensor) -> Tensor:
        """Return how much each discrete action is liked, shape (B, A)."""
        return self.log_probabilities(true)

    def log_probabilities(self, shown: Tensor) -> Tensor:
        """Return the log-probability of each discrete action, shape (B, A)."""
        answer = self._answer(shown)
        if not isinstance(answer, Categorical):
            raise TypeError("target='least' needs discrete actions: take 'divergence' or 'value'")
        return answer.logits

    def _answer(self, observations: Tensor) -> Answer:
        if self._act is None:
            raise TypeError(f"policy must be given: {_NEEDS}")
        return self._act(observations)

    def _states(self, observations: Tensor) -> Tensor:
        assert self._state_values is not None  # `need` has asked
        return self._state_values(observations)


def make_view(policy: Any, *, critic: Any, discrete: bool | None, agent: Any) -> View:
    """Find out how to differentiate a policy.

    Raises:
        TypeError: If it cannot be; the message says what is needed.
        ValueError: If a plain module is not told what it returns.
    """
    inner = getattr(policy, "policy", policy)  # what a Stable-Baselines3 model holds
    if hasattr(policy, "torch_policy"):
        parts: dict[str, Any] = {"act": None if agent is None else policy.torch_policy(agent)}
        parts["device"] = getattr(policy, "device", "cpu")
    elif isinstance(inner, torch.nn.Module) and hasattr(inner, "obs_to_tensor"):
        parts = _stable_baselines(inner)
    elif isinstance(policy, torch.nn.Module):
        parts = _plain(policy, discrete)
    elif policy is None:
        parts = {}
    else:
        raise TypeError(f"policy must be differentiable, {_NEEDS}, got policy={policy!r}")
    return View(**(parts if critic is None else _with_critic(parts, critic, discrete)))


def _placement(module: torch.nn.Module) -> dict[str, Any]:
    first = next(module.parameters(), None)
    return {} if first is None else {"dtype": first.dtype, "device": first.device}


def _plain(module: torch.nn.Module, discrete: bool | None) -> dict[str, Any]:
    if discrete is None:
        raise ValueError("discrete must be given for a plain module: True if it returns logits or values of actions")

    def act(observations: Tensor) -> Answer:
        answer = module(observations)
        return Categorical(logits=answer) if discrete and isinstance(answer, Tensor) else answer

    return {"act": act, "modules": (module,), **_placement(module)}


def _with_critic(parts: dict[str, Any], critic: Any, discrete: bool | None) -> dict[str, Any]:
    if not isinstance(critic, torch.nn.Module):
        raise TypeError(f"critic must be a torch.nn.Module, got critic={critic!r}")
    pairs = discrete is False or parts.get("pair_values") is not None or (not parts and discrete is None)
    kind = "pair_values" if pairs else "state_values"
    return {**_placement(critic), **parts, kind: critic, "modules": (*parts.get("modules", ()), critic)}


def _stable_baselines(policy: Any) -> dict[str, Any]:
    from stable_baselines3.common.preprocessing import is_image_space

    space = policy.observation_space
    if space.shape is None or is_image_space(space):
        raise TypeError(f"policy must see a Box that is no image to be attacked by its gradient, it sees {space}")

    def shaped(observations: Tensor) -> Tensor:
        return observations.reshape(-1, *space.shape)

    common = {"modules": (policy,), "device": policy.device}
    if hasattr(policy, "get_distribution"):  # PPO, A2C
        return {
            "act": lambda seen: _torch_distribution(policy.get_distribution(shaped(seen)).distribution),
            "state_values": lambda seen: policy.predict_values(shaped(seen)),
            **common,
        }
    if hasattr(policy, "q_net"):  # DQN

        def values(seen: Tensor) -> Tensor:
            found: Tensor = policy.q_net(shaped(seen))
            return found

        return {"act": lambda seen: Categorical(logits=values(seen)), "state_values": values, **common}
    if hasattr(policy, "actor") and hasattr(policy, "critic"):  # SAC, TD3, DDPG: both live in [-1, 1]
        box = policy.action_space
        low, high = (torch.as_tensor(end.reshape(-1), device=policy.device) for end in (box.low, box.high))

        def act(seen: Tensor) -> Tensor:
            squashed = _mean_action(policy.actor, shaped(seen))
            return low + (squashed + 1) / 2 * (high - low)

        def pair_values(seen: Tensor, actions: Tensor) -> Tensor:
            squashed = 2 * (actions - low) / (high - low) - 1
            return torch.cat(policy.critic(shaped(seen), squashed), dim=1).min(dim=1, keepdim=True).values

        return {"act": act, "pair_values": pair_values, **common}
    raise TypeError(f"policy must be differentiable, {_NEEDS}, got policy={type(policy).__name__}")


def _mean_action(actor: Any, observations: Tensor) -> Tensor:
    """Return what the actor does without noise, in [-1, 1]."""
    stochastic = hasattr(actor, "get_action_dist_params")  # SAC
    action: Tensor = actor(observations, deterministic=True) if stochastic else actor(observations)
    return action


def _torch_distribution(distribution: Any) -> Distribution:
    if isinstance(distribution, Categorical | Normal):
        return distribution
    raise TypeError(f"policy must act in a Discrete or a Box space, its distribution is {type(distribution).__name__}")
