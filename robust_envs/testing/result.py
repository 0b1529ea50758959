"""What a search found, or how hard it looked."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from robust_envs.testing.counterexample import Counterexample
from robust_envs.testing.shrink import Shrunk, Transfer
from robust_envs.traces import Trace

__all__ = ["Found", "Result", "RuleReport"]


@dataclass(frozen=True)
class RuleReport:
    """The simplest rule that breaks the policy.

    Attributes:
        text: In words.
        terms: Number of terms.
        margin: Of the episode it plays.
        episodes: Played to find it.
        data: As numbers, for files.
        transfer: How it does on unseen starts; None if that was not asked for.
    """

    text: str
    terms: int
    margin: float
    episodes: int
    data: Mapping[str, Any]
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Found:
    """What the search came upon first.

    Attributes:
        strategy: Name of the search.
        margin: Of that episode.
        trace: Its executed perturbations, before anything was made small.
    """

    strategy: str
    margin: float
    trace: Trace = field(repr=False)


@dataclass(frozen=True)
class Result:
    """Hold what `falsify` found. "Nothing found" says how hard it was tried, never that there is nothing.

    Attributes:
        found: Whether a violation was found.
        property: In words.
        channels: The sets, in words, by channel.
        seed: Of the search.
        env_seed: Of the start.
        max_episodes: Budget of the search.
        nominal_margin: Margin without nature.
        worst_margin: Smallest margin seen inside the sets, in searching or shrinking.
        episodes_to_first: Number of the episode of the search in which the violation was found, None if none; 0 where
            the nominal episode already violates.
        episodes: Episodes played, by who played them: ``nominal``, ``saved``, each search by name, ``confirm``,
            ``shrink rule``, ``shrink trace``, ``transfer``.
        first: What was found first.
        rule: The simplest rule, if any of at most three terms violates.
        trace: The smallest perturbation found, as executed; replays with `Replay`.
        shrunk: How it was made small.
        worst_trace: The executed perturbation with the smallest margin.
        counterexample: Everything for a file.
        notes: What else must be said.
    """

    found: bool
    property: str
    channels: Mapping[str, str]
    seed: int
    env_seed: int
    max_episodes: int
    nominal_margin: float
    worst_margin: float
    episodes_to_first: int | None
    episodes: Mapping[str, int]
    first: Found | None = None
    rule: RuleReport | None = None
    trace: Trace | None = field(default=None, repr=False)
    shrunk: Shrunk | None = None
    worst_trace: Trace | None = field(default=None, repr=False)
    counterexample: Counterexample | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @builtins.property
    def searched(self) -> int:
        """Episodes of the search itself: saved counterexamples and what searches proposed."""
        own = ("nominal", "confirm", "shrink rule", "shrink trace", "transfer")
        return sum(count for name, count in self.episodes.items() if name not in own)

    def report(self) -> str:
        """Say in plain text what was found or how hard it was tried."""
        return "\n".join([self._headline(), *self._body(), *self.notes])

    def __str__(self) -> str:
        return self.report()

    def _headline(self) -> str:
        sets = ", ".join(f"{channel} in {members}" for channel, members in self.channels.items())
        if self.episodes_to_first == 0:
            return f"violated without any perturbation: {self.property} (margin {self.nominal_margin:.4g})"
        if self.found:
            return f"violated: {self.property}, {sets}"
        return f"not violated in {self.searched} episodes of search: {self.property}, {sets}"

    def _body(self) -> list[str]:
        used = ", ".join(f"{name} {count}" for name, count in self.episodes.items() if count)
        lines = [f"  margin: nominal {self.nominal_margin:.4g}, worst found {self.worst_margin:.4g}"]
        if self.found and self.first is not None:
            lines = [f"  margin without perturbation: {self.nominal_margin:.4g}", *self._smallest()]
        if not self.found:
            lines.append("  this says how hard it was tried, not that there is nothing to be found")
        start = f"  start: seed {self.env_seed}; search: seed {self.seed}"
        return [*lines, start, f"  episodes: {used}"]

    def _smallest(self) -> list[str]:
        assert self.first is not None
        who, number = self.first.strategy, self.episodes_to_first
        how = "by a saved counterexample" if who == "saved" else f"by search {who!r} in episode {number}"
        lines = [f"  broken {how}: margin {self.first.margin:.4g}"]
        lines.append(f"  worst found: margin {self.worst_margin:.4g}, {_size(self.worst_trace)}")
        if self.rule is not None:
            told = self.rule.text.replace("\n", "\n    ")
            lines.append(f"  simplest rule (margin {self.rule.margin:.4g}):\n    {told}")
            if self.rule.transfer is not None:
                lines.append(f"    {self.rule.transfer}")
        else:
            lines.append("  no rule of at most three terms breaks the policy from this start")
        if self.shrunk is not None:
            minimal = "1-minimal" if self.shrunk.one_minimal else "not known to be 1-minimal: its budget ended"
            numbers = sum(max(1, sum(1 for k in step.integers if k)) for step in self.shrunk.steps)  # a choice may be 0
            lines.append(
                f"  smallest perturbation: {_size(self.trace)}, {numbers} number{'s' * (numbers != 1)}; {minimal}"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """Turn the report into plain lists and numbers."""
        shrunk, rule = self.shrunk, self.rule
        return {
            "found": self.found,
            "property": self.property,
            "channels": dict(self.channels),
            "seed": self.seed,
            "env_seed": self.env_seed,
            "max_episodes": self.max_episodes,
            "nominal_margin": self.nominal_margin,
            "worst_margin": self.worst_margin,
            "episodes_to_first": self.episodes_to_first,
            "episodes": dict(self.episodes),
            "first": None if self.first is None else {"strategy": self.first.strategy, "margin": self.first.margin},
            "rule": None if rule is None else _rule_json(rule),
            "shrunk": None if shrunk is None else _shrunk_json(shrunk),
            "notes": list(self.notes),
        }


def _rule_json(rule: RuleReport) -> dict[str, Any]:
    told = {"terms": rule.terms, "margin": rule.margin, "episodes": rule.episodes, **rule.data}
    if rule.transfer is None:
        return told
    way = rule.transfer
    shares = {"seeds": way.seeds, "broken": way.broken, "control": way.control, "interval": list(way.interval)}
    return told | {"transfer": shares}


def _shrunk_json(shrunk: Shrunk) -> dict[str, Any]:
    return {
        "steps": [[step.t, step.agent, step.channel, list(step.integers)] for step in shrunk.steps],
        "from_steps": shrunk.from_steps,
        "one_minimal": shrunk.one_minimal,
        "episodes": shrunk.episodes,
    }


def _size(trace: Trace | None) -> str:
    return "" if trace is None else f"{len(trace.perturbed_steps)} of {len(trace)} steps perturbed"
