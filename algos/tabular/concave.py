"""Mixtures that are best when nature answers to the mixture itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat as aac
import numpy as np

from algos.tabular.newton import polish
from algos.tabular.stage import NoEquilibrium, solve

__all__ = ["security_mix"]

Array = Any
MAX_CUTS = 200
POLISH_EVERY = 6  # cuts: few answers make the maximum out where nature's answer jumps, none do where it is smooth


def security_mix(respond: Callable[[Array], Array], start: Array, *, tolerance: float) -> tuple[Array, Array]:
    """Maximise f(x) = min over nature of <x, u>, a concave function of the mixture x, at every state at once.

    Every answer u of nature bounds f from above by <x, u> (f is the least of such lines), so a matrix game against the
    answers seen so far has a value above the maximum; its mixture is tried next, until the two meet.

    Args:
        respond: from mixtures (S, A) to nature's answers to them, (S, A), with f(x) = <x, respond(x)>.
        start: (S, A), the first mixtures to try.
        tolerance: how far the result may be from the maximum.

    Returns:
        The mixtures (S, A) and what they are worth, (S,).

    References:
        J. Kelley, 1960, The cutting-plane method for solving convex programs. Where nature's answer is smooth in the
        mixture the last digits come from Newton's method.
    """
    xp = aac.array_namespace(start)

    def value(mix: Array) -> Array:
        return xp.sum(mix * respond(mix), axis=-1)

    best, worth, mix = start, value(start), start
    ceiling, cuts = xp.full_like(worth, xp.inf), []
    for count in range(MAX_CUTS):
        cuts.append(respond(mix))
        best, worth = _better(xp, best, worth, mix, xp.sum(mix * cuts[-1], axis=-1))
        if count % POLISH_EVERY == 1:
            (polished,), gap = polish(lambda mixes: (respond(mixes[0]),), (best,))
            best, worth = _better(xp, best, worth, polished, value(polished))
            ceiling = xp.minimum(ceiling, value(polished) + gap)
        mix, above = _matrix_game(xp, xp.stack(cuts, axis=-1))
        ceiling = xp.minimum(ceiling, above)
        if bool(xp.all(ceiling - worth <= tolerance)):
            break
    return best, worth


def _better(xp: Any, best: Array, worth: Array, tried: Array, value: Array) -> tuple[Array, Array]:
    above = value > worth
    return xp.where(above[:, None], tried, best), xp.where(above, value, worth)


def _matrix_game(xp: Any, answers: Array) -> tuple[Array, Array]:
    """Return the security mixtures (S, A) and values (S,) of games (S, A, K)."""
    host = answers.detach().cpu().numpy() if hasattr(answers, "detach") else np.asarray(answers)
    try:
        found = solve(np.stack([host, -host], axis=1), kind="zero_sum")
    except NoEquilibrium as error:  # nearly solved is enough to go on: the bound is checked against what is reached
        found = error.found
    device = aac.device(answers)
    mix = xp.asarray(found.policies[0], dtype=answers.dtype, device=device)
    ceiling = xp.asarray((found.values[:, 0] + found.gap[:, 0]), dtype=answers.dtype, device=device)
    return mix, ceiling
