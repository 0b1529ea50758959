"""A second environment, on which to try what must not be tried on the user's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv

__all__ = ["begin", "difference", "second", "undisturbed"]

_EPISODES, _STEPS = 3, 60  # how far two episodes are compared before a parameter counts as ignored


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put the global random generators back afterwards: some environments draw from them."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what environments of others draw from
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002 - the same


def second(env: Any) -> Any | None:
    """Return another environment like `env`; ``None`` where there is no way to have one."""
    with suppress(Exception):  # a window, a simulator, a socket: copying somebody's environment may fail in any way
        return deepcopy(env)
    spec = getattr(env, "spec", None)
    with suppress(Exception):
        return gymnasium.make(spec) if spec is not None else None
    return None


def begin(env: Any, seed: int = 0) -> Any:
    """Reset an environment; return what the agents are told."""
    said = env.reset(seed=seed)
    if isinstance(env, gymnasium.Env | ParallelEnv):
        return said[0]
    return {agent: env.observe(agent) for agent in env.agents}


def difference(plain: Any, moved: Any, move: Any) -> bool:
    """Tell whether `move`, applied to `moved` after each reset, changes anything in a few random episodes.

    Args:
        plain: An environment.
        moved: Another one like it.
        move: Called without arguments.
    """
    for episode in range(_EPISODES):
        told = [begin(env, episode) for env in (plain, moved)]
        move()
        rng = np.random.default_rng(episode)
        for _ in range(_STEPS):
            action = _actions(plain, int(rng.integers(2**31)))
            if action is None:
                break
            told = [_step(env, action) for env in (plain, moved)]
            if not _same(*told):
                return True
            if _over(plain, told[0]):
                break
    return False


def _actions(env: Any, seed: int) -> Any:
    if isinstance(env, gymnasium.Env):
        env.action_space.seed(seed)
        return env.action_space.sample()
    if not env.agents:
        return None
    for k, agent in enumerate(env.agents):
        env.action_space(agent).seed(seed + k)
    if isinstance(env, ParallelEnv):
        return {agent: env.action_space(agent).sample() for agent in env.agents}
    return env.action_space(env.agent_selection).sample()


def _step(env: Any, action: Any) -> Any:
    if isinstance(env, gymnasium.Env):
        return env.step(action)[:4]
    if isinstance(env, ParallelEnv):
        return env.step(action)[:4]
    agent = env.agent_selection
    env.step(None if env.terminations[agent] or env.truncations[agent] else action)
    return {one: env.observe(one) for one in env.agents}, dict(env.rewards)


def _over(env: Any, told: Any) -> bool:
    return bool(told[2] or told[3]) if isinstance(env, gymnasium.Env) else not env.agents


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))
