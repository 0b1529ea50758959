"""Play one episode in the environment's own API, adding up the rewards that agents were given."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.evaluation.sources import SINGLE
from robust_envs.policies import act, team_actions

__all__ = ["Played", "play", "reseed", "seeded_globals"]


class Played(NamedTuple):
    """Returns by agent as given, and the number of steps."""

    returns: dict[str, float]
    length: int


def play(env: Any, policy: Any, *, seed: int, deterministic: bool = True) -> Played:
    """Play one episode.

    Args:
        env: ParallelEnv, AECEnv (through its turns) or gymnasium Env, wrapped by robust() or not.
        policy: see `robust_envs.policies`; in a gymnasium Env the only agent is called "agent_0".
        seed: of the reset.
        deterministic: handed to the policy's predict.

    Returns:
        Sums of rewards by agent, and the number of steps (AEC: of turns in which somebody acted).
    """
    if isinstance(env, ParallelEnv):
        return _play_parallel(env, policy, seed, deterministic)
    if isinstance(env, AECEnv):
        return _play_aec(env, policy, seed, deterministic)
    return _play_gym(env, policy, seed, deterministic)


def _play_parallel(env: ParallelEnv[str, Any, Any], policy: Any, seed: int, deterministic: bool) -> Played:
    returns, length = defaultdict[str, float](float), 0
    observations, _ = env.reset(seed=seed)
    while env.agents:
        # The dead still report an observation on their last step, and must not act.
        seen = {agent: observations[agent] for agent in env.agents}
        observations, rewards, *_ = env.step(team_actions(policy, seen, deterministic=deterministic))
        for agent, reward in rewards.items():
            returns[agent] += float(reward)
        length += 1
    return Played(dict(returns), length)


def _play_aec(env: AECEnv[str, Any, Any], policy: Any, seed: int, deterministic: bool) -> Played:
    returns, length = defaultdict[str, float](float), 0
    env.reset(seed=seed)
    for agent in env.agent_iter(max_iter=sys.maxsize):
        observation, reward, terminated, truncated, _ = env.last()
        returns[agent] += float(reward)
        if terminated or truncated:
            env.step(None)
            continue
        env.step(act(policy, observation, agent=agent, deterministic=deterministic))
        length += 1
    return Played(dict(returns), length)


def _play_gym(env: Any, policy: Any, seed: int, deterministic: bool) -> Played:
    total, length, over = 0.0, 0, False
    observation, _ = env.reset(seed=seed)
    while not over:
        action = act(policy, observation, agent=SINGLE, deterministic=deterministic)
        observation, reward, terminated, truncated, _ = env.step(action)
        total, over, length = total + float(reward), bool(terminated or truncated), length + 1
    return Played({SINGLE: total}, length)


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed Python's, numpy's and (once imported) torch's global generators inside, and put them back afterwards.

    Policies that explore draw from these. Putting them back keeps an evaluation in the middle of training from
    moving the training.
    """
    python, torch = random.getstate(), _torch_state()
    legacy = np.random.get_state()  # noqa: NPY002 - what policies of others draw from
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the same
    if torch is not None:
        sys.modules["torch"].manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002 - the same
        if torch is not None:
            _restore_torch(torch)


def reseed(policy: Any, seed: int) -> None:
    """Seed the policies that draw from generators of their own: those with a method ``reseed``."""
    for member in policy.values() if isinstance(policy, Mapping) else (policy,):
        if callable(getattr(member, "reseed", None)):
            member.reseed(seed)


def _torch_state() -> Mapping[str, Any] | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _restore_torch(state: Mapping[str, Any]) -> None:
    torch = sys.modules["torch"]
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state_all(state["cuda"])
