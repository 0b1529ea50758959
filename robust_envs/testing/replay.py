"""Play a counterexample again, and say what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from robust_envs import OutsideSetError
from robust_envs.sets import Finite
from robust_envs.testing.arena import Arena
from robust_envs.testing.counterexample import Counterexample, Expect, PerturbedStep
from robust_envs.testing.declarations import playable
from robust_envs.testing.episodes import Episode
from robust_envs.testing.fingerprint import describe_policy
from robust_envs.testing.lattice import Script, decode
from robust_envs.testing.moves import is_named, script_of
from robust_envs.testing.notation import read_property
from robust_envs.testing.problem import Place, Problem, scout
from robust_envs.testing.properties import Property, as_property
from robust_envs.testing.shrink import Judge, shrink_steps
from robust_envs.testing.witness import SINGLE

__all__ = ["Replayed", "Verdict", "replay_counterexample", "shrink_counterexample"]

Verdict = Literal["fails", "fixed", "drifted", "outside-set"]


@dataclass(frozen=True)
class Replayed:
    """Say what became of a counterexample.

    Args:
        verdict: ``"fails"`` (the policy still breaks), ``"fixed"`` (it holds now), ``"drifted"`` (the same policy, as
            far as is known, goes another way than the one recorded: environment or libraries have changed), or
            ``"outside-set"`` (the perturbation is none that the sets allow).
        margin: Of the property now; None if nothing was played.
        recorded: Margin when it was saved, None if the file does not say.
        same_trajectory: Whether every observation, action and reward is that of the record, bit for bit.
        reason: Why, in words.
        episode: What was played; None if nothing was.
    """

    verdict: Verdict
    margin: float | None
    recorded: float | None
    same_trajectory: bool
    reason: str
    episode: Episode | None = None

    @property
    def violates(self) -> bool:
        """Whether the property is violated now, on whatever trajectory."""
        return self.margin is not None and self.margin < 0

    def __str__(self) -> str:
        margins = "" if self.margin is None else f" (margin {self.margin:g}{_before(self.recorded)})"
        return f"{self.verdict}: {self.reason}{margins}"


def replay_counterexample(
    found: Counterexample,
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    property: Any = None,  # noqa: A002 - the same name means the same thing everywhere
    channels: Mapping[str, Any] | None = None,
) -> Replayed:
    """Play the recorded perturbation against a policy.

    Args:
        found: The counterexample.
        policy: See `robust_envs.policies`.
        env_fn: Builds the environment without robust().
        property: `Property`, function of the episode or words; by default what the file says in words.
        channels: Sets by channel that must allow the perturbation; by default those of the file.

    Returns:
        A `Replayed`.

    Raises:
        ValueError: If the environment has other agents, or the file's property cannot be read from its words.

    Example:
        >>> import gymnasium
        >>> from robust_envs import Linf
        >>> from robust_envs.testing.counterexample import Counterexample
        >>> from robust_envs.testing.counterexample import Expect, PerturbedStep
        >>> found = Counterexample(
        ...     env={"id": "CartPole-v1"}, wrappers=(), agents=("agent_0",), policy={}, seed=0,
        ...     channels={"observation": Linf(0.1)}, q=256, property={"expression": "return >= 5", "margin": -1.0},
        ...     rule=None, steps=(PerturbedStep(0, "agent_0", "observation", (0, 0, -256, 0)),), horizon=9,
        ...     expect=Expect(9.0, 9, True, "00"))
        >>> print(replay_counterexample(found, lambda observation: 0, lambda: gymnasium.make("CartPole-v1")))
        drifted: another trajectory than the one recorded: ... (margin 6, was -1)
    """
    with _opened(found, policy, env_fn, property=property, channels=channels or {}) as stage:
        try:
            script = stage.script(found.steps)
            episode = stage.arena.play(script, found.seed)
        except OutsideSetError as error:
            return _outside(found, str(error))
        margin = stage.margin(episode)
        then = {place.label: place.kind for place in stage.problem.places}
    if channels is not None:
        try:
            _allow(found, then, script, policy, env_fn, channels)
        except OutsideSetError as error:
            return _outside(found, str(error))
    return _verdict(found, episode, margin, describe_policy(policy)["sha256"])


def shrink_counterexample(
    found: Counterexample,
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    property: Any = None,  # noqa: A002 - the same name means the same thing everywhere
    channels: Mapping[str, Any] | None = None,
    max_episodes: int = 1000,
) -> Counterexample:
    """Make a counterexample smaller, and record it anew: what it gives now, against this policy.

    Args:
        found: A counterexample that still violates.
        policy: See `robust_envs.policies`.
        env_fn: Builds the environment without robust().
        property: `Property`, function of the episode or words; by default what the file says in words.
        channels: The policies of ``partners``, which files only name.
        max_episodes: Played at most, >= 1; Ctrl-C ends it early and keeps the best so far.

    Returns:
        The smaller counterexample; its rule is left out, which explained the larger one.

    Raises:
        ValueError: If it does not violate, or lies outside its sets.
    """
    if isinstance(max_episodes, bool) or not isinstance(max_episodes, int) or max_episodes < 1:
        raise ValueError(f"max_episodes must be a whole number >= 1, got max_episodes={max_episodes!r}")
    with _opened(found, policy, env_fn, property=property, channels=channels or {}) as stage:
        before = stage.margin(stage.arena.play(stage.script(found.steps), found.seed))
        if before >= 0:
            raise ValueError(f"only what violates can be shrunk: the margin of this perturbation is {before:g} now")
        named = {place.label for place in stage.problem.places if is_named(place)}

        def play(nature: Any) -> float:
            return stage.margin(stage.arena.play(nature, found.seed))

        small = shrink_steps(found.steps, Judge(play, max_episodes), stage.script, named=named)
        episode = stage.arena.play(stage.script(small.steps), found.seed)
        return replace(
            found,
            policy=describe_policy(policy, deterministic=stage.arena.deterministic),
            property={**found.property, "expression": stage.judge.expression, "margin": stage.margin(episode)},
            rule=None,
            steps=small.steps,
            horizon=episode.length,
            expect=Expect(episode.total, episode.length, episode.terminated, episode.sha256),
            shrink={"episodes": small.episodes, "one_minimal": small.one_minimal, "from_steps": small.from_steps},
        )


@dataclass(frozen=True, eq=False)
class _Stage:
    """Where a counterexample is played."""

    found: Counterexample
    arena: Arena
    problem: Problem
    nominal: Episode
    judge: Property

    def margin(self, episode: Episode) -> float:
        return self.judge.margin(episode, self.nominal)

    def script(self, steps: Sequence[PerturbedStep]) -> Script:
        """Turn integers into deltas, after a look at whether the sets of the file hold them."""
        places = {place.label: place for place in self.problem.places}
        for step in steps:
            where = f"{step.channel} of {step.agent} at {step.t}"
            if (step.channel, step.agent) not in places:
                raise OutsideSetError(f"{where}: the file names no set for it")
            _check_step(step, places[step.channel, step.agent], self.found, where)
        return script_of(self.problem, steps, self.found.q)


@contextmanager
def _opened(
    found: Counterexample,
    policy: Any,
    env_fn: Callable[[], Any],
    *,
    property: Any,  # noqa: A002 - the same name means the same thing everywhere
    channels: Mapping[str, Any],
) -> Iterator[_Stage]:
    """Build what the counterexample is played in."""
    given = found.property.get("expression", "") if property is None else property
    judge = read_property(given) if isinstance(given, str) else as_property(given)
    deterministic = bool(found.policy.get("deterministic", True))
    sets = playable(found.channels, channels)
    with closing(Arena(policy, env_fn, sets, deterministic=deterministic)) as arena:
        agents = tuple(str(agent) for agent in getattr(arena.env, "possible_agents", (SINGLE,)))
        if agents != found.agents:
            raise ValueError(f"env_fn must build an environment of the agents {found.agents}, got {agents}")
        problem, _ = scout(arena, found.seed, np.random.default_rng(0))
        yield _Stage(found, arena, problem, arena.play_bare(found.seed), judge)


def _allow(
    found: Counterexample,
    then: Mapping[tuple[str, str], tuple[Any, ...]],
    script: Script,
    policy: Any,
    env_fn: Callable[[], Any],
    channels: Any,
) -> None:
    """Play it inside other sets, which raise where they do not allow it."""
    with closing(Arena(policy, env_fn, channels, deterministic=bool(found.policy.get("deterministic", True)))) as arena:
        now = {place.label: place.kind for place in scout(arena, found.seed, np.random.default_rng(0))[0].places}
        if strange := {(step.channel, step.agent) for step in found.steps} - set(now):
            raise OutsideSetError(f"no set here allows {' of '.join(min(strange))}")
        for label in {(step.channel, step.agent) for step in found.steps}:
            if now[label] != then[label]:
                raise OutsideSetError(f"{' of '.join(label)} is {now[label]} here, {then[label]} in the file")
        arena.play(script, found.seed)
        if missed := [*script.barred, *(set(script.moves) - script.asked)]:
            channel, agent, t = min(missed)
            raise OutsideSetError(f"{channel} of {agent} at {t}: the sets here do not let nature choose that then")


def _check_step(step: PerturbedStep, place: Place, found: Counterexample, where: str) -> None:
    of = place.members
    if isinstance(of, Finite):
        listed = place.options if place.choice else tuple(range(1, len(of.members) + 1))
        if len(step.integers) != 1 or step.integers[0] not in listed:
            raise OutsideSetError(f"{where}: {list(step.integers)} is none of {listed}")
        return
    if len(step.integers) != place.rows:
        raise OutsideSetError(f"{where}: {len(step.integers)} integers for {place.rows} numbers")
    delta = decode(step.integers, of, found.q, whole=place.whole)
    if not of.contains(delta):
        raise OutsideSetError(f"{where}: {delta.tolist()} is not in {of}")


def _verdict(found: Counterexample, episode: Episode, margin: float, sha256: str | None) -> Replayed:
    same = episode.sha256 == found.expect.sha256
    recorded = found.policy.get("sha256")
    changed = None not in (recorded, sha256) and recorded != sha256
    if not same and not changed:
        unsure = "" if None not in (recorded, sha256) else ", or the policy, which has no fingerprint"
        reason = f"another trajectory than the one recorded: the environment or a library has changed{unsure}"
        return Replayed("drifted", margin, _margin(found), same, reason, episode)
    path = "on the very trajectory recorded" if same else "on a trajectory of its own, the policy having changed"
    verdict: Verdict = "fails" if margin < 0 else "fixed"
    reason = f"the policy {'still breaks' if margin < 0 else 'holds'}, {path}"
    return Replayed(verdict, margin, _margin(found), same, reason, episode)


def _outside(found: Counterexample, reason: str) -> Replayed:
    return Replayed("outside-set", None, _margin(found), same_trajectory=False, reason=reason)


def _margin(found: Counterexample) -> float | None:
    margin = found.property.get("margin")
    return float(margin) if isinstance(margin, int | float) and not isinstance(margin, bool) else None


def _before(recorded: float | None) -> str:
    return "" if recorded is None else f", was {recorded:g}"
