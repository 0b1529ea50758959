"""The official suites of each API, run on the robust environment; where the naked one fails, that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import AECEnv, ParallelEnv

from robust_envs.testing.playing import same
from robust_envs.testing.subject import Skipped, Subject

__all__ = ["SUITES"]


def gymnasium_suite(env_fn: Callable[[], Any], _subject: Subject) -> None:
    from gymnasium.utils.env_checker import check_env

    check_env(env_fn(), skip_render_check=True)


def parallel_suite(env_fn: Callable[[], Any], subject: Subject) -> None:
    from pettingzoo.test import parallel_api_test

    parallel_api_test(env_fn(), num_cycles=subject.steps)


def aec_suite(env_fn: Callable[[], Any], subject: Subject) -> None:
    from pettingzoo.test import api_test

    api_test(env_fn(), num_cycles=subject.steps)


def seed_suite(env_fn: Callable[[], Any], subject: Subject) -> None:
    """Compare whole episodes; PettingZoo's own parallel test stops after one step."""
    if isinstance(env_fn(), AECEnv):
        from pettingzoo.test import seed_test

        seed_test(env_fn, num_cycles=subject.steps)
    first, second = (subject.play(env_fn(), subject.seed + 2) for _ in range(2))
    assert same(first, second), "one seed gives two episodes"


def state_suite(env_fn: Callable[[], Any], subject: Subject) -> None:
    env = env_fn()
    env.reset(seed=subject.seed)
    assert env.state_space.contains(np.asarray(env.state(), env.state_space.dtype)), "state() is not in state_space"


def stable_baselines_suite(env_fn: Callable[[], Any], _subject: Subject) -> None:
    try:
        from stable_baselines3.common.env_checker import check_env
    except ImportError:
        raise Skipped("stable_baselines3 is not installed") from None
    check_env(env_fn(), skip_render_check=True)


def suite(
    run: Callable[[Callable[[], Any], Subject], None], *kinds: type, has: str | None = None
) -> Callable[[Subject], None]:
    """Run a suite on environments of a kind, unless the naked environment fails it."""

    def check(subject: Subject) -> None:
        naked = subject.env_fn()
        if not isinstance(naked, kinds):
            raise Skipped(f"for environments of another kind: {', '.join(kind.__name__ for kind in kinds)}")
        if has is not None and getattr(naked, has, None) is None:
            raise Skipped(f"the environment has no {has}")
        try:
            run(subject.env_fn, subject)
        except Skipped:
            raise
        except BaseException as error:
            raise Skipped(f"the environment itself fails it: {' '.join(str(error).split())}") from error
        run(subject.make, subject)

    return check


SUITES = (
    ("Gymnasium's check_env", suite(gymnasium_suite, gymnasium.Env)),
    ("Stable-Baselines3's check_env", suite(stable_baselines_suite, gymnasium.Env)),
    ("PettingZoo's parallel_api_test", suite(parallel_suite, ParallelEnv)),
    ("PettingZoo's api_test", suite(aec_suite, AECEnv)),
    ("whole episodes repeat with their seed", suite(seed_suite, object)),
    ("state() lies in its space", suite(state_suite, ParallelEnv, AECEnv, has="state_space")),
)
