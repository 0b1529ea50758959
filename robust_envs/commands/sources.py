"""What the command line names: policies and environments, found without reading a pickle or obeying a file."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium

from robust_envs.names import close_match
from robust_envs.testing.counterexample import Counterexample

__all__ = ["find_env", "find_policy", "make_recorded_env"]

_ALGORITHMS = ("a2c", "ddpg", "dqn", "ppo", "sac", "td3")
MakeEnv = Callable[..., Any]


def find_policy(given: str, *, sb3: str | None = None, trust_pickle: bool = False) -> tuple[Any, MakeEnv | None]:
    """Find a policy: a run's folder, ``module:attribute``, or a zip of Stable-Baselines3.

    Args:
        given: As on the command line.
        sb3: Algorithm that wrote the zip, which does not say.
        trust_pickle: Whether a zip may be read: it holds pickles, which run code of whoever made it.

    Returns:
        The policy, and what builds its environment, where it is known.

    Raises:
        ValueError: If it is none of these, or a zip that nobody vouches for.
    """
    path = Path(given)
    if path.is_dir():
        from algos.experiments import RunFolder, load_policy

        return load_policy(path), RunFolder(path).read_config().make_env
    if path.suffix == ".zip":
        return _zip(path, sb3, trust_pickle), None
    if ":" not in given:
        raise ValueError(f"policy must be a run's folder, module:attribute or a zip of SB3, got {given!r}")
    return _attribute("policy", given), None


def find_env(given: str) -> MakeEnv:
    """Find what builds an environment: an id of Gymnasium, or ``module:function``.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> find_env("CartPole-v2")
        Traceback (most recent call last):
        ValueError: env must be an id of Gymnasium or module:function, got 'CartPole-v2'; did you mean 'CartPole-v1'?
    """
    if given in gymnasium.registry:
        return lambda **options: gymnasium.make(given, **options)
    if ":" not in given:
        hint = close_match(given, gymnasium.registry)
        raise ValueError(f"env must be an id of Gymnasium or module:function, got {given!r}{hint}")
    found = _attribute("env", given)
    if not callable(found):
        raise ValueError(f"env must name a function that builds an environment, got {given!r}, {found!r}")
    return found  # type: ignore[no-any-return]


def make_recorded_env(found: Counterexample, given: str | None, known: MakeEnv | None) -> MakeEnv:
    """Choose what builds a counterexample's environment: what was said, the run's, or the id the file names.

    A file never makes us import anything: only ids that Gymnasium already knows are taken from it.

    Raises:
        ValueError: If the file names none, or its environment had wrappers that the id does not bring.
    """
    if given is not None:
        return find_env(given)
    if known is not None:
        return known
    name, kwargs = found.env.get("id"), found.env.get("kwargs") or {}
    if not isinstance(name, str) or name not in gymnasium.registry or not isinstance(kwargs, Mapping):
        raise ValueError(f"env must be given with --env: the file names {name!r}, which is no id that Gymnasium knows")

    def make(**options: Any) -> Any:
        env = gymnasium.make(name, **{**kwargs, **options})
        if tuple(_wrappers(env)) != found.wrappers:
            env.close()
            raise ValueError(
                f"env must be given with --env module:function: it had the wrappers {', '.join(found.wrappers)}, "
                f"{name} comes with {', '.join(_wrappers(env))}"
            )
        return env

    return make


def with_pictures(make: MakeEnv) -> Any:
    """Build an environment that draws pictures, or as it is where its function takes no render_mode."""
    takes = inspect.signature(make).parameters.values()
    if any(one.name == "render_mode" or one.kind is one.VAR_KEYWORD for one in takes):
        return make(render_mode="rgb_array")
    return make()


def _wrappers(env: Any) -> list[str]:
    from robust_envs.testing.fingerprint import wrapper_names

    return list(wrapper_names(env))


def _zip(path: Path, sb3: str | None, trust_pickle: bool) -> Any:
    if not trust_pickle:
        raise ValueError(
            f"policy must not be a pickle: {path} is a zip of Stable-Baselines3, and reading it runs whatever code its "
            "maker put there; if you trust them, say --trust-pickle"
        )
    if sb3 not in _ALGORITHMS:
        raise ValueError(f"sb3 must say which algorithm wrote {path}: {', '.join(_ALGORITHMS)}, got sb3={sb3!r}")
    if not path.is_file():
        raise ValueError(f"policy must be a file, got {path}, which is not there")
    import stable_baselines3

    return getattr(stable_baselines3, sb3.upper()).load(path, device="cpu")


def _attribute(what: str, given: str) -> Any:
    module, _, name = given.partition(":")
    if not (module and name):
        raise ValueError(f"{what} must be written package.module:attribute, got {given!r}")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            raise  # something that the module itself imports
        hint = close_match(module, sys.modules)
        raise ValueError(f"{what} must be in a module that can be imported, got {module!r}{hint}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one in dir(found) if not one.startswith("_")]
            raise ValueError(f"{what} must name an attribute of {module}, got {name!r}{close_match(part, known)}")
        found = getattr(found, part)
    return found
