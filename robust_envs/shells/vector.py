"""Gymnasium vector environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv, VectorWrapper

from robust_envs.natures import Replay
from robust_envs.natures.played import as_agents
from robust_envs.perturber import Perturber, legal
from robust_envs.shells.batches import sub_space, unbatch
from robust_envs.shells.gym import SINGLE
from robust_envs.shells.layers import Layer
from robust_envs.shells.vector_seats import Batched, VectorSeats, vector_seats
from robust_envs.traces import Executed

__all__ = ["RobustVectorEnv"]

Array = np.ndarray[Any, np.dtype[Any]]
Step = tuple[Any, Any, Any, Any, dict[str, Any]]


if TYPE_CHECKING:
    _Wrapper = VectorWrapper[Any, Any, Any, Any, Any]
else:
    _Wrapper = VectorWrapper  # takes no parameters in Gymnasium 1.2


class RobustVectorEnv(Layer, _Wrapper, RecordConstructorArgs):
    """A Gymnasium VectorEnv with natures in each sub-environment; made by `robust`, which documents the arguments.

    ``robust(SyncVectorEnv([make] * E), ...)`` equals ``SyncVectorEnv([lambda: robust(make(), ...)] * E)``, bit for bit,
    for rewards that are Python floats or float64 and natures that remember nothing: sub-environment i is seeded
    ``seed + i``. ``env.trace`` is a tuple with the current episode of each; `last_move` and infos have
    a leading axis E. ``Replay`` takes one trace for all or such a tuple; it seeds the first episode only, since
    a vector environment begins the others itself.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        *,
        reward: Any = None,
        observation: Any = None,
        action: Any = None,
        nature: Any,
        info: str | None = None,
        trace: bool = False,
    ) -> None:
        channels = {"reward": reward, "observation": observation, "action": action}
        given = {**channels, "nature": nature, "info": info, "trace": trace}
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **given)  # a nature may hold a whole network
        _Wrapper.__init__(self, env)
        if as_agents(nature) is not None:
            raise ValueError(
                "AsAgents() cannot join a VectorEnv: each sub-environment would need a nature agent of its own, and a "
                "VectorEnv has one agent only. Wrap single environments: robust(env, nature=AsAgents()), then vectorise"
            )
        self._autoreset, self._recording = _autoreset_mode(env), trace
        self._perturbers = _perturbers(env, channels, nature, trace)
        self._noting = self._perturbers[0].noting
        self._settle(self._perturbers[0], info)
        self._reward = self._seats("reward", None)
        self._observation = self._seats("observation", env.single_observation_space)
        self._action = self._seats("action", env.single_action_space)
        self._kinds = [kind for kind in (self._reward, self._observation, self._action) if kind is not None]
        self._plain = all(isinstance(kind, Batched) for kind in self._kinds)
        self._looks = any(kind.looks or kind.masked for kind in self._kinds)
        calm = self._autoreset is not AutoresetMode.SAME_STEP and info is None and not trace
        self._only_observation = calm and self._plain and self._kinds == [self._observation]
        self._ended = np.zeros(self.num_envs, bool)
        self._seen: list[Any] | None = None
        self._masks: list[Any] = [None] * self.num_envs

    def _seats(self, channel: str, space: Any) -> VectorSeats | None:
        seats = [perturber.only(channel) for perturber in self._perturbers]
        present = [seat for seat in seats if seat is not None]
        return vector_seats(present, space, recording=self._recording) if present else None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        who = _reset_mask(options, self.num_envs)
        seed, options = self._begin_all(seed, options, who)
        nominal, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        self._ended[slice(None) if who is None else who] = False
        for kind in self._kinds:
            kind.refresh()
            kind.begin(who)
        self._see(nominal, infos, who)
        observations = self._move(self._observation, nominal, seen=self._seen, who=who, again=True)
        return observations, self._tell(infos, who)

    def _begin_all(
        self, seed: Any, options: dict[str, Any] | None, who: Array | None
    ) -> tuple[Any, dict[str, Any] | None]:
        """Start the episodes of all sub-environments, or of some, and return seed and options for the environment."""
        ours = options if who is None or options is None else {k: v for k, v in options.items() if k != "reset_mask"}
        seeds, passed = _seeds(seed, self.num_envs), options
        for i, perturber in enumerate(self._perturbers):
            if who is None or who[i]:
                seeds[i], passed = perturber.begin(seeds[i], ours)
        if seed is None and any(one is not None for one in seeds):  # a Replay knows the seeds of its traces
            seed = seeds[0] if seeds == _seeds(seeds[0], self.num_envs) else seeds
        return seed, passed if who is None else {**(passed or {}), "reset_mask": who}

    def step(self, actions: Any) -> Step:
        if self._only_observation:
            nominal, rewards, terminated, truncated, infos = self.env.step(actions)
            return self._observation.perturb(nominal), rewards, terminated, truncated, infos  # type: ignore[union-attr]
        resetting = self._autoreset is AutoresetMode.NEXT_STEP and bool(self._ended.any())
        who = ~self._ended if resetting else None
        self._take(actions, who)
        masks = self._legal() if self._action is not None and self._action.masked else None
        actions = self._move(self._action, actions, seen=self._seen, masks=masks, who=who)
        nominal, rewards, terminated, truncated, infos = self.env.step(actions)
        if resetting:
            self._begin(self._ended)
        self._ended = np.asarray(terminated | truncated)
        if self._autoreset is AutoresetMode.SAME_STEP and "final_obs" in infos and self._ended.any():
            observations, rewards, infos = self._end_and_begin(nominal, rewards, infos)
        else:
            self._see(nominal, infos, None)
            rewards = self._move(self._reward, rewards, seen=self._seen, who=who)
            observations = self._move(self._observation, nominal, seen=self._seen)
        return observations, rewards, terminated, truncated, self._tell(infos, None)

    def _end_and_begin(self, nominal: Any, rewards: Any, infos: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        """Move on the last observations of the episodes that ended, then on the first of those that begin."""
        ended, finals = self._ended, infos["final_obs"].copy()  # a copy: the environment's own is left alone
        last = {int(i): finals[i] for i in np.flatnonzero(ended)}
        self._see(nominal, infos, None)
        now = self._seen
        then = None if now is None else [last.get(i, one) for i, one in enumerate(now)]
        rewards = self._move(self._reward, rewards, seen=then)
        kind = self._observation
        if kind is not None:
            new = kind.perturb(kind.swap(kind.open(nominal), last), seen=then)
            for i in last:
                finals[i] = kind.item(new, i)
        infos = {**infos, "final_obs": finals}
        if isinstance(infos.get("final_info"), Mapping):
            infos["final_info"] = self._tell(infos["final_info"], ended)
        self._begin(ended)
        return self._move(kind, nominal, seen=now, who=ended, again=True), rewards, infos

    def _begin(self, who: Array) -> None:
        """Start episodes which the environment began by itself."""
        for kind in self._kinds:
            kind.begin(who)
        if not self._plain:  # only seats that move one by one have clocks, budgets and records
            for i in np.flatnonzero(who):
                self._perturbers[i].go_on()

    def _move(self, kind: VectorSeats | None, batch: Any, **how: Any) -> Any:
        if kind is None:
            return batch
        opened = kind.open(batch)
        return kind.close(batch, opened, kind.perturb(opened, **how))

    def _see(self, nominal: Any, infos: Mapping[str, Any], who: Array | None) -> None:
        """Keep the nominal observations and the legal actions, for natures that need them."""
        if not self._looks:
            return
        self._seen = unbatch(self.env.single_observation_space, nominal, self.num_envs)
        masks, present = infos.get("action_mask"), infos.get("_action_mask")
        for i in range(self.num_envs) if who is None else np.flatnonzero(who):
            self._masks[i] = None if masks is None or (present is not None and not present[i]) else masks[i]

    def _legal(self) -> list[Any]:
        seen = self._seen or [None] * self.num_envs
        return [
            legal(one, {SINGLE: {"action_mask": mask}}, SINGLE) for one, mask in zip(seen, self._masks, strict=True)
        ]

    def _take(self, actions: Any, who: Array | None) -> None:
        if self._noting:
            seen = self._seen or [None] * self.num_envs
            for i, action in enumerate(unbatch(self.env.single_action_space, actions, self.num_envs)):
                if who is None or who[i]:
                    self._perturbers[i].take({SINGLE: action}, {SINGLE: seen[i]})

    def _tell(self, infos: dict[str, Any], who: Array | None) -> dict[str, Any]:
        """Add the executed deltas, shape (E, dim), as Gymnasium batches infos: zeros and a mask where there is none."""
        if self._info is None:
            return infos
        there = np.ones(self.num_envs, bool) if who is None else who.copy()
        told = dict(infos)
        for kind in sorted(self._kinds, key=lambda kind: kind.seats[0].channel):
            name, last = self._key(kind.seats[0].channel), kind.last
            deltas = np.zeros((self.num_envs, kind.port.dim)) if last is None else last.executed
            told |= {name: np.where(there[:, None], deltas, 0.0), f"_{name}": there.copy()}
        return told

    @property
    def last_move(self) -> dict[tuple[str, str], Executed]:
        """The latest move of each nature of this layer, by (channel, agent), each of shape (E, dim).

        Zeros where a sub-environment has not moved yet in its episode.
        """
        moves = {kind.seats[0].key: kind.last for kind in self._kinds}
        return {key: move for key, move in moves.items() if move is not None}

    @property
    def trace(self) -> Any:
        """What nature did in the current episode of each sub-environment, a tuple of `Trace`."""
        return tuple(perturber.trace for perturber in self._perturbers)

    @property
    def radius(self) -> dict[str, Any]:
        """Radius of the sets by channel (of the first sub-environment). Set a number, or a dict by channel.

        What is set takes effect at once. A trace replays only episodes whose radius was set before the reset.
        """
        return {seat.channel: getattr(seat.members, "radius", None) for seat in self._perturber.seats}

    @radius.setter
    def radius(self, value: float | Mapping[str, float]) -> None:
        for perturber in self._perturbers:
            perturber.set_radius(value)
        for kind in self._kinds:
            kind.refresh()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for kind in self._kinds:
            kind.refresh()  # what an unseeded copy had drawn before is dropped


def _perturbers(
    env: VectorEnv[Any, Any, Any], channels: Mapping[str, Any], nature: Any, trace: bool
) -> list[Perturber]:
    """Seat the natures of each sub-environment."""
    depth = Layer.layers_below(env) + _layers_inside(env.unwrapped)
    return [
        Perturber(
            channels,
            nature=one,
            agents=[SINGLE],
            observation_space=lambda agent, i=i: sub_space(env.single_observation_space, env.observation_space, i),  # type: ignore[misc]
            action_space=lambda agent: env.single_action_space,
            depth=depth,
            trace=trace,
        )
        for i, one in enumerate(_natures(nature, env.num_envs))
    ]


def _natures(nature: Any, size: int) -> list[Any]:
    if not isinstance(nature, Replay) or not isinstance(nature.trace, tuple | list):
        return [nature] * size
    if len(nature.trace) != size:
        raise ValueError(f"Replay must have one trace for each of {size} sub-environments, got {len(nature.trace)}")
    return [Replay(trace) for trace in nature.trace]


def _layers_inside(base: Any) -> int:
    """Count the robust layers of each sub-environment: streams must differ from theirs."""
    envs = vars(base).get("envs")
    if envs:
        return Layer.layers_below(envs[0])
    if isinstance(base, AsyncVectorEnv) and base.call("has_wrapper_attr", "robust_layers")[0]:
        return int(base.get_attr("robust_layers")[0])
    return 0


def _autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    if env.metadata.get("autoreset_mode") is None:
        gymnasium.logger.warn(f"{env} does not say its metadata['autoreset_mode']: NEXT_STEP is assumed")
        return AutoresetMode.NEXT_STEP
    return AutoresetMode(env.metadata["autoreset_mode"])


def _seeds(seed: Any, size: int) -> list[int | None]:
    """Return the seed of each sub-environment."""
    if seed is None:
        return [None] * size
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(size)]
    if not isinstance(seed, Sequence | np.ndarray) or len(seed) != size:
        raise ValueError(
            f"seed must be an integer or have {size} entries, one for each sub-environment, got seed={seed!r}"
        )
    return list(seed)


def _reset_mask(options: Mapping[str, Any] | None, size: int) -> Array | None:
    if options is None or "reset_mask" not in options:
        return None
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (size,) or not mask.any():
        raise ValueError(
            f"options['reset_mask'] must be a bool array of shape ({size},) with a True in it, got {mask!r}"
        )
    return mask.copy()
