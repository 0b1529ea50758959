"""Shrink a rule to the fewest whole-numbered terms that still break the policy, on other starts, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robust_envs.natures import Nature
from robust_envs.testing.families import families
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.shrink.budget import Judge, patiently
from robust_envs.testing.words import Rule, Term

__all__ = ["shrink_rule"]

Array = np.ndarray[Any, np.dtype[Any]]
Hints = Mapping[Any, Array]
SINGLES, LONGER = 32, 12  # rules of one term, and of each greater number, that are tried at most
_BASES = 4  # rules that a term is added to
_WIDTHS = (8, 4, 3, 3, 2, 2, 2, 2, 2, 2)  # how many rules go on to each other start
_CONTROLS = 4  # other starts at which the opposite of a rule is played, too
_PARDON = 1  # starts that a rule may fail to break before it is given up


@dataclass(eq=False)
class _Candidate:
    """A rule and its margins: from the start it was found at, then from the other starts it got to.

    `opposite` holds those of the rule with its sign flipped, as far as it was played. What breaks the policy as well as
    its opposite does explains nothing.
    """

    rule: Rule
    pushes: bool
    margins: list[float]
    opposite: list[float] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, int, bool, float]:
        return self.harm + self.held - len(self.margins), len(self.rule.terms), self.pushes, self.mean

    @property
    def harm(self) -> int:
        return sum(margin < 0 for margin in self.opposite)

    @property
    def held(self) -> int:
        return sum(margin >= 0 for margin in self.margins)

    @property
    def mean(self) -> float:
        return sum(self.margins) / len(self.margins)


def shrink_rule(
    problem: Problem, judge: Judge, hints: Hints, elsewhere: Sequence[Callable[[Nature], float]] = ()
) -> Rule | None:
    """Look for a sign rule of one, two or three terms that violates the property, from other starts, too.

    All rules of one term are played (the most promising, where there are many); the best of those that violate go on
    to another start, the best of these to a third, and so on; at the first of them their opposites are played, too.
    Where none breaks all starts and has a harmless opposite, terms are added to the best. The answer depends on the
    policy and the start rather than on the search that came before.

    Args:
        problem: The places.
        judge: From a nature to its margin; bounds the episodes.
        hints: How the signs of what nature did go with the signs of what it saw, by place, shape (rows, n + 1).
        elsewhere: From a nature to its margin from another start, one for each.

    Returns:
        Of the violating rules the one that breaks the most starts, each that its opposite breaks deducted, then has the
        fewest terms, then moves coordinates rather than pushes, then the smallest margin; None where none of at most
        three terms violates.

    References:
        Oded Maron, Andrew Moore, 1994, Hoeffding Races: the idea of giving up early on all but the best.
    """
    if any(place.budget is not None for place in problem.places):
        return None  # when a budget is spent cannot be told in a rule for every step
    tried: list[_Candidate] = []
    with patiently():
        rules = [Rule((term,)) for term in _terms(problem, hints)[:SINGLES]]
        for _ in range(3):
            if _race(judge, problem, rules, elsewhere, tried):
                break
            rules = _longer(problem, tried)
    violating = [one for one in tried if one.margins[0] < 0]
    return min(violating, key=lambda one: one.rank).rule if violating else None


def _race(
    judge: Judge,
    problem: Problem,
    rules: Sequence[Rule],
    elsewhere: Sequence[Callable[[Nature], float]],
    tried: list[_Candidate],
) -> bool:
    """Play rules from the start at hand, the best from ever more starts; tell whether one explains all of them."""
    running = [one for one in _at_hand(judge, problem, rules, tried) if one.margins[0] < 0]
    for turn, (width, play) in enumerate(zip(_WIDTHS, elsewhere, strict=False)):
        running = sorted((one for one in running if one.held <= _PARDON), key=lambda one: one.rank)[:width]
        for one in running:
            one.margins.append(judge.elsewhere(play, one.rule.nature(problem)))
            if turn < _CONTROLS:
                one.opposite.append(judge.elsewhere(play, one.rule.flipped().nature(problem)))
    return any(one.held == 0 and one.harm <= _PARDON for one in running)


def _at_hand(judge: Judge, problem: Problem, rules: Sequence[Rule], tried: list[_Candidate]) -> list[_Candidate]:
    """Play rules from the start at hand, and note how the opposites of those did that are among them."""
    first = len(tried)
    for rule in rules:
        margin = judge(rule.nature(problem))
        tried.append(_Candidate(rule, rule.pushes(problem), [margin]))
    margins = {one.rule: one.margins[0] for one in tried}
    for one in tried[first:]:
        if one.rule.flipped() in margins:
            one.opposite.append(margins[one.rule.flipped()])
    return tried[first:]


def _longer(problem: Problem, tried: Sequence[_Candidate]) -> list[Rule]:
    """Add a good term to good rules, first where that moves more."""
    best = sorted(tried, key=lambda one: (one.rank[0], one.mean))
    singles = [one for one in best if len(one.rule.terms) == 1][: 2 * _BASES]
    sums = [_sum(problem, base.rule, more.rule) for base in best[:_BASES] for more in singles]
    rules = dict.fromkeys(rule for rule in sums if rule is not None)
    return sorted(rules, key=lambda rule: -len({(term.place, term.row) for term in rule.terms}))[:LONGER]


def _sum(problem: Problem, base: Rule, more: Rule) -> Rule | None:
    """Add the terms of two rules; None where they share one, up to its sign, or would push and move coordinates.

    A family is not added to one of its coordinates either: no line of words says what such a coordinate does.
    """
    mine = {(term.place, term.row, term.feature) for term in base.terms}
    shared = any((term.place, term.row, term.feature) in mine for term in more.terms)
    kin = any(term.row < 0 for term in (*base.terms, *more.terms)) and base.rows(problem) & more.rows(problem)
    if shared or kin or base.pushes(problem) != more.pushes(problem):
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
    return _kin(problem)[: SINGLES // 2] + [term for _, term in scored]


def _kin(problem: Problem) -> list[Term]:
    """List the terms of families: few, and told in words that hold from every start, so that they go first."""
    if problem.oblivious:
        return []
    numbers = (-1,) if problem.shared else range(len(problem.places))
    return [
        Term(number, -1 - which, family.rows[0], weight)
        for number in numbers
        for which, family in enumerate(families(problem.places[max(number, 0)]))
        for weight in (1, -1)
    ]


def _scores(problem: Problem, place: Place, hints: Hints) -> Array:
    """Tell what each term promises, for both signs, shape (rows + actions, n + 1, 2); 0 where nothing.

    It promises what it moves the action by, as far as that is known, and more where its feature varies.
    """
    weights = np.ones((place.rows, len(place.scale)))
    if place.choice:
        weights[[row not in place.options for row in range(place.first, place.first + place.rows)]] = 0.0
    else:
        weights[place.members.bounds.high == place.members.bounds.low] = 0.0
    if place.sensitivity is not None:
        reach = np.abs(place.sensitivity)
        most = max(float(reach.max()), 1e-12)
        weights *= (0.01 + reach.max(axis=0) / most)[:, None]
        pushes = np.zeros((len(reach), len(place.scale)))
        pushes[list(place.ways)] = (reach.sum(axis=1) / most)[list(place.ways), None]
        weights = np.concatenate([weights, pushes])
    weights *= 0.5 + place.varies
    if problem.oblivious or place.once:
        weights[:, :-1] = 0.0
    known = place.sensitivity is not None  # then what the search happened to find must not sway the answer
    hint = np.zeros_like(weights) if known else hints.get(place.key, np.zeros_like(weights))
    return np.stack([weights * (1.05 + hint), weights * (1.05 - hint)], axis=-1)
