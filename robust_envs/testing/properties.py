"""What a policy must hold up to, as a signed margin: negative is violated, and how much tells a search where to go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from robust_envs.testing.episodes import Episode

__all__ = [
    "Moment",
    "Property",
    "always_within",
    "as_property",
    "eventually",
    "never",
    "relative_return",
    "returns_at_least",
    "worst_agent_at_least",
]


class Moment(NamedTuple):
    """One step of an episode, as predicates see it.

    Attributes:
        t: Number of the step.
        observation: Nominal observation after it, by agent; of the agent itself where there is one.
        action: What the agent wanted to do; None at the reset.
        reward: What it got; 0.0 at the reset.
    """

    t: int
    observation: Any
    action: Any
    reward: Any


@dataclass(frozen=True)
class Property:
    r"""Judge an episode by a signed margin \(\rho\): \(\rho \ge 0\) holds, \(\rho < 0\) is violated.

    Compose with ``&`` and ``|``: \(\rho_{a \wedge b} = \min(\rho_a, \rho_b)\) and
    \(\rho_{a \vee b} = \max(\rho_a, \rho_b)\).

    Args:
        name: For reports.
        expression: The property in words.
        judge: Function of (episode, nominal episode) to the margin.

    Example:
        >>> both = returns_at_least(10.0) & always_within(-1.0, 1.0)
        >>> both.name
        '(returns_at_least and always_within)'

    References:
        Alexandre Donzé, Oded Maler, 2010, Robust Satisfaction of Temporal Logic over Real-Valued Signals.
    """

    name: str
    expression: str
    judge: Callable[[Episode, Episode], Any]

    def margin(self, episode: Episode, nominal: Episode) -> float:
        """Return the margin of an episode.

        Args:
            episode: What was played.
            nominal: The same start without nature.

        Raises:
            TypeError: If the property answers something that is not a number, a bool above all.
            ValueError: If it answers NaN.
        """
        answer = self.judge(episode, nominal)
        if isinstance(answer, bool | np.bool_):
            raise TypeError(
                f"property {self.name} must return a margin (a number, negative when violated), got {answer!r}: "
                "return how far the episode is from violation, so that a search can climb"
            )
        if isinstance(answer, np.ndarray) and answer.size == 1:
            answer = answer.reshape(-1)[0]
        if not isinstance(answer, Real):
            raise TypeError(f"property {self.name} must return a margin (a number), got {answer!r}")
        if math.isnan(answer):
            raise ValueError(
                f"property {self.name} must return a margin, got NaN for the episode of seed {episode.seed}"
            )
        return float(answer)

    def __and__(self, other: Property) -> Property:
        return _joined(self, as_property(other), "and", min)

    def __or__(self, other: Property) -> Property:
        return _joined(self, as_property(other), "or", max)

    def __str__(self) -> str:
        return self.expression


@dataclass(frozen=True)
class _Joined:
    """Take the smaller or larger of two margins."""

    first: Property
    second: Property
    pick: Callable[..., float]

    def __call__(self, episode: Episode, nominal: Episode) -> float:
        return self.pick(self.first.margin(episode, nominal), self.second.margin(episode, nominal))


def _joined(first: Property, second: Property, word: str, pick: Callable[..., float]) -> Property:
    name, expression = (f"({a} {word} {b})" for a, b in ((first.name, second.name), (first, second)))
    return Property(name, expression, _Joined(first, second, pick))


@dataclass(frozen=True)
class _Plain:
    """A user's function of the episode alone."""

    function: Callable[[Episode], Any]

    def __call__(self, episode: Episode, nominal: Episode) -> Any:
        return self.function(episode)


def as_property(given: Any) -> Property:
    """Take a `Property`, or a function from `Episode` to a margin.

    Raises:
        TypeError: If it is neither.

    Example:
        >>> as_property(lambda episode: episode.total - 10.0).name
        '<lambda>'
    """
    if isinstance(given, Property):
        return given
    if not callable(given) or isinstance(given, type):
        raise TypeError(f"property must be a Property or a function from Episode to a margin, got {given!r}")
    name = getattr(given, "__name__", type(given).__name__)
    return Property(name, name, _Plain(given))


