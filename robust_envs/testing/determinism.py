"""See that an episode repeats itself, and say who is to blame where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pettingzoo import AECEnv

from robust_envs.testing.arena import Arena
from robust_envs.testing.episodes import Episode
from robust_envs.testing.rules import nothing

__all__ = ["check_repeats"]


def check_repeats(arena: Arena, first: Episode) -> None:
    """Play the nominal episode once more and compare it bit for bit.

    Args:
        arena: Where to play.
        first: The nominal episode as it was played before.

    Raises:
        ValueError: If it differs, saying whether the environment or the policy changed.
    """
    if arena.play(nothing, first.seed).sha256 == first.sha256:
        return
    if not isinstance(arena.env, AECEnv) and _env_differs(arena, first):
        raise ValueError(
            f"the environment must repeat itself: reset(seed={first.seed}) and the same actions gave another episode: "
            "draw all of its randomness from self.np_random, which reset(seed=...) seeds, and leave nothing over from "
            "the episode before"
        )
    raise ValueError(
        f"the policy must repeat itself: from reset(seed={first.seed}) it acted otherwise in a second episode: leave "
        "no state from one episode to the next, and act with deterministic=True, or with deterministic=False draw from "
        "the global generators of random, numpy or torch, or give the policy a method reseed(seed)"
    )


class _Tape:
    """Do what was done, whatever is seen."""

    def __init__(self, actions: dict[str, list[Any]]) -> None:
        self.rows: dict[str, Iterator[Any]] = {agent: iter(row) for agent, row in actions.items()}

    multi_agent = True

    def predict(self, observations: dict[str, Any], deterministic: bool = True) -> tuple[dict[str, Any], None]:
        return {agent: next(self.rows[agent]) for agent in observations}, None


def _env_differs(arena: Arena, first: Episode) -> bool:
    """Repeat the actions without the policy."""
    try:
        again = arena.with_policy(_Tape(first.actions)).play(nothing, first.seed)
    except (StopIteration, KeyError, RuntimeError):  # other agents, or an episode longer than before
        return True
    return again.sha256 != first.sha256
