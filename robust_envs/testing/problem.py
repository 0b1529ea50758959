"""What a search may know before it starts: the places where nature moves, and how the policy answers nearby."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from gymnasium import spaces

from robust_envs.channels import WORLD
from robust_envs.names import key_of
from robust_envs.natures import Move
from robust_envs.natures.move import is_choice
from robust_envs.policies import team_actions
from robust_envs.sets import Finite, PerEpisode, Switch, UncertaintySet
from robust_envs.shells.layers import Declared
from robust_envs.testing.arena import Arena
from robust_envs.testing.episodes import Episode
from robust_envs.testing.names import choice_names, observation_names, state_names
from robust_envs.testing.rules import Key, nothing

__all__ = ["Place", "Problem", "scout", "with_sensitivity"]

Array = np.ndarray[Any, np.dtype[Any]]
_WEAK = 0.1  # of the strongest push on an action
PROBES, STATES = 8, 64  # perturbed observations per state, states: 512 questions to the policy, no episode


@dataclass(frozen=True, eq=False)
class Place:
    """One nature: where it moves, inside which set, and what it sees.

    Attributes:
        channel, agent: Its place; a tuple of ids for a nature that covers several agents.
        members: The bound set; where nature chooses, a `Finite` of all choices.
        rows: Numbers it answers; where nature chooses, the number of choices.
        choice: Whether it picks one of several choices.
        first: Number of the first choice.
        options: The choices that nature has, in order.
        once: Whether it moves once an episode.
        kind: Where nature chooses, what the choices are about.
        whole: Whether only whole deltas count (integer spaces).
        names: Of the rows.
        features: Names of what it sees.
        scale: Typical size of each feature and 1 for the constant, shape (n + 1,).
        varies: How much of that is change, from 0 to 1, the constant as much as anything, shape (n + 1,).
        sensitivity: How the agent's action answers a move of each coordinate, shape (m, rows), or None where unknown.
        budget: The set of the episode, where it couples its steps.
    """

    channel: str
    agent: Any
    members: UncertaintySet
    rows: int
    choice: bool
    first: int
    whole: bool
    names: tuple[str, ...]
    features: tuple[str, ...]
    scale: Array
    varies: Array
    options: tuple[int, ...] = ()
    once: bool = False
    kind: tuple[Any, ...] = ()
    sensitivity: Array | None = None
    budget: PerEpisode | None = None

    @property
    def key(self) -> Key:
        """(channel, agent)."""
        return self.channel, self.agent

    @property
    def fixed(self) -> bool:
        """Whether its set is the same from every start; of a budget what is left is another set at every move."""
        return self.channel not in WORLD or self.budget is not None

    @property
    def label(self) -> tuple[str, str]:
        """(channel, agent) as traces have it."""
        return self.channel, key_of(self.agent)

    @property
    def pushes(self) -> Array:
        """How each coordinate moves each number of the action, the largest 1 or -1, shape (m, rows)."""
        known = np.zeros((0, self.rows)) if self.sensitivity is None else self.sensitivity
        return np.asarray(known / np.maximum(np.abs(known).max(axis=1, keepdims=True, initial=0.0), 1e-12))

    @property
    def ways(self) -> tuple[int, ...]:
        """Numbers of the action that can be pushed, without those that hardly move and those that mirror another."""
        reach = np.zeros(0) if self.sensitivity is None else np.abs(self.sensitivity).sum(axis=1)
        found: list[int] = []
        for a in np.flatnonzero(reach > _WEAK * reach.max(initial=1e-9)):
            along = self.pushes[a]
            if not any(np.allclose(along, sign * self.pushes[b], atol=1e-6) for b in found for sign in (1, -1)):
                found.append(int(a))
        return tuple(found)

    @property
    def like(self) -> tuple[Any, ...]:
        """What two places must share to play one rule."""
        return self.channel, self.rows, self.choice, self.options, len(self.features), self.members


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything a search starts from.

    Attributes:
        places: All natures, in the order in which they first moved.
        horizon: Length of the nominal episode.
        rng: For the search alone.
        oblivious: Whether nature may not look.
        arena: Where episodes are played; a search hands out natures and leaves playing to `falsify`.
        seed: Of the start.
    """

    places: tuple[Place, ...]
    horizon: int
    rng: np.random.Generator
    arena: Arena = field(repr=False)
    seed: int = 0
    oblivious: bool = False

    @property
    def shared(self) -> bool:
        """Whether several places can play one rule."""
        return len(self.places) > 1 and len({place.like for place in self.places}) == 1


class Scout:
    """Do nothing, and note who is asked."""

    def __init__(self) -> None:
        self.first: dict[Key, Move] = {}
        self.seen: dict[Key, list[Array]] = {}

    def __call__(self, move: Move) -> Any:
        key = move.channel, move.agent
        if key not in self.first:
            self.first[key] = move
        self.seen.setdefault(key, []).append(move.seen)
        return nothing(move)


def scout(arena: Arena, seed: int, rng: np.random.Generator, *, oblivious: bool = False) -> tuple[Problem, Episode]:
    """Play the nominal episode and find out who moves where.

    Args:
        arena: Where to play.
        seed: Of the reset.
        rng: For the search.
        oblivious: Whether nature may not look.

    Returns:
        The problem and the nominal episode.

    Raises:
        ValueError: If nature never gets to move: all sets are {0}, or no agent they name takes part.
    """
    watch = Scout()
    episode = arena.play(watch, seed)
    if not watch.first:
        raise ValueError(f"nature never moves: every set is {{0}} or opposes nobody, got {arena.channels}")
    places = tuple(_place(arena, move, watch.seen[key]) for key, move in watch.first.items())
    problem = Problem(places, episode.length, rng, arena, seed, oblivious)
    return problem, episode


