"""Shrink a rule to the fewest whole-numbered terms that still break the policy, on other starts, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robust_envs.natures import Nature
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.shrink.budget import Judge, patiently
from robust_envs.testing.words import Rule, Term

__all__ = ["shrink_rule"]

Array = np.ndarray[Any, np.dtype[Any]]
Hints = Mapping[Any, Array]
SINGLES, LONGER = 48, 16  # rules of one term, and of each greater number, that are tried at most
_BASES = 4  # rules that a term is added to, and that are tried on other starts


@dataclass
class _Candidate:
    """A rule, its margin from the start it was found at, and how many other starts it breaks."""

    rule: Rule
    margin: float
    broken: int = 0

    @property
    def rank(self) -> tuple[int, int, float]:
        return -self.broken, len(self.rule.terms), self.margin


def shrink_rule(
    problem: Problem, judge: Judge, hints: Hints, elsewhere: Sequence[Callable[[Nature], float]] = ()
) -> Rule | None:
    """Look for a sign rule of one, two or three terms that violates the property.

    All rules of one term are tried (the most promising, where there are many), then terms are added to the best of
    them, until a rule breaks all of a few other starts, too. The answer depends on the policy and the start rather
    than on the search that came before.

    Args:
        problem: The places.
        judge: From a nature to its margin; bounds the episodes.
        hints: How the signs of what nature did go with the signs of what it saw, by place, shape (rows, n + 1).
        elsewhere: From a nature to its margin from another start, one for each.

    Returns:
        Of the violating rules the one that breaks the most starts, then has the fewest terms, then the smallest margin;
        None where none of at most three terms violates.
    """
    if any(place.budget is not None for place in problem.places):
        return None  # when a budget is spent cannot be told in a rule for every step
    tried: list[_Candidate] = []
    with patiently():
        singles = _try(judge, problem, [Rule((term,)) for term in _terms(problem, hints)[:SINGLES]], tried)
        for _ in range(2):
            if _settled(judge, problem, tried, elsewhere):
                break
            bases = sorted(tried, key=lambda one: one.margin)[:_BASES]
            longer = [_sum(base.rule, more.rule) for base in bases for more in singles[: 2 * _BASES]]
            _try(judge, problem, list(dict.fromkeys(rule for rule in longer if rule is not None))[:LONGER], tried)
        else:
            _settled(judge, problem, tried, elsewhere)
    violating = [one for one in tried if one.margin < 0]
    return min(violating, key=lambda one: one.rank).rule if violating else None


def _try(judge: Judge, problem: Problem, rules: Sequence[Rule], tried: list[_Candidate]) -> list[_Candidate]:
    """Play rules from the start at hand; return them, the most harmful first."""
    new: list[_Candidate] = []
    for rule in rules:
        new.append(_Candidate(rule, judge(rule.nature(problem))))
        tried.append(new[-1])
    return sorted(new, key=lambda one: one.margin)


def _settled(
    judge: Judge, problem: Problem, tried: list[_Candidate], elsewhere: Sequence[Callable[[Nature], float]]
) -> bool:
    """Play the most harmful violating rules from other starts; tell whether one breaks all of them."""
    violating = sorted((one for one in tried if one.margin < 0), key=lambda one: one.margin)
    for one in violating[:_BASES]:
        if one.broken == 0:
            one.broken = sum(judge.elsewhere(play, one.rule.nature(problem)) < 0 for play in elsewhere)
    return any(one.broken == len(elsewhere) for one in violating)


def _sum(base: Rule, more: Rule) -> Rule | None:
    """Add the terms of two rules; None where they share one, up to its sign."""
    mine = {(term.place, term.row, term.feature) for term in base.terms}
    if any((term.place, term.row, term.feature) in mine for term in more.terms):
        return None
    return Rule(tuple(sorted((*base.terms, *more.terms))))


def _terms(problem: Problem, hints: Hints) -> list[Term]:
    """List single terms, all where there are few, else the most promising, and of all places together first."""
    numbered: list[tuple[int, Sequence[Place]]] = [(-1, problem.places)] if problem.shared else []
    numbered += [(number, [place]) for number, place in enumerate(problem.places)]
    scored = []
    for number, places in numbered:
        scores = np.mean([_scores(problem, place, hints) for place in places], axis=0) * len(places)
        for row, feature, k in zip(*np.nonzero(scores), strict=True):
            term = Term(number, int(row), int(feature), (1, -1)[k])
            scored.append((float(scores[row, feature, k]), term))
    if len(scored) > SINGLES:
        scored.sort(key=lambda pair: -pair[0])
    return [term for _, term in scored]


def _scores(problem: Problem, place: Place, hints: Hints) -> Array:
    """Tell what moving each row by each feature promises, shape (rows, n + 1, 2) for both signs; 0 where nothing."""
    weights = np.ones((place.rows, len(place.scale)))
    if place.sensitivity is not None:
        sizes = np.linalg.norm(place.sensitivity, axis=0)
        weights *= (0.01 + sizes / max(float(sizes.max()), 1e-12))[:, None]
    if problem.oblivious:
        weights[:, :-1] = 0.0
    if not place.choice:
        weights[place.members.bounds.high == place.members.bounds.low] = 0.0
    hint = hints.get(place.key, np.zeros_like(weights))
    return np.stack([weights * (1.05 + hint), weights * (1.05 - hint)], axis=-1)