@dataclass(frozen=True)
class _Returns:
    """Team return, one agent's, or the worst agent's, minus a bound."""

    bound: float
    agent: str | None = None
    worst: bool = False

    def __call__(self, episode: Episode, nominal: Episode) -> float:
        if self.worst:
            return min(episode.returns.values()) - self.bound
        if self.agent is None:
            return episode.total - self.bound
        if self.agent not in episode.returns:
            raise ValueError(f"agent must be one of {tuple(episode.returns)}, got agent={self.agent!r}")
        return episode.returns[self.agent] - self.bound


def returns_at_least(bound: float, *, agent: str | None = None) -> Property:
    """Demand a return: margin = return - bound.

    Args:
        bound: In units of the rewards, finite.
        agent: Whose return; by default the sum over all agents. Rewards count as agents got them.

    Raises:
        ValueError: If `bound` is not finite.

    Example:
        >>> returns_at_least(-60.0).expression
        'return >= -60'
    """
    whose = "return" if agent is None else f"return of {agent}"
    return Property("returns_at_least", f"{whose} >= {_finite('bound', bound):g}", _Returns(bound, agent))


def worst_agent_at_least(bound: float) -> Property:
    """Demand a return of every agent: margin = smallest return - bound.

    Raises:
        ValueError: If `bound` is not finite.

    Example:
        >>> worst_agent_at_least(1.5).expression
        'return of every agent >= 1.5'
    """
    return Property(
        "worst_agent_at_least", f"return of every agent >= {_finite('bound', bound):g}", _Returns(bound, worst=True)
    )


@dataclass(frozen=True)
class _Relative:
    """How much of the nominal return is lost at most."""

    fraction: float

    def __call__(self, episode: Episode, nominal: Episode) -> float:
        allowed = (1.0 - self.fraction) * abs(nominal.total)
        return episode.total - (nominal.total - allowed)


def relative_return(nominal_fraction: float) -> Property:
    r"""Demand a share of what the same start gives without nature.

    Margin \(J - (J_0 - (1 - f) |J_0|)\) with \(J_0\) the nominal return: for positive returns that is \(J - f J_0\);
    for costs, f = 0.8 allows a fifth more.

    Args:
        nominal_fraction: f in [0, 1].

    Raises:
        ValueError: If it lies outside.

    Example:
        >>> relative_return(0.8).expression
        'return loses at most 20% of nominal'
    """
    if not 0.0 <= _finite("nominal_fraction", nominal_fraction) <= 1.0:
        raise ValueError(f"nominal_fraction must be in [0, 1], got nominal_fraction={nominal_fraction}")
    lost = 100 * (1 - nominal_fraction)
    return Property("relative_return", f"return loses at most {lost:g}% of nominal", _Relative(nominal_fraction))


@dataclass(frozen=True)
class _OverTime:
    """The largest or smallest value of a predicate over the moments of an episode."""

    predicate: Callable[[Moment], Any]
    largest: bool
    after: int

    def __call__(self, episode: Episode, nominal: Episode) -> float:
        moments = _moments(episode)
        values = [self._signed(moment) for moment in moments[min(self.after, len(moments) - 1) :]]
        return max(values) if self.largest else -max(values)

    def _signed(self, moment: Moment) -> float:
        value = self.predicate(moment)
        if isinstance(value, bool | np.bool_):
            raise TypeError(
                f"a predicate must answer a signed number (positive where it is true), got {value!r} at t={moment.t}: "
                "return abs(angle) - 0.2 rather than abs(angle) > 0.2"
            )
        if math.isnan(value):
            raise ValueError(f"a predicate must answer a number, got NaN at t={moment.t}")
        return float(value)


