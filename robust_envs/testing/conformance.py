"""Run our laws on anybody's environment, one named check each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from io import StringIO
from typing import Any

from robust_envs.natures import Uniform
from robust_envs.testing.demands import DEMANDS
from robust_envs.testing.laws import LAWS, effects_of
from robust_envs.testing.report import Check, Report
from robust_envs.testing.subject import Skipped, Subject, default_sets
from robust_envs.testing.suites import SUITES

__all__ = ["check_robust_env"]


def check_robust_env(
    env_fn: Callable[[], Any],
    *,
    nature: Any = None,
    seed: int = 0,
    steps: int = 50,
    suites: bool = True,
    **channels: Any,
) -> Report:
    """Check that an environment and `robust` go together: laws, what other libraries demand, the suites of its API.

    Args:
        env_fn: Builds the environment without ``robust()``: a Gymnasium Env, a ParallelEnv or an AECEnv. Called many
            times; with one seed all copies must play the same episode, or most checks are left out and say so.
        nature: Who picks in the checks that need anybody; `Uniform()` by default.
        seed: Of the episodes played, >= 0.
        steps: Longest episode played, >= 1.
        suites: Whether to run the official suites (they are slower).
        channels: Uncertainty sets by channel, as in `robust`; by default one for each channel that can be perturbed.

    Returns:
        A `Report`: ``print(report)`` shows it, ``report.require()`` raises where a check failed.

    Raises:
        TypeError: If `env_fn` is not callable, or builds no environment of these kinds.
        ValueError: If sets or nature do not fit the environment.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf
        >>> from robust_envs.testing import check_robust_env
        >>> report = check_robust_env(lambda: gymnasium.make("CartPole-v1"), observation=Linf(0.1), suites=False)
        >>> report.require().ok
        True
        >>> report.passed[1].name
        'radius 0 is the environment, bit for bit'
    """
    if not callable(env_fn):
        raise TypeError(f"env_fn must be callable and build an environment, got {type(env_fn).__name__}")
    env = env_fn()
    defaults = default_sets(env)  # refuses what is no environment
    with closing(env):
        sets = {name: members for name, members in channels.items() if members is not None} or defaults
        subject = Subject(env_fn, sets, Uniform() if nature is None else nature, seed, steps, str(env))
    with closing(subject.make()):
        pass  # what does not fit is the caller's to know at once
    checks = [*LAWS, *effects_of(sets), *DEMANDS, *(SUITES if suites else ())]
    return Report(subject.name, tuple(_run(name, check, subject) for name, check in checks))


def _run(name: str, check: Callable[[Subject], None], subject: Subject) -> Check:
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):  # the suites talk
            warnings.simplefilter("ignore")
            check(subject)
    except Skipped as reason:
        return Check(name, "skipped", str(reason))
    except Exception as error:  # whatever it is, it is what the check found
        return Check(name, "failed", _in_one_line(error))
    return Check(name, "passed")


def _in_one_line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return words if isinstance(error, AssertionError) and words else f"{type(error).__name__}: {words}"
