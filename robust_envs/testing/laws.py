"""The laws, each a function of the subject that raises AssertionError where it is broken."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv

from robust_envs.natures import AsAgents, Nominal, Replay
from robust_envs.natures.played import as_agents
from robust_envs.sets import Finite, PerEpisode, Switch
from robust_envs.testing.playing import Episode, same
from robust_envs.testing.subject import Skipped, Subject

__all__ = ["LAWS"]

Law = tuple[str, Callable[[Subject], None]]
_CHANNELS = ("reward", "observation", "action")
_TRIES = 10


def repeats(subject: Subject) -> None:
    if as_agents(subject.nature) is not None:
        raise ValueError(f"nature must play inside the environment here, got {AsAgents.__name__}()")
    assert subject.repeats, "two copies of the environment play different episodes with one seed"


def radius_zero(subject: Subject) -> None:
    subject.need_repeats()
    sets = {channel: _shrunk(members) for channel, members in subject.sets.items()}
    _equal(subject.nominal, subject.play(subject.make(**sets)), Episode._fields)
    _equal(subject.nominal, subject.play(subject.make(nature=Nominal())), Episode._fields)


def alone(channel: str) -> Callable[[Subject], None]:
    """A perturbed reward or observation is all that changes: actions do not depend on them here."""

    def check(subject: Subject) -> None:
        subject.need(channel)
        subject.need_repeats()
        _equal(subject.nominal, subject.play(subject.make(channel)), _others(channel))

    return check


def effect(channel: str) -> Callable[[Subject], None]:
    def check(subject: Subject) -> None:
        subject.need(channel)
        subject.need_repeats()
        for seed in range(subject.seed, subject.seed + _TRIES):  # episodes may be short, and nature's turns rare
            episode, trace, _ = subject.record(channel, seed=seed)
            if any(recorded.executed.any() for recorded in trace.moves.values()):
                break
        else:
            raise AssertionError(f"nothing was moved in {_TRIES} episodes: try a larger set")
        nominal = subject.play(subject.env_fn(), seed)
        if channel == "action" and same(nominal, episode):
            raise Skipped("the environment says the same whatever is done")
        assert not same(nominal, episode), f"{channel}s are moved by nature and arrive as they were"

    return check


def membership(subject: Subject) -> None:
    _, trace, env = subject.record()
    for seat in env._perturber.seats:  # noqa: SLF001 - the bound sets are nowhere else
        recorded, members = trace.moves[seat.key], seat.members
        if isinstance(members, Switch) or (isinstance(members, Finite) and members.discrete):
            continue  # a choice: the space decides
        nominal = np.abs(recorded.chosen).max(initial=1.0)
        slack = 8 * np.finfo(np.float32).eps * max(nominal, _largest(subject.nominal))
        inside = members.plan_contains if isinstance(members, PerEpisode) else members.contains
        assert np.all(inside(recorded.executed, tolerance=slack)), f"{seat.key} left {members}"


def in_spaces(subject: Subject) -> None:
    naked = subject.env_fn()
    if not _fits(naked, subject.nominal):
        raise Skipped("the environment's own observations leave their space")
    assert _fits(naked, subject.play(subject.make())), "a perturbed observation left its space"


def replay(subject: Subject) -> None:
    subject.need_repeats()
    episode, trace, _ = subject.record()
    again = subject.make(nature=Replay(trace), trace=True)
    _equal(episode, subject.play(again), Episode._fields)
    assert again.trace == trace, "; ".join(again.trace.differences(trace))


def seeds(subject: Subject) -> None:
    subject.need_repeats()
    _equal(subject.play(subject.make()), subject.play(subject.make()), Episode._fields)
    first, second = subject.record()[1], None
    env = subject.make(trace=True)
    subject.play(env, subject.seed + 1)
    second = env.trace
    assert first.moves.keys() == second.moves.keys(), "another seed has other natures"
    if not any(recorded.chosen.any() for recorded in first.moves.values()):
        raise Skipped("nature never moved")
    changed = not all(same(tuple(first.moves[key]), tuple(second.moves[key])) for key in first.moves)
    if not changed and not hasattr(subject.nature, "block"):
        raise Skipped("this nature does not draw")
    assert changed, "another seed gives the same noise"


def stream(subject: Subject) -> None:
    """The episode after, which goes on with the environment's own stream, is the one that would have come."""
    subject.need_repeats()
    channels = [channel for channel in ("reward", "observation") if channel in subject.sets]
    if not channels:
        raise Skipped("no set on reward or observation")
    for channel in channels:
        naked, env = subject.env_fn(), subject.make(channel)
        for one in (naked, env):
            subject.play(one)
        _equal(subject.play(naked, on=True), subject.play(env, on=True), _others(channel))


