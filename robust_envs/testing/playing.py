"""Play any environment with actions of a generator apart, and compare what it said bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

__all__ = ["Episode", "draw", "play", "same"]


class Episode(NamedTuple):
    """What was said in an episode.

    Attributes:
        observations: What each agent saw, by agent, at each step.
        rewards: What it got.
        rest: All else: who lives, flags, infos.
        actions: What was done.
    """

    observations: list[Any]
    rewards: list[Any]
    rest: list[Any]
    actions: list[Any]


def play(env: Any, *, seed: int, steps: int, on: bool = False) -> Episode:
    """Play one episode of at most `steps` steps with random legal actions; `on`: reset without the seed."""
    reset = partial(env.reset, seed=None if on else seed)
    rng = np.random.default_rng([11, seed])
    if isinstance(env, gymnasium.Env):
        return _play_gym(env, rng, reset, steps)
    return (_play_parallel if isinstance(env, ParallelEnv) else _play_aec)(env, rng, reset, steps)


def _play_gym(env: Any, rng: np.random.Generator, reset: Callable[[], Any], steps: int) -> Episode:
    observation, info = reset()
    episode = Episode([observation], [], [info], [])
    for _ in range(steps):
        action = draw(env.action_space, rng, _legal(observation, info))
        observation, reward, terminated, truncated, info = env.step(action)
        for book, entry in zip(episode, (observation, reward, (terminated, truncated, info), action), strict=True):
            book.append(entry)
        if terminated or truncated:
            break
    return episode


def _play_parallel(env: Any, rng: np.random.Generator, reset: Callable[[], Any], steps: int) -> Episode:
    observations, infos = reset()
    episode = Episode([dict(observations)], [], [(list(env.agents), dict(infos))], [])
    for _ in range(steps):
        if not env.agents:
            break
        actions = {a: draw(env.action_space(a), rng, _legal(observations.get(a), infos.get(a))) for a in env.agents}
        observations, rewards, terminated, truncated, infos = env.step(actions)
        rest = (list(env.agents), dict(terminated), dict(truncated), dict(infos))
        for book, entry in zip(episode, (dict(observations), dict(rewards), rest, actions), strict=True):
            book.append(entry)
    return episode


def _play_aec(env: Any, rng: np.random.Generator, reset: Callable[[], Any], steps: int) -> Episode:
    reset()
    episode = Episode([], [], [], [])
    for agent in env.agent_iter(steps * len(env.possible_agents)):
        observation, reward, terminated, truncated, info = env.last()
        over = terminated or truncated
        action = None if over else draw(env.action_space(agent), rng, _legal(observation, info))
        rest = (agent, list(env.agents), terminated, truncated, info)
        for book, entry in zip(episode, ({agent: observation}, {agent: reward}, rest, action), strict=True):
            book.append(entry)
        env.step(action)
    return episode


def _legal(observation: Any, info: Any) -> Any:
    """Find the action mask, in the observation or in the info."""
    for place in (observation, info):
        if isinstance(place, Mapping) and "action_mask" in place:
            return place["action_mask"]
    return None


def draw(space: Any, rng: np.random.Generator, mask: Any = None) -> Any:
    """Draw a member of a space from a generator which is nobody else's, and leave the space's own where it is."""
    seeded = deepcopy(space)
    seeded.seed(int(rng.integers(2**31)))
    if isinstance(space, spaces.Discrete) and mask is not None:
        return seeded.sample(np.asarray(mask, np.int8))
    return seeded.sample()


def same(a: Any, b: Any) -> bool:
    """Tell whether two values agree in every bit and every type."""
    if isinstance(a, np.ndarray | np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b or (a != a and b != b))
