"""What other libraries demand of an environment, each a check of the subject that raises AssertionError."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv

from robust_envs.natures import AsAgents
from robust_envs.testing.playing import Episode, draw, same
from robust_envs.testing.subject import Skipped, Subject

__all__ = ["DEMANDS"]

_PREFIX = "nature_"


def told(subject: Subject) -> None:
    """Everybody who acts is told everything: libraries index all five dictionaries by the same agents."""
    for agents, parts in _steps(subject.play(_parallel(subject))):
        for part in parts:
            assert set(part) == set(parts[0]), f"dictionaries of one step hold {sorted(parts[0])} and {sorted(part)}"
        missing = sorted(set(agents) - set(parts[0]))
        assert not missing, f"{missing} are there and are told nothing"
        for agent, info in parts[-1].items():
            assert isinstance(info, dict), f"the info of {agent} is {type(info).__name__}, no dict"


def population(subject: Subject) -> None:
    """Agents change in reset and step only: libraries look at them in between."""
    env = _parallel(subject)
    known = list(env.possible_agents)
    env.reset(seed=subject.seed)
    rng = np.random.default_rng(0)
    for _ in range(subject.steps):
        before = list(env.agents)
        assert set(before) <= set(known), f"{sorted(set(before) - set(known))} are not among possible_agents"
        actions = {agent: draw(env.action_space(agent), rng) for agent in before}
        _look(env)
        assert list(env.agents) == before, f"agents changed between steps from {before} to {list(env.agents)}"
        assert list(env.possible_agents) == known, "possible_agents changed between steps"
        if not before:
            return
        env.step(actions)


def flags(subject: Subject) -> None:
    """Who leaves is terminated or truncated, and who is neither stays: libraries bootstrap from these flags."""
    living: set[str] = set()
    for agents, parts in _steps(subject.play(_parallel(subject))):
        over = {agent for agent in parts[2] if parts[2][agent] or parts[3][agent]} if len(parts) == 5 else set()
        left = living - set(agents) - over
        assert not left, f"{sorted(left)} left with no flag"
        stays = over & set(agents)
        assert not stays, f"{sorted(stays)} are terminated or truncated and stay among agents"
        living = set(agents)


def fresh(subject: Subject) -> None:
    """What libraries write into the dictionaries they are given, and take out of them, changes nothing."""
    subject.need_repeats()
    env, twin = _parallel(subject), _parallel(subject)
    rng = np.random.default_rng(0)
    said, expected = env.reset(seed=subject.seed), twin.reset(seed=subject.seed)
    for step in range(subject.steps):
        assert same(list(said), list(expected)), f"what was written into step {step - 1} is still there at step {step}"
        if not env.agents:
            return
        actions = {agent: draw(env.action_space(agent), rng) for agent in env.agents}
        for info in said[-1].values():
            info["__written__"] = 1
        for part in said:
            part["__all__"] = part.pop(next(iter(part)), None)
        expected = twin.step(dict(actions))
        said = env.step(actions)


def described(subject: Subject) -> None:
    """``metadata`` and ``render_mode`` are there: converters and recorders read them."""
    env = subject.make()
    assert isinstance(getattr(env, "metadata", None), dict), "metadata must be a dict"
    keys = ["render_modes"] if isinstance(env, gymnasium.Env) else ["render_modes", "name"]
    missing = [key for key in keys if key not in env.metadata]
    assert not missing, f"metadata has no {' and no '.join(missing)}"
    assert hasattr(env, "render_mode"), "render_mode must exist, None where nothing is drawn"


def natures(subject: Subject) -> None:
    """Natures stand last, see flat float32, are there from reset to the end and end as everybody does."""
    own = [] if isinstance(subject.env_fn(), gymnasium.Env) else list(subject.env_fn().possible_agents)
    taken = [agent for agent in own if str(agent).startswith(_PREFIX)]
    assert not taken, f"agent ids must not start with {_PREFIX!r}, which is nature's, got {taken}"
    try:
        env = subject.make(nature=AsAgents())
    except ValueError as reason:
        raise Skipped(str(reason)) from None
    joined = [agent for agent in env.possible_agents if str(agent).startswith(_PREFIX)]
    assert list(env.possible_agents)[-len(joined) :] == joined, "natures must stand behind the team"
    for agent in joined:
        space = env.observation_space(agent)
        assert space is env.observation_space(agent), f"observation_space of {agent} is another object on every call"
        assert space.dtype == np.float32, f"{agent} must see float32, got {space}"
        assert len(space.shape) == 1, f"{agent} must see a flat Box, got {space}"
    if isinstance(env, ParallelEnv):
        _stay(subject.play(env), set(joined))


def _stay(episode: Episode, joined: set[str]) -> None:
    for agents, parts in _steps(episode):
        assert joined <= set(parts[0]), f"{sorted(joined - set(parts[0]))} are absent"
        if len(parts) == 5 and not agents:
            ends = {(bool(parts[2][agent]), bool(parts[3][agent])) for agent in joined}
            assert len(ends) == 1, "natures end with different flags"
            assert ends != {(False, False)}, "the game is over and no nature has a flag"


def _parallel(subject: Subject) -> Any:
    env = subject.make()
    if not isinstance(env, ParallelEnv):
        raise Skipped("for environments of another kind: ParallelEnv")
    return env


def _steps(episode: Episode) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
    """Yield who lives, and the dictionaries: two at reset, five at a step."""
    agents, infos = episode.rest[0]
    yield agents, (episode.observations[0], infos)
    for k, (agents, terminated, truncated, infos) in enumerate(episode.rest[1:]):
        yield agents, (episode.observations[k + 1], episode.rewards[k], terminated, truncated, infos)


def _look(env: Any) -> None:
    """Ask for all that may be asked for between steps."""
    for agent in env.possible_agents:
        env.observation_space(agent), env.action_space(agent)
    str(env), env.num_agents, env.max_num_agents
    if getattr(env, "state_space", None) is not None:
        env.state()


DEMANDS: tuple[tuple[str, Callable[[Subject], None]], ...] = (
    ("everybody is told everything", told),
    ("agents change in reset and step only", population),
    ("who leaves has a flag, who has a flag leaves", flags),
    ("what is written into what was said changes nothing", fresh),
    ("metadata and render_mode are there", described),
    ("natures can join as agents", natures),
)
