"""From what users write (sets, arrays, callables) to laws of nature."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.laws import AmbiguousLaw, CertainLaw, FixedShift, JointShift, PiecewiseLaw, ScenarioLaw
from algos.tabular.rows import Rows
from robust_envs import (
    KL,
    AmbiguitySet,
    ChiSquared,
    Contamination,
    CVaR,
    L1Ambiguity,
    L2Ambiguity,
    LinfAmbiguity,
    ReverseKL,
    Scenarios,
    TotalVariation,
    UncertaintySet,
)
from robust_envs.envs import MarkovGame
from robust_envs.sets import Joint, PerEpisode
from robust_envs.sets.ambiguity.base import check_distribution

__all__ = ["by_player", "keeps_support", "reward_shift", "transition_law"]

Array = Any
Law = CertainLaw | AmbiguousLaw | PiecewiseLaw | ScenarioLaw
_COUPLED = (L1Ambiguity, L2Ambiguity, LinfAmbiguity)
_TO_CHEAPEST = (L1Ambiguity, TotalVariation, Contamination, ReverseKL)  # off the support only the cheapest state counts


def by_player(game: MarkovGame, name: str, given: Any) -> list[Any]:
    """Return what was given for each player; a mapping leaves the players it does not name certain."""
    if not isinstance(given, Mapping):
        return [given] * game.n_players
    found: list[Any] = [None] * game.n_players
    for who, members in given.items():
        try:
            found[game.player(who)] = members
        except ValueError as error:
            raise ValueError(f"{name} must be by player: {error}") from error
    return found


def transition_law(game: MarkovGame, given: Any, *, coupled: bool, whole: bool) -> Law:
    """Return one player's law of transitions.

    Args:
        game: the game.
        given: None, a set of distributions, an array of kernels, or a function that returns sets.
        coupled: whether nature has one choice for all joint actions of a state.
        whole: whether rewards depend on the next state and count in nature's choice.
    """
    if given is None:
        return CertainLaw(Rows.compact(game.transitions))
    if isinstance(given, AmbiguitySet):
        return _of_set(game, given, coupled, whole)
    if callable(given):
        return _of_function(game, given, coupled, whole)
    if aac.is_array_api_obj(given) or isinstance(given, list | tuple):
        return _of_kernels(game, given, coupled)
    hint = ": a set of deltas is for rewards" if isinstance(given, UncertaintySet) else ""
    raise TypeError(
        "transition_set must be a set of distributions, an array of kernels, a function that returns sets, or a dict "
        f"by player of those, got {given!r}{hint}"
    )


def _of_set(game: MarkovGame, given: AmbiguitySet, coupled: bool, whole: bool) -> Law:
    if isinstance(given, Scenarios):
        members = np.asarray(given.members)
        if members.shape[1] != game.n_states:
            raise ValueError(f"transition_set must have members over {game.n_states} states, got {members.shape[1]}")
        shape = (len(members), *game.transitions.shape)
        return _of_kernels(game, np.broadcast_to(members[(slice(None), *[None] * (len(shape) - 2))], shape), coupled)
    _check_set(given, coupled)
    name = _size(given)
    size = np.asarray(getattr(given, name))
    if np.all(size == (1 if name == "alpha" else 0)):
        return CertainLaw(Rows.compact(game.transitions))
    if size.ndim:
        given = replace(given, **{name: _spread_size(game, size, coupled, f"transition_set's {name}")})  # type: ignore[type-var]
    return AmbiguousLaw(_rows(game, [given], whole), given, coupled)


def _spread_size(game: MarkovGame, size: Any, coupled: bool, what: str) -> Any:
    """Return an array of radii as (S, A), or as (S,) where nature has one choice for a state."""
    full = (game.n_states,) if coupled else (game.n_states, *game.n_actions)
    axes = "(S,)" if coupled else "(S, A_1, ..., A_N)"
    if size.ndim != len(full) or any(a not in (1, b) for a, b in zip(size.shape, full, strict=True)):
        raise ValueError(f"{what} must be a number or of shape {axes} = {full}, got shape {size.shape}")
    return np.broadcast_to(size, full).reshape((game.n_states,) if coupled else (game.n_states, -1))


def _of_function(game: MarkovGame, given: Callable[..., Any], coupled: bool, whole: bool) -> Law:
    """Ask for the set at every place once, and put together those that differ in their radius only."""
    groups: dict[Any, tuple[list[int], list[Any]]] = {}
    for index, members in enumerate(_ask(game, given, coupled)):
        if members is None:
            continue
        if not isinstance(members, AmbiguitySet):
            raise TypeError(f"transition_set must return sets of distributions or None, got {members!r}")
        _check_set(members, coupled)
        name = None if isinstance(members, Scenarios) else _size(members)
        kind = (type(members), *(getattr(members, f.name) for f in fields(members) if f.name != name))  # type: ignore[arg-type]
        places, sizes = groups.setdefault((kind, name), ([], []))
        if name is not None and np.ndim(getattr(members, name)):
            raise ValueError(f"transition_set must return sets whose {name} is a number, got {members!r}")
        places.append(index)
        sizes.append(members)
    pieces = []
    for (_, name), (places, sets) in groups.items():
        same = sets[0] if name is None else replace(sets[0], **{name: [getattr(each, name) for each in sets]})
        pieces.append((np.array(places), same))
    return PiecewiseLaw(_rows(game, [members for _, members in pieces], whole), tuple(pieces), coupled)


def _ask(game: MarkovGame, given: Callable[..., Any], coupled: bool) -> list[Any]:
    if coupled:
        return [given(state) for state in range(game.n_states)]
    return [given(state, joint) for state in range(game.n_states) for joint in np.ndindex(*game.n_actions)]


def _of_kernels(game: MarkovGame, given: Any, coupled: bool) -> Law:
    """Read kernels (K, S, A1..An, S), among which nature picks."""
    xp = aac.array_namespace(game.transitions)
    like = game.transitions
    kernels = xp.asarray(
        given if aac.is_array_api_obj(given) else np.asarray(given), dtype=like.dtype, device=aac.device(like)
    )
    if tuple(kernels.shape[1:]) != tuple(like.shape) or kernels.shape[0] == 0:
        raise ValueError(
            f"transition_set must hold kernels of shape (K, *{tuple(like.shape)}), got shape {tuple(kernels.shape)}"
        )
    check_distribution(xp, "transition_set", kernels)
    flat = xp.reshape(kernels, (kernels.shape[0], game.n_states, -1, game.n_states))
    rows = Rows.compact(game.transitions, reach=xp.any(flat > 0, axis=0))
    return ScenarioLaw(rows, xp.stack([rows.pick(kernel) * rows.used for kernel in kernels]), coupled)


def _rows(game: MarkovGame, sets: list[AmbiguitySet], whole: bool) -> Rows:
    """Return as few places as the worst cases of all these sets may need."""
    if all(keeps_support(members) for members in sets):
        _warn_of_nothing(game, sets)
        return Rows.compact(game.transitions)
    if not whole and all(keeps_support(members) or isinstance(members, _TO_CHEAPEST) for members in sets):
        return Rows.compact(game.transitions, roams=True)
    return Rows.dense(game.transitions)


def keeps_support(members: AmbiguitySet) -> bool:
    """Say whether every member is 0 where the nominal distribution is."""
    return members.support_only or isinstance(members, KL | ChiSquared | CVaR)


def _warn_of_nothing(game: MarkovGame, sets: list[AmbiguitySet]) -> None:
    if sets and bool(((game.transitions == 0) | (game.transitions == 1)).all()):
        warnings.warn(
            f"{type(sets[0]).__name__} keeps to the nominal support and every transition is deterministic: it changes "
            "nothing here",
            stacklevel=2,
        )


def _check_set(members: AmbiguitySet, coupled: bool) -> None:
    if coupled and not isinstance(members, _COUPLED):
        raise ValueError(
            "transition_set must be L1Ambiguity, L2Ambiguity, LinfAmbiguity or kernels for rectangular='s', got "
            f"{members!r}"
        )


def _size(members: AmbiguitySet) -> str:
    return "alpha" if isinstance(members, CVaR) else "radius"


def reward_shift(game: MarkovGame, given: Any, *, coupled: bool) -> FixedShift | JointShift:
    """Return what nature adds to one player's rewards.

    Args:
        game: the game.
        given: None, an array of half-widths, a set of deltas, or a function that returns sets.
        coupled: whether one set stands over all joint actions of a state.
    """
    if given is None:
        return FixedShift(None)
    if isinstance(given, UncertaintySet):
        return _of_deltas(game, [given] * (game.n_states if coupled else 1), coupled)
    if callable(given):
        return _of_deltas(game, _ask(game, given, coupled), coupled)
    if isinstance(given, int | float | list | tuple | np.generic) or aac.is_array_api_obj(given):
        return FixedShift(_widths(game, given))
    hint = ": a set of distributions is for transitions" if isinstance(given, AmbiguitySet) else ""
    raise TypeError(
        "reward_set must be a set of deltas, an array of half-widths, a function that returns sets, or a dict by "
        f"player of those, got {given!r}{hint}"
    )


def _widths(game: MarkovGame, given: Any) -> Array | None:
    widths = np.asarray(given, dtype=np.float64) if not hasattr(given, "detach") else given.detach().cpu().numpy()
    if not np.all(np.isfinite(widths)) or np.any(widths < 0):
        raise ValueError("reward_set must have half-widths that are finite and >= 0")
    full = (game.n_states, *game.n_actions)
    if widths.ndim and (
        widths.ndim != len(full) or any(a not in (1, b) for a, b in zip(widths.shape, full, strict=True))
    ):
        raise ValueError(
            f"reward_set must have half-widths of shape (S, A_1, ..., A_N) = {full}, got shape {widths.shape}"
        )
    return _amount(game, -np.broadcast_to(widths, full).reshape(game.n_states, -1))


def _amount(game: MarkovGame, amount: Any) -> Array | None:
    if not np.any(amount):
        return None
    like = game.rewards
    return aac.array_namespace(like).asarray(np.array(amount), dtype=like.dtype, device=aac.device(like))


def _of_deltas(game: MarkovGame, given: list[Any], coupled: bool) -> FixedShift | JointShift:
    n_joint = int(np.prod(game.n_actions))
    for members in given:
        _check_deltas(members)
    if not coupled:  # the least delta of one number, wherever it is
        least = {members: _least(members) for members in set(given)}
        amounts = np.array([least[members] for members in given])
        shape = (game.n_states, n_joint)
        return FixedShift(
            _amount(game, np.broadcast_to(amounts[0], shape) if len(amounts) == 1 else amounts.reshape(shape))
        )
    groups: dict[UncertaintySet, tuple[list[int], list[float]]] = {}
    for state, members in enumerate(given):
        if members is None or members.is_zero:
            continue
        resize = getattr(members, "with_radius", None)  # where the worst delta grows with the radius in proportion
        one, factor = (members, 1.0) if resize is None else (resize(1.0), members.radius)
        places, factors = groups.setdefault(one.bind(n_joint), ([], []))
        places.append(state)
        factors.append(factor)
    if not groups:
        return FixedShift(None)
    like = game.rewards
    xp, device = aac.array_namespace(like), aac.device(like)
    pieces = tuple(
        (xp.asarray(places, device=device), members, xp.asarray(factors, dtype=like.dtype, device=device))
        for members, (places, factors) in groups.items()
    )
    return JointShift(pieces, (game.n_states, n_joint))


def _least(members: UncertaintySet | None) -> float:
    return 0.0 if members is None else float(members.bind(1).worst([1.0])[0])


def _check_deltas(members: Any) -> None:
    if members is not None and not isinstance(members, UncertaintySet):
        raise TypeError(f"reward_set must return sets of deltas or None, got {members!r}")
    if isinstance(members, Joint | PerEpisode):
        raise ValueError(
            f"reward_set must be one set for each player and state, got {members!r}; it couples "
            + ("players" if isinstance(members, Joint) else "steps")
        )
