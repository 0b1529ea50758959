"""Play a policy against any nature, again and again, from one environment built once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import copy
from typing import Any

import gymnasium
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.evaluation.rollouts import seeded_globals
from robust_envs.natures import Move
from robust_envs.policies import act, check_policy, team_actions
from robust_envs.sets import UncertaintySet
from robust_envs.shells.layers import Layer
from robust_envs.testing.episodes import Episode
from robust_envs.testing.witness import SINGLE, make_witness
from robust_envs.traces import Trace
from robust_envs.wrap import robust

__all__ = ["Arena", "declared"]


class Director:
    """The one nature of a robust layer: hands each move to whoever plays now."""

    def __init__(self) -> None:
        self.play: Callable[[Move], Any] | None = None

    def __call__(self, move: Move) -> Any:
        assert self.play is not None
        return self.play(move)


class Arena:
    """Play episodes of a policy in an environment with a nature of one's choice.

    All moves of nature go through the layer that `robust` makes, which refuses whatever lies outside the sets.

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
            raise ValueError("at least one channel must be given a set: reward=, observation= or action=")
        self.deterministic = deterministic
        self.witness = make_witness(env_fn())
        if Layer.layers_below(self.witness):
            raise ValueError(f"env_fn must build the environment without robust(), got {self.witness}")
        self._director = Director()
        self._layers: dict[tuple[float, bool], Any] = {}
        self._layer(1.0, record=False)  # what does not fit is told at once
        self.episodes = 0
        self.follow(policy)

    @property
    def env(self) -> Any:
        """The environment itself."""
        return self.witness.env

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

    def record(self, nature: Callable[[Move], Any], seed: int) -> tuple[Episode, Trace]:
        """Play one episode and keep the executed perturbations."""
        layer = self._layer(1.0, record=True)
        episode = self._run(layer, nature, seed)
        return episode, layer.trace

    def _layer(self, reach: float, *, record: bool) -> Any:
        key = reach, record
        if key not in self._layers:
            channels = {name: _scaled(members, reach) for name, members in self.channels.items()}
            self._layers[key] = robust(self.witness, **channels, nature=self._director, trace=record)
        return self._layers[key]

    def _run(self, env: Any, nature: Callable[[Move], Any], seed: int) -> Episode:
        self.episodes += 1
        self._director.play = nature
        with nullcontext() if self.deterministic else seeded_globals(seed):
            if not self.deterministic:
                _reseed(self.policy, seed)
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


def declared(channels: Mapping[str, Any], channel: str, agent: str | tuple[str, ...]) -> UncertaintySet:
    """Return the set which the user wrote for a channel and agent."""
    given = channels[channel]
    if isinstance(given, Mapping) and not isinstance(given, UncertaintySet):
        given = given[agent]
    assert isinstance(given, UncertaintySet)
    return given


def _scaled(members: Any, reach: float) -> Any:
    if reach == 1.0:
        return members
    if isinstance(members, Mapping) and not isinstance(members, UncertaintySet):
        return {agent: one.scaled(reach) for agent, one in members.items()}
    return members.scaled(reach)


def _reseed(policy: Any, seed: int) -> None:
    for member in policy.values() if isinstance(policy, Mapping) else (policy,):
        if callable(getattr(member, "reseed", None)):
            member.reseed(seed)