def agents_apart(subject: Subject) -> None:
    _, trace, _ = subject.record()
    for channel in _CHANNELS:
        rows = [moves.chosen for (name, agent), moves in trace.moves.items() if name == channel and agent != "*"]
        rows = [row for row in rows if len(row) > 5 and row.any()]
        equal = [a for k, a in enumerate(rows) for b in rows[:k] if np.array_equal(a, b)]
        if rows and equal and not hasattr(subject.nature, "block"):
            raise Skipped("this nature may move all agents alike")
        assert not equal, f"two agents have the same noise on {channel}"


def copies(subject: Subject) -> None:
    subject.need_repeats()
    duplicates: dict[str, Callable[[Any], Any]] = {
        "deepcopy": deepcopy,
        "pickle": lambda env: pickle.loads(pickle.dumps(env)),  # noqa: S301 - our own bytes
    }
    works = 0
    for how, duplicate in duplicates.items():
        try:
            duplicate(subject.env_fn())
        except Exception:  # noqa: S112 - an environment that cannot be copied, for whatever reason
            continue
        works += 1
        env = subject.make()
        assert same(subject.play(duplicate(env)), subject.play(env)), f"a copy ({how}) plays another episode"
    if not works:
        raise Skipped("the environment itself cannot be copied")


def contract(subject: Subject) -> None:
    env = subject.make()
    if isinstance(env, gymnasium.Env):
        assert env.observation_space is env.observation_space, "observation_space is another object on every call"
        return
    assert list(env.possible_agents) == list(subject.env_fn().possible_agents), "possible_agents changed"
    for agent in env.possible_agents:
        for what in ("observation_space", "action_space"):
            space = getattr(env, what)
            assert space(agent) is space(agent), f"{what} of {agent} is another object on every call"
    if isinstance(env, ParallelEnv):
        subject.play(env)
        if not env.agents:
            assert env.step({}) == ({}, {}, {}, {}, {}), "step({}) after the end must return five empty dicts"


LAWS: tuple[Law, ...] = (
    ("a seed repeats the environment's episode", repeats),
    ("radius 0 is the environment, bit for bit", radius_zero),
    ("a perturbed reward leaves all else alone", alone("reward")),
    ("a perturbed observation leaves all else alone", alone("observation")),
    ("a perturbed reward is really another", effect("reward")),
    ("a perturbed observation is really another", effect("observation")),
    ("a perturbed action has an effect", effect("action")),
    ("executed deltas are members of their sets", membership),
    ("perturbed observations stay in their spaces", in_spaces),
    ("a trace replays its episode, bit for bit", replay),
    ("seeds decide, and differ", seeds),
    ("nature leaves the environment's random stream alone", stream),
    ("agents have noise of their own", agents_apart),
    ("copies play the same episode", copies),
    ("agents and spaces keep to the contract", contract),
)


def _others(channel: str) -> tuple[str, ...]:
    return tuple(field for field in Episode._fields if field != f"{channel}s")


def _shrunk(members: Any) -> Any:
    if isinstance(members, dict):
        return {agent: _shrunk(one) for agent, one in members.items()}
    return members.scaled(0.0)


def _equal(nominal: Episode, episode: Episode, fields: tuple[str, ...]) -> None:
    for field in fields:
        before, after = getattr(nominal, field), getattr(episode, field)
        assert len(before) == len(after), f"{len(after)} {field} instead of {len(before)}"
        for step, (one, two) in enumerate(zip(before, after, strict=True)):
            assert same(one, two), f"{field} differ at entry {step}: {one!r} became {two!r}"


def _largest(episode: Episode) -> float:
    numbers = [1.0]
    pending: list[Any] = [episode.observations, episode.rewards]
    while pending:
        one = pending.pop()
        if isinstance(one, dict | list | tuple):
            pending.extend(one.values() if isinstance(one, dict) else one)
        elif one is not None:
            numbers.append(float(np.abs(np.asarray(one, np.float64)).max(initial=0.0)))
    return max(number for number in numbers if np.isfinite(number))


def _fits(env: Any, episode: Episode) -> bool:
    if isinstance(env, gymnasium.Env):
        return all(env.observation_space.contains(one) for one in episode.observations)
    seen = ((agent, one) for said in episode.observations for agent, one in said.items() if one is not None)
    return all(env.observation_space(agent).contains(one) for agent, one in seen)