def with_sensitivity(problem: Problem, episode: Episode) -> Problem:
    """Ask the policy at perturbed observations along the nominal episode which way each coordinate moves its action."""
    places = tuple(replace(place, sensitivity=_sensitivity(problem, place, episode)) for place in problem.places)
    return replace(problem, places=places)


def _place(arena: Arena, move: Move, seen: list[Array]) -> Place:
    given = next(place for place in arena.declared if (place.channel, place.agent) == (move.channel, move.agent))
    space = given.space
    choice = is_choice(move)
    size = len(move.seen)
    looked = np.array(seen, np.float64).reshape(len(seen), size)
    features = observation_names(arena.env, move.agent, size)
    bound: UncertaintySet = move.set
    if choice:
        bound = Finite(tuple(float(k) for k in range(int(space.start), int(space.start + space.n))))
        bound = bound.bind(space)
    names = choice_names(move.channel, space, menu=_is_menu(given)) if choice else _names(arena, given, move)
    return Place(
        channel=move.channel,
        agent=move.agent,
        members=bound,
        rows=len(names),
        choice=choice,
        first=int(space.start) if choice else 0,
        whole=not choice and move.nominal.dtype.kind in "iu",
        names=names,
        features=features,
        scale=_scale(looked),
        varies=np.append(looked.std(axis=0) / _scale(looked)[:-1], 1.0) if len(looked) else np.ones(size + 1),
        options=_options(given) if choice else (),
        once=given.once,
        kind=_kind(given) if choice else (),
        budget=given.members if isinstance(given.members, PerEpisode) else None,
    )


def _is_menu(given: Declared) -> bool:
    """Tell whether choice 0 leaves things as they are, instead of being a choice of its own."""
    return not isinstance(given.members, Finite | Switch)


def _options(given: Declared) -> tuple[int, ...]:
    members: Any = given.members
    listed = members.actions if isinstance(members, Finite) else members.choices(given.space)
    return tuple(sorted(int(choice) for choice in listed))


def _kind(given: Declared) -> tuple[Any, ...]:
    """Return whether choices add up to a menu, and what they say about a delay or a loss."""
    return _is_menu(given), *(getattr(given.members, name, None) for name in ("of", "each", "mode", "at"))


def _names(arena: Arena, given: Declared, move: Move) -> tuple[str, ...]:
    """Name the numbers that nature moves."""
    count = len(move.nominal)
    if given.channel in WORLD:
        return state_names(arena.env, given.names or ()) or _numbered(given.channel, count)
    if move.set.names is not None:
        return tuple(move.set.names)
    seen = observation_names(arena.env, move.agent, count)
    if move.channel == "observation" and not isinstance(move.agent, tuple):
        return seen
    return _numbered(move.channel, count)


def _numbered(word: str, count: int) -> tuple[str, ...]:
    return (word,) if count == 1 else tuple(f"{word}[{k}]" for k in range(count))


def _scale(looked: Array) -> Array:
    """Root mean square of each feature; 1 where it never moves from 0."""
    size = np.sqrt((looked**2).mean(axis=0)) if len(looked) else np.ones(0)
    return np.append(np.where(size > 1e-9, size, 1.0), 1.0)


def _sensitivity(problem: Problem, place: Place, episode: Episode) -> Array | None:
    """Regress the change of the action on random moves of the observation to the border of its set."""
    arena, agent = problem.arena, place.agent
    if place.channel != "observation" or isinstance(agent, tuple):
        return None
    space = arena.space("observation", agent)
    if not isinstance(space, spaces.Box) or place.members.is_zero:
        return None
    rng = np.random.default_rng(0)  # the same questions whatever the search's seed
    states = episode.observations[agent][: len(episode.actions[agent])]
    chosen = np.unique(np.linspace(0, len(states) - 1, STATES).astype(int))
    box = place.members.bounds
    moves, answers = [], []
    for t in chosen:
        sides = rng.choice([-1.0, 1.0], (PROBES // 2, place.rows))
        for z in np.concatenate([sides, -sides]):
            delta = np.where(z > 0, box.high, box.low)
            near = (np.asarray(states[t]).reshape(-1) + delta).astype(space.dtype).reshape(space.shape)
            near = np.clip(near, space.low, space.high)
            moves.append(z)
            answers.append(_numbers(_answer(arena, episode, agent, t, near), arena, agent))
    return np.asarray(np.linalg.lstsq(np.array(moves), np.array(answers), rcond=None)[0].T)


def _answer(arena: Arena, episode: Episode, agent: str, t: int, near: Any) -> Any:
    """Ask for the action of one agent, the others seeing the truth."""
    seen: dict[str, Any] = {agent: near}
    if getattr(arena.policy, "multi_agent", False):
        seen = {one: rows[t] for one, rows in episode.observations.items() if t < len(rows)} | seen
    return team_actions(arena.policy, seen, deterministic=arena.deterministic)[agent]


def _numbers(action: Any, arena: Arena, agent: str) -> Array:
    space = arena.space("action", agent)
    if isinstance(space, spaces.Discrete):
        return np.asarray(np.eye(int(space.n))[int(action) - int(space.start)])
    return np.asarray(action, np.float64).reshape(-1)
