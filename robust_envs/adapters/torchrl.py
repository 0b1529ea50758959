"""Make a TorchRL (or BenchMARL) environment robust by appending one transform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from robust_envs.adapters.missing import require
from robust_envs.natures import AsAgents, Policy, Replay, Uniform
from robust_envs.natures.played import as_agents, check_nature
from robust_envs.sets import Joint, PerEpisode, PerState, Product, UncertaintySet
from robust_envs.traces import Executed

try:
    import torch
    from torchrl.envs import Transform
except ImportError:  # said by `RobustTransform` when it is made
    Transform = object

__all__ = ["Batch", "RobustTransform"]

_CHANNELS = ("reward", "observation", "action")


class Batch(NamedTuple):
    """What a function that plays nature for a whole batch is given.

    Attributes:
        channel: ``"reward"``, ``"observation"`` or ``"action"``.
        key: Of the tensordict, e.g. ``("agent", "observation")``.
        nominal: The values, shape (..., dim).
        allowed: The set, bound to dim coordinates.
        rng: A torch Generator on the device of the values.
    """

    channel: str
    key: Any
    nominal: Any
    allowed: Any
    rng: Any


class RobustTransform(Transform):  # type: ignore[misc]  # TorchRL may be missing
    """Perturb observations, rewards and actions of a batched TorchRL environment.

    Every row of the last axis is perturbed on its own: for each environment of the batch and each agent of a group. The
    perturbed value stays inside the bounds of its spec, and nature draws from a generator of its own.

    Args:
        observation: A set for all observations, or a dict from tensordict keys to sets.
        reward: The same for rewards.
        action: The same for continuous actions.
        nature: `Uniform()`, `Noise()`, `Nominal()`, on rewards `WorstCase()`, or a function from a `Batch` to deltas of
            the shape of its values.
        seed: Of nature's generator, >= 0. ``env.set_seed`` does not reach transforms: give each copy its own.

    Attributes:
        last_move: The latest `Executed` by (channel, key): nominal, chosen and executed, as tensors.

    Raises:
        ImportError: If TorchRL is missing.
        TypeError: If a set or nature is none.
        ValueError: If nothing is uncertain, or a set or nature cannot play on batches; at the first step, if nature
            leaves its set.

    Example:
        Any environment of TorchRL becomes robust by this line::

            env.append_transform(RobustTransform(observation=Linf(0.1), nature=Uniform()))
    """

    def __init__(
        self, *, observation: Any = None, reward: Any = None, action: Any = None, nature: Any, seed: int = 0
    ) -> None:
        require("torchrl", "torchrl")
        super().__init__()
        given = {"reward": reward, "observation": observation, "action": action}
        self._sets = {channel: members for channel, members in given.items() if members is not None}
        if not self._sets:
            raise ValueError("at least one of observation, reward and action must have a set, got none")
        for channel, members in self._sets.items():
            for one in members.values() if isinstance(members, Mapping) else (members,):
                _check(channel, one, nature)
        self._nature, self._seed = nature, int(seed)
        self._noise: Any = None
        self._numbers = np.random.default_rng(self._seed)
        self._bound: dict[tuple[str, Any], Any] = {}
        self.last_move: dict[tuple[str, Any], Executed] = {}

    def _call(self, next_tensordict: Any) -> Any:
        for channel in ("reward", "observation"):
            self._move(channel, next_tensordict)
        return next_tensordict

    def _reset(self, tensordict: Any, tensordict_reset: Any) -> Any:
        mask: Any = None if tensordict is None else tensordict.get("_reset", None)
        kept = {}
        if mask is not None and not bool(mask.all()):
            # the environments of the batch that go on have been perturbed: their observations stay as they were
            kept = {key: tensordict.get(key, None) for key in self._members("observation")}
        self._move("observation", tensordict_reset)
        for key, before in kept.items():
            after = tensordict_reset.get(key, None)
            if before is not None and after is not None:
                again = mask.reshape(mask.shape[: tensordict.ndim] + (1,) * (after.ndim - tensordict.ndim))
                tensordict_reset.set(key, torch.where(again, after, before))
        return tensordict_reset

    def _inv_call(self, tensordict: Any) -> Any:
        self._move("action", tensordict)
        return tensordict

    def _members(self, channel: str) -> dict[Any, UncertaintySet]:
        """Return the sets of a channel by key of the tensordict."""
        members = self._sets.get(channel)
        if members is None or isinstance(members, Mapping):
            return dict(members or {})
        env: Any = self.parent
        observed = [key for key in env.observation_keys if _last(key) == "observation"]
        keys = {"reward": env.reward_keys, "observation": observed, "action": env.action_keys}[channel]
        return dict.fromkeys(keys, members)

    def _move(self, channel: str, tensordict: Any) -> None:
        for key, members in self._members(channel).items():
            nominal = tensordict.get(key, None)
            if nominal is None:
                continue  # no rewards at reset
            if not nominal.is_floating_point():
                raise ValueError(
                    f"{channel} must be made of floats to be moved in a batch, got {nominal.dtype} at {key}"
                )
            if (channel, key) not in self._bound:
                self._bound[channel, key] = members.bind(int(nominal.shape[-1]))
            bound = self._bound[channel, key]
            if bound.is_zero:
                continue
            chosen = self._choose(Batch(channel, key, nominal, bound, self._generator(nominal.device)))
            low, high = self._limits(channel, key, nominal)
            executed = bound.fit(chosen, torch.clamp(low - nominal, max=0.0), torch.clamp(high - nominal, min=0.0))
            tensordict.set(key, nominal + executed)
            self.last_move[channel, key] = Executed(nominal, chosen, executed)

    def _choose(self, batch: Batch) -> Any:
        nominal, members = batch.nominal, batch.allowed
        rows = nominal.shape[:-1]
        if isinstance(self._nature, Uniform):  # on the device, where the values are
            return members.sample(batch.rng, tuple(rows)).to(nominal.dtype)
        if hasattr(self._nature, "block"):
            drawn = self._nature.block(members, self._numbers, int(np.prod(rows)))
            return torch.as_tensor(drawn, dtype=nominal.dtype, device=nominal.device).reshape(nominal.shape)
        chosen = torch.as_tensor(self._nature(batch), dtype=nominal.dtype, device=nominal.device)
        if chosen.shape != nominal.shape or not bool(members.contains(chosen, tolerance=1e-6).all()):
            raise ValueError(
                f"nature must answer in {members} with shape {tuple(nominal.shape)}, got {chosen} on {batch.key}"
            )
        return chosen

    def _generator(self, device: Any) -> Any:
        if self._noise is None or self._noise.device != device:
            self._noise = torch.Generator(device).manual_seed(self._seed)
        return self._noise

    def _limits(self, channel: str, key: Any, nominal: Any) -> tuple[Any, Any]:
        specs = {"observation": "full_observation_spec", "reward": "full_reward_spec", "action": "full_action_spec"}
        space: Any = getattr(getattr(self.parent, specs[channel])[key], "space", None)
        if getattr(space, "low", None) is None:
            return torch.full_like(nominal, -torch.inf), torch.full_like(nominal, torch.inf)
        return space.low.to(nominal), space.high.to(nominal)


def _last(key: Any) -> Any:
    return key[-1] if isinstance(key, tuple) else key


def _check(channel: str, members: Any, nature: Any) -> None:
    if not isinstance(members, UncertaintySet):
        raise TypeError(f"{channel} must be a set or a dict from keys to sets, got {members!r}")
    if isinstance(members, Joint | PerEpisode | PerState | Product):
        raise ValueError(
            f"a batch is moved row by row: wrap the environment with robust() before TorchRL does, got {members}"
        )
    if as_agents(nature) is not None or isinstance(nature, AsAgents | Policy | Replay):
        raise ValueError(
            f"a transform cannot hold {type(nature).__name__}: PettingZooWrapper(robust(env, ..., nature=...)) can"
        )
    check_nature(nature, channel, members)
