"""The state of one search: what was played, what was found, what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from robust_envs import OutsideSetError
from robust_envs.natures import Nature, Replay
from robust_envs.streams import episode_seed
from robust_envs.testing.arena import Arena
from robust_envs.testing.away import Margins
from robust_envs.testing.counterexample import Counterexample, PerturbedStep
from robust_envs.testing.declarations import playable
from robust_envs.testing.determinism import check_repeats
from robust_envs.testing.episodes import Episode
from robust_envs.testing.fingerprint import describe_env
from robust_envs.testing.lattice import Q, Script
from robust_envs.testing.moves import correlations, is_named, script_of, steps_of
from robust_envs.testing.problem import Problem, scout, with_sensitivity
from robust_envs.testing.properties import Property
from robust_envs.testing.result import Found, RuleReport
from robust_envs.testing.rules import nothing
from robust_envs.testing.search import Search, make_search
from robust_envs.testing.shrink import Judge, Shrunk, SpentError, patiently, shrink_rule, shrink_steps, transfer
from robust_envs.testing.words import Rule
from robust_envs.traces import Trace

__all__ = ["Hunt", "Progress", "begin"]

Progress = Callable[[int, float], None]
_REPEAT = ("auto", "signs", "steer", "cem", "cma", "segments", "noise", "pgd")  # natures that do the same again
_UNSEEN = 1_000_000  # starts for the transfer of rules are counted from here, so that no search has met them
_ELSEWHERE = 10  # other starts on which short rules are compared


@dataclass
class Hunt:
    """Search, confirm and shrink, counting every episode.

    Args:
        arena: Where episodes are played.
        problem: What is known before the search.
        demanded: The property.
        nominal: The episode without nature.
        seed: Of the search.
        least: The episode in which nature does as little as its sets allow: the nominal one, where they hold that.
    """

    arena: Arena
    problem: Problem
    demanded: Property
    nominal: Episode
    seed: int
    least: Episode
    episodes: dict[str, int] = field(default_factory=lambda: {"nominal": 2})
    worst: float = float("inf")
    to_first: int | None = None
    budget: int = 0
    nature: Nature | None = None
    first: Found | None = None
    first_episode: Episode | None = None
    rule: RuleReport | None = None
    shrunk: Shrunk | None = None
    q: int = Q
    trace: Trace | None = None
    episode: Episode | None = None
    worst_trace: Trace | None = None

    @property
    def nominal_margin(self) -> float:
        """Margin without nature."""
        return self.demanded.margin(self.nominal, self.nominal)

    def try_least(self) -> None:
        """See whether as little as the sets allow is enough: a delay that is always there, values that never hold."""
        if self.least.sha256 == self.nominal.sha256:
            return
        margin = self.demanded.margin(self.least, self.nominal)
        self.worst = min(self.worst, margin)
        if margin < 0:
            self._count("least")
            self.to_first = 1
            self._catch(nothing, "least")

    def try_saved(self, kept: Counterexample) -> None:
        """Play a saved counterexample from its own start, if it is about this environment and lies in the sets."""
        if self.nature is not None or kept.env.get("id") != describe_env(self.arena.env)["id"]:
            return
        problem, _ = scout(self.arena, kept.seed, self.problem.rng, oblivious=self.problem.oblivious)
        nominal = self.arena.play_bare(kept.seed)
        self._count("nominal", 2)
        try:
            script = self._script_of_file(problem, kept)
            margin = self.demanded.margin(self.arena.play(script, kept.seed), nominal)
        except OutsideSetError:  # the sets have become smaller since
            return
        self._count("saved")
        if margin < 0 and self.demanded.margin(nominal, nominal) >= 0:
            self.problem, self.nominal = with_sensitivity(problem, nominal), nominal
            self.worst, self.to_first = margin, self.episodes["saved"]
            self._catch(script, "saved")

    def _script_of_file(self, problem: Problem, kept: Counterexample) -> Script:
        """Read the integers of a file on the lattice of the sets it was found in, which need not be those of today."""
        if missing := set(kept.channels) - set(self.arena.channels):
            raise OutsideSetError(f"no set here for {', '.join(sorted(missing))}")
        then = playable(kept.channels, self.arena.channels)
        if any(then[name] != self.arena.channels[name] for name in then):
            try:
                problem, _ = scout(self.arena.with_channels(then), kept.seed, problem.rng)
            except ValueError as error:
                raise OutsideSetError(f"the sets of the file do not act here: {error}") from error
            self._count("nominal")
        return script_of(problem, kept.steps, kept.q)

    def search(
        self, search: Any, budget: int, progress: Progress | None, margins: Margins | None = None, most: int = 1
    ) -> None:
        """Ask, play, tell, until something violates or the budget ends.

        Args:
            search: Name, object or function.
            budget: Episodes.
            progress: Called after each.
            margins: Plays several natures at once, elsewhere.
            most: So many, where they do not depend on one another. What is found is what one at a time would find.
        """
        self.budget, done = budget, self.episodes.get("saved", 0)
        name, made = make_search(search, self.problem)
        repeats = isinstance(search, str) and search in _REPEAT
        away = margins if repeats else None  # what does not do the same again is played, and recorded, here
        try:
            while self.nature is None and done < budget:
                batch = _ask(made, name, 1 if away is None else min(most, budget - done))
                if not batch:  # nothing left to try
                    return
                known = [None] if away is None else away([nature for nature, _ in batch])
                for (nature, source), margin in zip(batch, known, strict=True):
                    done += 1
                    self._play(made, nature, source, repeats=repeats, known=margin)
                    if progress is not None:
                        progress(done, self.worst)
                    if self.nature is not None:
                        self.to_first = done
                        break
        finally:
            if hasattr(made, "close"):
                made.close()

    def _play(self, made: Search, nature: Nature, source: str, *, repeats: bool, known: float | None) -> None:
        self._count(source)
        reach, trace = getattr(nature, "reach", 1.0), None
        margin = known
        if margin is None and (repeats or reach != 1.0):
            margin = self.demanded.margin(self.arena.play(nature, self.problem.seed, reach=reach), self.nominal)
        elif margin is None:
            episode, trace = self.arena.record(nature, self.problem.seed)
            margin = self.demanded.margin(episode, self.nominal)
        made.tell(nature, margin)
        if reach != 1.0:
            return
        self.worst = min(self.worst, margin)
        if margin < 0:
            self._catch(nature if trace is None else Replay(trace), source)

    def _catch(self, nature: Nature, source: str) -> None:
        """Confirm a violation by playing it again."""
        episode, trace, margin = self._record(nature)
        if not margin < 0:
            raise ValueError(
                f"the violation found by {source} did not repeat (margin {margin:g}): is the nature random?"
            )
        self.nature, self.first, self.first_episode = nature, Found(source, margin, trace), episode
        self.trace, self.worst_trace, self.episode = trace, trace, episode

    def shrink(self, rule_budget: int, trace_budget: int, unseen: int) -> None:
        """Make rule and trace small, and try the rule on starts nobody has seen."""
        if rule_budget:
            self._shrink_rule(rule_budget, unseen)
        if trace_budget:
            self._shrink_trace(trace_budget)

    def _shrink_rule(self, budget: int, unseen: int) -> None:
        assert self.first is not None
        judge = Judge(self._margin, budget)
        hints = correlations(self.problem, self.first.trace, self.first_episode)
        seeds = [episode_seed(self.problem.seed, k) for k in range(_UNSEEN, _UNSEEN + _ELSEWHERE)]
        rule = shrink_rule(self.problem, judge, hints, [_Elsewhere(self, seed, judge) for seed in seeds])
        self._count("shrink rule", judge.used)
        if judge.worst[0] < self.worst and judge.worst[1] is not None:
            _, self.worst_trace, self.worst = self._record(judge.worst[1])
        if rule is not None:
            *_, margin = self._record(rule.nature(self.problem))
            told = rule.text(self.problem), len(rule.terms), margin, judge.used, rule.to_json(self.problem)
            self.rule = RuleReport(*told)
            self._transfer(rule, unseen)

    def _transfer(self, rule: Rule, unseen: int) -> None:
        if self.rule is not None and unseen:
            first = _UNSEEN + _ELSEWHERE
            seeds = [episode_seed(self.seed, k) for k in range(first, first + unseen)]
            way = transfer(rule, self.problem, self.arena, self.demanded, seeds)
            self._count("transfer", way.episodes)
            self.rule = replace(self.rule, transfer=way)

    def _shrink_trace(self, budget: int) -> None:
        named = {place.label for place in self.problem.places if is_named(place)}
        with patiently():
            for steps, q in self._plans():
                for forwards in (False, True):
                    judge = Judge(self._margin, budget - self.episodes.get("shrink trace", 0))
                    small = shrink_steps(steps, judge, partial(self._script, q), named=named, forwards=forwards)
                    self._count("shrink trace", judge.used)
                    if self.shrunk is None or small.size < self.shrunk.size:
                        self.shrunk, self.q = small, q
                    if not small.one_minimal:  # its budget ended, or somebody did not want to wait
                        raise SpentError
        if self.shrunk is not None:
            self.shrunk = replace(self.shrunk, episodes=self.episodes["shrink trace"])
            self.episode, self.trace, _ = self._record(script_of(self.problem, self.shrunk.steps, self.q))

    def _script(self, q: int, steps: Sequence[PerturbedStep]) -> Script:
        return script_of(self.problem, steps, q)

    def _plans(self) -> Iterator[tuple[Sequence[PerturbedStep], int]]:
        """Yield a list of moves for the most harmful trace and for the first, on the coarsest lattice that violates."""
        assert self.first is not None
        worst, first = self.worst_trace or self.first.trace, self.first.trace
        for trace in (worst,) if worst is first else (worst, first):
            for q in (Q, Q**2, Q**3):
                steps = steps_of(self.problem, trace, q)
                self._count("confirm")
                if self._margin(script_of(self.problem, steps, q)) < 0:
                    yield steps, q
                    break

    def _margin(self, nature: Nature) -> float:
        return self.demanded.margin(self.arena.play(nature, self.problem.seed), self.nominal)

    def _record(self, nature: Nature) -> tuple[Episode, Trace, float]:
        self._count("confirm")
        episode, trace = self.arena.record(nature, self.problem.seed)
        return episode, trace, self.demanded.margin(episode, self.nominal)

    def _count(self, label: str, number: int = 1) -> None:
        self.episodes[label] = self.episodes.get(label, 0) + number


def _ask(made: Search, name: str, most: int) -> list[tuple[Nature, str]]:
    """Ask for natures, with who proposed them; more than one only while the search need not know how they did."""
    batch: list[tuple[Nature, str]] = []
    while len(batch) < most and (not batch or getattr(made, "ready", False)):
        try:
            nature = made.ask()
        except StopIteration:
            break
        batch.append((nature, made.source(nature) if hasattr(made, "source") else name))
    return batch


class _Elsewhere:
    """Play from another start, whose nominal episode is played once."""

    def __init__(self, hunt: Hunt, seed: int, judge: Judge) -> None:
        self.hunt, self.seed, self.judge = hunt, seed, judge
        self._nominal: Episode | None = None

    def __call__(self, nature: Nature) -> float:
        arena, demanded = self.hunt.arena, self.hunt.demanded
        if self._nominal is None:
            self.judge.charge()
            self._nominal = arena.play_bare(self.seed)
        return demanded.margin(arena.play(nature, self.seed), self._nominal)


def begin(arena: Arena, demanded: Property, start: int, seed: int, *, oblivious: bool) -> Hunt:
    """Play the episode in which nature does nothing and the bare one, and ask the policy around it in between.

    Raises:
        ValueError: If the two differ.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, 1)))
    problem, least = scout(arena, start, rng, oblivious=oblivious)
    problem = with_sensitivity(problem, least)
    nominal = arena.play_bare(start)
    hunt = Hunt(arena, problem, demanded, nominal, seed, least)
    if nominal.sha256 != least.sha256:  # the sets do not hold what the environment does by itself, or it changes
        check_repeats(arena, least)
        hunt.episodes["nominal"] += 1
    return hunt
