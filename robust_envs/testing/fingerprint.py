"""Recognise a policy and an environment again."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import gymnasium
import numpy as np

__all__ = ["describe_env", "describe_policy", "wrapper_names"]

_PACKAGES = ("robust-envs", "gymnasium", "pettingzoo", "numpy")


class _UnknownError(Exception):
    """Something whose contents cannot be read."""


def describe_policy(policy: Any, *, deterministic: bool = True) -> dict[str, Any]:
    """Return kind, fingerprint of the weights (None where they cannot be read) and whether it acts deterministically.

    Read are torch modules, Stable-Baselines3 algorithms, dataclasses, mappings, sequences, arrays and numbers, and a
    text attribute ``sha256``; a function has no fingerprint.

    Example:
        >>> describe_policy(lambda observation: 0)
        {'kind': 'function', 'sha256': None, 'deterministic': True}
    """
    digest = hashlib.sha256()
    try:
        _feed(digest, policy)
        found: str | None = digest.hexdigest()
    except _UnknownError:
        found = None
    return {"kind": type(policy).__name__, "sha256": found, "deterministic": deterministic}


def _feed(digest: Any, value: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        inner = getattr(value, "policy", value)
        if isinstance(inner, torch.nn.Module):
            value = {name: part.detach().cpu().numpy() for name, part in inner.state_dict().items()}
    known = getattr(value, "sha256", None)
    if isinstance(known, str):
        value = known
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            digest.update(f"{key}:".encode())
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        digest.update(f"[{len(value)}]".encode())
        for part in value:
            _feed(digest, part)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        digest.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
    elif value is None or isinstance(value, bool | int | float | str | np.number):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        raise _UnknownError


def describe_env(env: Any) -> dict[str, Any]:
    """Return id, arguments and versions of the packages; for PettingZoo the name of the environment."""
    spec = getattr(env, "spec", None)
    name = getattr(spec, "id", None) or getattr(env, "metadata", {}).get("name")
    given = {"max_episode_steps": getattr(spec, "max_episode_steps", None), **(getattr(spec, "kwargs", None) or {})}
    kwargs = {key: value for key, value in given.items() if _plain(value) and key != "render_mode"}
    owner = type(getattr(env, "unwrapped", env)).__module__.partition(".")[0]
    packages = dict.fromkeys((*_PACKAGES, owner))
    return {"id": name, "kwargs": kwargs, "versions": {one: found for one in packages if (found := _version(one))}}


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def wrapper_names(env: Any) -> tuple[str, ...]:
    """Return the class names of an environment's wrappers from the outside in.

    Example:
        >>> wrapper_names(gymnasium.make("CartPole-v1"))
        ('TimeLimit', 'OrderEnforcing', 'PassiveEnvChecker')
    """
    names = []
    while isinstance(env, gymnasium.Wrapper) or (hasattr(env, "env") and env.env is not env):
        names.append(type(env).__name__)
        env = env.env
    return tuple(names)
