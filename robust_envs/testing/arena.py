"""Play a policy against any nature, again and again, from one environment built once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.channels import CHANNELS, WORLD, scaled
from robust_envs.evaluation.rollouts import reseed, seeded_globals
from robust_envs.natures import Move
from robust_envs.policies import act, check_policy, team_actions
from robust_envs.shells.layers import Declared, Layer
from robust_envs.testing.episodes import Episode
from robust_envs.testing.rules import nothing
from robust_envs.testing.witness import SINGLE, make_witness
from robust_envs.traces import Trace
from robust_envs.wrap import robust

__all__ = ["Arena"]


class Director:
    """The one nature of a robust layer: hands each move to whoever plays now."""

    def __init__(self) -> None:
        self.play: Callable[[Move], Any] | None = None

    def __call__(self, move: Move) -> Any:
        assert self.play is not None
        return self.play(move)


class Arena:
    """Play episodes of a policy in an environment with a nature of one's choice.

    All moves of nature go through the layers that `robust` makes, which refuse whatever lies outside the sets: one on
    the world itself, whose changes are the truth that the witness keeps, and one on what agents see, do and are paid.

    Args:
        policy: See `robust_envs.policies`.
        env_fn: Builds the environment without robust().
        channels: Sets by channel, as `robust` takes them.
        deterministic: Handed to the policy's ``predict``.

    Raises:
        TypeError: For a policy or environment of another kind.
        ValueError: If the environment is robust already, or no channel is given.
    """

    def __init__(
        self, policy: Any, env_fn: Callable[[], Any], channels: Mapping[str, Any], *, deterministic: bool = True
    ) -> None:
        check_policy(policy)
        if not callable(env_fn):
            raise TypeError(f"env_fn must be callable and build an environment, got {type(env_fn).__name__}")
        self.channels = {name: members for name, members in channels.items() if members is not None}
        if not self.channels:
            raise ValueError(f"at least one channel must be given a set: {', '.join(CHANNELS)}")
        self.deterministic = deterministic
        self.witness = make_witness(env_fn())
        self.env = self.witness.env  # the environment itself: the witness may come to stand on a robust layer
        if Layer.layers_below(self.witness):
            raise ValueError(f"env_fn must build the environment without robust(), got {self.witness}")
        self._director = Director()
        self._layers: dict[tuple[float, bool], _Layers] = {}
        self.check()
        self.episodes = 0
        self.follow(policy)

    def check(self) -> None:
        """Raise for sets that do not fit, or that cannot be searched."""
        for place in self.declared:
            if place.moving:
                raise ValueError(
                    f"{place.channel} must be given sets that are the same at every move (no per_state, no sets of "
                    f"distributions) to be searched, got {place.members!r}"
                )

    @property
    def declared(self) -> list[Declared]:
        """What each nature may do, the world's first."""
        return self._layer(1.0, record=False).declared

    def space(self, channel: str, agent: str) -> Any:
        """Return the observation or action space of an agent."""
        space = getattr(self.env, f"{channel}_space")
        return space if isinstance(space, spaces.Space) else space(agent)

    def follow(self, policy: Any) -> None:
        """Play this policy from now on."""
        self.policy = policy
        self._ask = self.asker(SINGLE)

    def with_policy(self, policy: Any) -> Arena:
        """Return an arena on the same environment for another policy."""
        other = copy(self)
        other.follow(policy)
        return other

    def with_channels(self, channels: Mapping[str, Any]) -> Arena:
        """Return an arena on the same environment with other sets.

        Raises:
            ValueError: If they do not fit.
        """
        other = copy(self)
        vars(other).update(channels=dict(channels), _layers={})
        other.check()
        return other

    def close(self) -> None:
        """Close the environment."""
        self.witness.close()

    def play(self, nature: Callable[[Move], Any], seed: int, *, reach: float = 1.0) -> Episode:
        """Play one episode.

        Args:
            nature: Callable of `Move`.
            seed: Of the reset.
            reach: Factor on the sets.

        Returns:
            The `Episode`.
        """
        return self._run(self._layer(reach, record=False), nature, seed)

    def play_bare(self, seed: int) -> Episode:
        """Play one episode without natures: sets need not hold what the environment does by itself."""
        return self._run(_Layers(self.witness, self.env), nothing, seed)

    def record(self, nature: Callable[[Move], Any], seed: int) -> tuple[Episode, Trace]:
        """Play one episode and keep the executed perturbations."""
        layers = self._layer(1.0, record=True)
        episode = self._run(layers, nature, seed)
        return episode, layers.trace

    def _layer(self, reach: float, *, record: bool) -> _Layers:
        key = reach, record
        if key not in self._layers:
            told: dict[str, Any] = {"nature": self._director, "trace": record}
            deep = {name: members for name, members in self.channels.items() if name in WORLD}
            seen = {name: members for name, members in self.channels.items() if name not in WORLD}
            if reach != 1.0:
                seen = {name: scaled(name, members, reach) for name, members in seen.items()}
            self.witness.env = self.env  # so that both layers draw as one layer would
            top = robust(self.witness, **seen, **told) if seen else self.witness
            self._layers[key] = _Layers(top, robust(self.env, **deep, **told) if deep else self.env)
        return self._layers[key]

    def _run(self, layers: _Layers, nature: Callable[[Move], Any], seed: int) -> Episode:
        self.episodes += 1
        self._director.play = nature
        self.witness.env = layers.world
        if hasattr(nature, "begin"):
            nature.begin()
        try:
            with nullcontext() if self.deterministic else seeded_globals(seed):
                if not self.deterministic:
                    reseed(self.policy, seed)
                return self._play(layers.top, seed)
        finally:
            layers.restore()

    def _play(self, env: Any, seed: int) -> Episode:
        if isinstance(env, ParallelEnv):
            return self._parallel(env, seed)
        return self._aec(env, seed) if isinstance(env, AECEnv) else self._gym(env, seed)

    def _gym(self, env: gymnasium.Env[Any, Any], seed: int) -> Episode:
        ask, step = self._ask, env.step
        actions: list[Any] = []
        rewards: list[float] = []
        observation, _ = env.reset(seed=seed)
        while True:
            action = ask(observation)
            observation, reward, terminated, truncated, _ = step(action)
            actions.append(action)
            rewards.append(float(reward))
            if terminated or truncated:
                break
        return self._episode(seed, {SINGLE: actions}, {SINGLE: rewards}, len(actions), bool(terminated))

    def _parallel(self, env: Any, seed: int) -> Episode:
        actions: dict[str, list[Any]] = {}
        rewards: dict[str, list[float]] = {}
        length, ended = 0, False
        observations, _ = env.reset(seed=seed)
        while env.agents:
            seen = {agent: observations[agent] for agent in env.agents}
            chosen = team_actions(self.policy, seen, deterministic=self.deterministic)
            for agent, action in chosen.items():
                actions.setdefault(agent, []).append(action)
            observations, paid, terminated, _, _ = env.step(chosen)
            for agent, reward in paid.items():
                rewards.setdefault(agent, []).append(float(reward))
            length += 1
            ended = ended or any(terminated.values())
        return self._episode(seed, actions, rewards, length, ended)

    def _aec(self, env: Any, seed: int) -> Episode:
        actions: dict[str, list[Any]] = {}
        rewards: dict[str, list[float]] = {}
        length, ended = 0, False
        env.reset(seed=seed)
        for agent in env.agent_iter(max_iter=sys.maxsize):
            observation, reward, terminated, truncated, _ = env.last()
            rewards.setdefault(agent, []).append(float(reward))
            ended = ended or bool(terminated)
            if terminated or truncated:
                env.step(None)
                continue
            action = act(self.policy, observation, agent=agent, deterministic=self.deterministic)
            actions.setdefault(agent, []).append(action)
            env.step(action)
            length += 1
        return self._episode(seed, actions, rewards, length, ended)

    def _episode(self, seed: int, actions: Any, rewards: Any, length: int, ended: bool) -> Episode:
        watched = self.witness
        return Episode(seed, watched.observations, actions, rewards, watched.paid, length, ended)

    def asker(self, agent: str) -> Callable[[Any], Any]:
        """Return the shortest way from an observation of an agent to its action."""
        policy, deterministic = self.policy, self.deterministic
        member = policy.get(agent) if isinstance(policy, Mapping) else policy
        if getattr(policy, "multi_agent", False) or member is None:
            return lambda observation: act(policy, observation, agent=agent, deterministic=deterministic)
        if hasattr(member, "predict"):
            predict = member.predict
            return lambda observation: predict(observation, deterministic=deterministic)[0]
        return member  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Layers:
    """The environment as a policy meets it.

    Attributes:
        top: With all natures.
        world: What the witness stands on: with the natures of the world, if there are any.
    """

    top: Any
    world: Any

    @property
    def robust(self) -> list[Any]:
        """The robust layers, the innermost first."""
        return [layer for layer in (self.world, self.top) if isinstance(layer, Layer)]

    @property
    def declared(self) -> list[Declared]:
        """What each nature may do."""
        return [place for layer in self.robust for place in layer.declared]

    @property
    def trace(self) -> Trace:
        """What all natures did, as one layer with all channels would have recorded it."""
        traces: list[Trace] = [layer.trace for layer in self.robust]
        moves = {key: moves for trace in reversed(traces) for key, moves in trace.moves.items()}
        told = {place: words for trace in reversed(traces) for place, words in trace.sets.items()}
        return replace(traces[-1], moves=moves, sets=told)  # the outer layer knows what the agents wanted

    def restore(self) -> None:
        """Give the environment back its own parameters before another layer looks at them."""
        if isinstance(self.world, Layer):
            self.world.restore()
