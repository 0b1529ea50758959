"""Rules of few whole-numbered terms, and how they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robust_envs.channels import WORLD
from robust_envs.testing.families import Family, families
from robust_envs.testing.problem import Place, Problem
from robust_envs.testing.rules import Feedback, RuleNature

__all__ = ["Rule", "Term"]

Array = np.ndarray[Any, np.dtype[Any]]
_FEW = 4  # coordinates that are told one by one where all of them move


@dataclass(frozen=True, order=True)
class Term:
    """One summand of a rule: ``weight * feature`` in the drive of one row of a place.

    Attributes:
        place: Number of the place; -1 for all places alike.
        row: Number of the coordinate (or choice) that moves; from the number of rows on, the number of the action that
            all coordinates together push; below 0, -1 minus the number of the family that moves.
        feature: Number of the feature; one more than the last for the constant 1. Each coordinate of a family moves by
            its own sign, and this is the first of them.
        weight: A whole number, in units of one over the feature's typical size.
    """

    place: int
    row: int
    feature: int
    weight: int

    def times(self, factor: int) -> Term:
        """Return the term with its weight multiplied."""
        return replace(self, weight=self.weight * factor)


@dataclass(frozen=True)
class Rule:
    r"""A sign rule with few terms: \(\delta_i = r_i\,\mathrm{sign}(\sum_j k_{ij} s_j / \sigma_j)\), other rows nominal.

    A term that pushes action a stands for all coordinates, each weighted by how it moves that action:
    \(\delta_i = r_i\,\mathrm{sign}(J_{ai} \sum_j k_{aj} s_j / \sigma_j)\), with J as `Place.sensitivity` has it. A
    term of a family moves its coordinates away from zero or towards it: \(\delta_i = r_i\,\mathrm{sign}(k s_i)\).

    Args:
        terms: The summands: either of coordinates and families, none of which overlap, or of actions at one place.
    """

    terms: tuple[Term, ...]

    def flipped(self) -> Rule:
        """Return the rule that does the opposite: the control."""
        return Rule(tuple(term.times(-1) for term in self.terms))

    def nature(self, problem: Problem) -> RuleNature:
        """Return the nature that plays it."""
        parts = {}
        for number, place in enumerate(problem.places):
            terms = self._of(number)
            if terms:
                weights = sum(_weights(term, place, self._family(problem, term)) for term in terms)
                parts[place.key] = Feedback(np.asarray(weights), place.members, first=place.first, fixed=place.fixed)
        return RuleNature(parts)

    def pushes(self, problem: Problem) -> bool:
        """Tell whether it moves all coordinates at once, to push an action."""
        return any(term.row >= problem.places[max(term.place, 0)].rows for term in self.terms)

    def text(self, problem: Problem) -> str:
        """Say it in words, a line for each row that moves."""
        lines = []
        for number in sorted({term.place for term in self.terms}):
            place = problem.places[max(number, 0)]
            who = "" if len(problem.places) == 1 else _who(place, number)
            for row in sorted({term.row for term in self.terms if term.place == number}):
                terms = [term for term in self.terms if (term.place, term.row) == (number, row)]
                family = self._family(problem, terms[0])
                if family is not None:
                    lines.append(who + _kin(place, family, terms[0].weight))
                else:
                    lines.append(who + (_line(place, row, terms) if row < place.rows else _push(place, row, terms)))
        return "\n".join(lines)

    def to_json(self, problem: Problem) -> dict[str, Any]:
        """Return numbers and words."""
        listed = [[term.place, term.row, term.feature, term.weight] for term in self.terms]
        scales = {"|".join(place.label): [float(number) for number in place.scale] for place in problem.places}
        told = {"text": self.text(problem), "terms": listed, "scales": scales}
        ways = sorted({term.row - problem.places[max(term.place, 0)].rows for term in self.terms})
        if self.pushes(problem):
            told["pushes"] = {
                "|".join(place.label): {str(way): np.sign(place.pushes[way]).astype(int).tolist() for way in ways}
                for number, place in enumerate(problem.places)
                if self._of(number)
            }
        kin = [family for term in self.terms if (family := self._family(problem, term)) is not None]
        if kin:
            told["families"] = {family.name: list(family.rows) for family in kin}
        return told

    def rows(self, problem: Problem) -> set[tuple[int, int]]:
        """Return (place, row) of all coordinates that its terms name; those that a push moves are not named."""
        named: set[tuple[int, int]] = set()
        for term in self.terms:
            family = self._family(problem, term)
            rows = (term.row,) if family is None else family.rows
            places = range(len(problem.places)) if term.place < 0 else (term.place,)
            named |= {(place, row) for place in places for row in rows}
        return named

    def _family(self, problem: Problem, term: Term) -> Family | None:
        return families(problem.places[max(term.place, 0)])[-1 - term.row] if term.row < 0 else None

    def _of(self, number: int) -> list[Term]:
        return [term for term in self.terms if term.place in (-1, number)]


def _weights(term: Term, place: Place, family: Family | None) -> Array:
    weights = np.zeros((place.rows, len(place.scale)))
    size = term.weight / place.scale[term.feature]
    if family is not None:
        weights[family.rows, family.rows] = size
    elif term.row < place.rows:
        weights[term.row, term.feature] = size
    else:
        weights[:, term.feature] = size * place.pushes[term.row - place.rows]
    return weights


def _who(place: Place, number: int) -> str:
    if place.channel in WORLD:
        return f"{place.channel}: "
    return f"each agent's {place.channel}: " if number < 0 else f"{place.channel} of {place.label[1]}: "


def _kin(place: Place, family: Family, weight: int) -> str:
    """Say that all of a family move by their own signs, and how far."""
    sizes = sorted(set(place.members.bounds.high[list(family.rows)]))
    size = f"{sizes[0]:.4g}" if len(sizes) == 1 else "radius"
    return f"delta[{family.name}] = {'-' if weight < 0 else ''}{size} * sign({family.name})"


def _push(place: Place, row: int, terms: Sequence[Term]) -> str:
    """Say which action all coordinates push, and which way."""
    sign = -1 if terms[0].weight < 0 else 1
    constant = len(terms) == 1 and terms[0].feature == len(place.features)
    inner = "" if constant else f"sign({_drive(place, [term.times(sign) for term in terms])})"
    bounds = place.members.bounds
    if place.rows <= _FEW and (bounds.high == -bounds.low).all():
        along = sign * np.sign(place.pushes[row - place.rows]) * bounds.high
        sizes = ", ".join(f"{size:.4g}" for size in along)
        return f"delta[{', '.join(place.names)}] = ({sizes})" + (f" * {inner}" if inner else "")
    how = f"by {'-' if sign < 0 else ''}{inner}" if inner else "down" if sign < 0 else "up"
    return f"delta pushes action {row - place.rows} {how}"


def _line(place: Place, row: int, terms: Sequence[Term]) -> str:
    drive = _drive(place, terms)
    constant = len(terms) == 1 and terms[0].feature == len(place.features)
    negative = terms[0].weight < 0
    if place.choice:
        always = f"never {place.names[row]}" if negative else f"{place.names[row]} always"
        return always if constant else f"{place.names[row]} when {drive} > 0"
    high, low = place.members.bounds.high[row], place.members.bounds.low[row]
    if constant:
        return f"delta[{place.names[row]}] = {low if negative else high:+.4g}"
    sign = "-" if negative else "+"
    if high != -low:
        return f"delta[{place.names[row]}] = {high:.4g} where {drive} > 0 else {low:.4g}"
    inner = _drive(place, [term.times(-1) for term in terms] if negative else terms)
    return f"delta[{place.names[row]}] = {sign}{high:.4g} * sign({inner})".replace("= +", "= ")


def _drive(place: Place, terms: Sequence[Term]) -> str:
    if len(terms) == 1 and abs(terms[0].weight) == 1 and terms[0].feature < len(place.features):
        return ("-" if terms[0].weight < 0 else "") + place.features[terms[0].feature]  # its size does not matter
    parts = []
    for term in terms:
        size = place.scale[term.feature]
        name = "1" if term.feature == len(place.features) else f"{place.features[term.feature]}/{size:.3g}"
        count = "" if abs(term.weight) == 1 else f"{abs(term.weight)}*"
        parts.append(f"{'-' if term.weight < 0 else '+'} {count}{name}")
    words = " ".join(parts)
    return words[2:] if words.startswith("+ ") else "-" + words[2:]