def _moments(episode: Episode) -> list[Moment]:
    if len(episode.agents) == 1:
        (agent,) = episode.agents
        seen, done, paid = episode.observations[agent], episode.actions[agent], episode.rewards[agent]
        rest = zip(seen[1:], done, paid, strict=False)
        return [Moment(0, seen[0], None, 0.0), *(Moment(t, *entry) for t, entry in enumerate(rest, 1))]
    length = max(len(seen) for seen in episode.observations.values())
    return [
        Moment(
            t,
            {agent: seen[t] for agent, seen in episode.observations.items() if t < len(seen)},
            {agent: done[t - 1] for agent, done in episode.actions.items() if 0 < t <= len(done)},
            {agent: paid[t - 1] for agent, paid in episode.rewards.items() if 0 < t <= len(paid)},
        )
        for t in range(length)
    ]


def never(predicate: Callable[[Moment], Any], *, after: int = 0, name: str | None = None) -> Property:
    """Demand that something stays false: margin = minus the largest value of the predicate.

    Args:
        predicate: From `Moment` to a signed number, positive where it is true.
        after: First step that counts; in an episode that ends before, its last moment does.
        name: For reports; the predicate's own by default.

    Example:
        >>> never(lambda moment: abs(moment.observation[2]) - 0.2, name="falls").expression
        'never falls'
    """
    words = name or getattr(predicate, "__name__", "predicate")
    return Property("never", f"never {words}{_since(after)}", _OverTime(predicate, largest=False, after=after))


def eventually(predicate: Callable[[Moment], Any], *, after: int = 0, name: str | None = None) -> Property:
    """Demand that something becomes true at least once: margin = the largest value of the predicate.

    Args:
        predicate: From `Moment` to a signed number, positive where it is true.
        after: First step that counts; in an episode that ends before, its last moment does.
        name: For reports; the predicate's own by default.

    Example:
        >>> eventually(lambda moment: moment.observation[0] - 1.0, name="arrives").expression
        'eventually arrives'
    """
    words = name or getattr(predicate, "__name__", "predicate")
    return Property("eventually", f"eventually {words}{_since(after)}", _OverTime(predicate, largest=True, after=after))


@dataclass(frozen=True)
class _Within:
    """Distance of the nominal observations to the nearest wall."""

    low: Any
    high: Any
    of: tuple[int, ...] | None
    after: int
    agent: str | None

    def __call__(self, episode: Episode, nominal: Episode) -> float:
        agents = episode.agents if self.agent is None else (self.agent,)
        return min(self._one(episode.states(agent)) for agent in agents)

    def _one(self, states: Any) -> float:
        states = states[min(self.after, len(states) - 1) :]
        numbers = states if self.of is None else states[:, self.of]
        low, high = np.asarray(self.low, np.float64), np.asarray(self.high, np.float64)
        unit = np.where(np.isfinite(high - low), (high - low) / 2, 1.0)
        return float((np.minimum(numbers - low, high - numbers) / unit).min())


def always_within(
    low: Any, high: Any, *, of: Any = None, after: int = 0, agent: str | None = None, name: str | None = None
) -> Property:
    """Demand that nominal observations stay between walls: margin = smallest distance to a wall.

    Distances are in units of half the distance between the two walls (of a wall alone: as they are), so that
    coordinates of different units can be compared.

    Args:
        low, high: Walls, numbers or shape (dim,); may be infinite.
        of: Coordinates that count, an index or several; all by default.
        after: First step that counts; in an episode that ends before, its last moment does.
        agent: Whose observations; everybody's by default.
        name: For reports.

    Raises:
        ValueError: If a wall is NaN or `low` does not lie below `high`.

    Example:
        >>> always_within([-2.4, -0.21], [2.4, 0.21], of=(0, 2), name="upright").expression
        'always upright'
    """
    if not bool(np.all(np.asarray(low, np.float64) < np.asarray(high, np.float64))):
        raise ValueError(f"low must lie below high, got low={low}, high={high}")
    columns = None if of is None else tuple(int(k) for k in np.atleast_1d(of))
    words = name or f"within [{low}, {high}]" + ("" if columns is None else f" of {columns}")
    lowest, highest = (tuple(wall) if np.ndim(wall) else float(wall) for wall in (low, high))
    return Property("always_within", f"always {words}{_since(after)}", _Within(lowest, highest, columns, after, agent))


def _since(after: int) -> str:
    return f" from step {after}" if after else ""


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {name}={value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {name}={value}")
    return float(value)
