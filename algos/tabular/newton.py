"""Mixtures brought to full precision where nature's answer moves smoothly with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat as aac

__all__ = ["polish", "regret"]

Array = Any
Mixtures = tuple[Array, ...]
STEP = 1e-6
USED = 1e-7  # smaller weights are none
ROUNDS = 12
SETTLED = 1e-15  # of what actions are worth


def regret(policies: Mixtures, worth: Mixtures) -> Array:
    """Return a bound on what any player could gain, (S,): f(x') <= <x', u> for nature's answer u at x and every x'."""
    xp = aac.array_namespace(policies[0])
    gaps = [xp.max(u, axis=-1) - xp.sum(x * u, axis=-1) for x, u in zip(policies, worth, strict=True)]
    return xp.max(xp.stack(gaps), axis=0)


def polish(respond: Callable[[Mixtures], Mixtures], policies: Mixtures) -> tuple[Mixtures, Array]:
    """Make all actions that are used worth the same, by Newton's method, at every state at once.

    What is returned is the best point on the way, so that it does no harm where nature's answer jumps.

    Args:
        respond: from mixtures (S, A_i) to what each action is worth under nature's answer to them, (S, A_i).
        policies: where to start.

    Returns:
        The mixtures and their regret, (S,).
    """
    xp = aac.array_namespace(policies[0])
    here = best = tuple(_without_dust(xp, x) for x in policies)
    worth = respond(here)
    gap = regret(here, worth)
    for _ in range(ROUNDS):
        here = _step(xp, respond, here, worth)
        worth = respond(here)
        left = regret(here, worth)
        better = left < gap
        best = tuple(xp.where(better[:, None], new, old) for new, old in zip(here, best, strict=True))
        gap = xp.where(better, left, gap)
        if not bool(xp.any(left > SETTLED * (1.0 + xp.max(xp.abs(worth[0]), axis=-1)))):
            break
    return best, gap


def _step(xp: Any, respond: Callable[[Mixtures], Mixtures], policies: Mixtures, worth: Mixtures) -> Mixtures:
    """Solve for the change d with J d = level_i - u_i on the actions used, 0 on the others, sum 0 for each player.

    Actions that are not used but worth more than those that are may come in; a weight that would fall below 0 ends the
    step, and leaves.
    """
    x, u = xp.concat(policies, axis=-1), xp.concat(worth, axis=-1)
    n_states, size = x.shape
    jacobian = _slopes(xp, respond, policies, worth)
    levels = [xp.sum(a * b, axis=-1, keepdims=True) for a, b in zip(policies, worth, strict=True)]
    used = (x > 0) | xp.concat([b > level for b, level in zip(worth, levels, strict=True)], axis=-1)
    both = used[:, :, None] & used[:, None, :]
    device = aac.device(x)
    eye = xp.eye(size, dtype=x.dtype, device=device)
    block = xp.where(both, jacobian, xp.where(used[:, :, None], 0.0 * eye, eye))
    owner = _owners(xp, policies, device)
    member = xp.astype(used[:, :, None] & (owner[:, None] == xp.arange(len(policies), device=device)), x.dtype)
    top = xp.concat([block, -member], axis=-1)
    corner = xp.zeros((n_states, len(policies), len(policies)), dtype=x.dtype, device=device)
    bottom = xp.concat([xp.matrix_transpose(member), corner], axis=-1)
    right = xp.concat([xp.where(used, -u, 0.0 * u), xp.zeros_like(corner[:, :, 0])], axis=-1)
    system = xp.concat([top, bottom], axis=1)
    change = xp.matmul(xp.linalg.pinv(system), right[..., None])[:, :size, 0]
    change = xp.where((x > 0) | (change > 0), change, 0.0 * x)
    falls = xp.where(change < 0, x / xp.where(change < 0, -change, xp.ones_like(x)), xp.ones_like(x))
    reach = xp.minimum(xp.min(falls, axis=-1), xp.ones_like(x[:, 0]))[:, None]
    moved = xp.maximum(x + reach * change, 0.0 * x)
    return tuple(_without_dust(xp, part) for part in _parts(policies, moved))


def _slopes(xp: Any, respond: Callable[[Mixtures], Mixtures], policies: Mixtures, worth: Mixtures) -> Array:
    """Return the derivatives of what actions are worth in the weights of all actions, (S, actions, actions).

    A difference along e_b - x_j keeps mixtures mixtures. What player i's actions are worth does not change with the
    size of its own mixture and grows in proportion with that of the others, which gives the part along x_j.
    """
    columns = []
    for j, own in enumerate(policies):
        for b in range(own.shape[-1]):
            unit = xp.zeros_like(own)
            unit[:, b] = 1.0
            tried = tuple(x + STEP * (unit - x) if k == j else x for k, x in enumerate(policies))
            slopes = [
                (new - old) / STEP + (old if i != j else 0.0 * old)
                for i, (new, old) in enumerate(zip(respond(tried), worth, strict=True))
            ]
            columns.append(xp.concat(slopes, axis=-1))
    return xp.stack(columns, axis=-1)


def _owners(xp: Any, policies: Mixtures, device: Any) -> Array:
    counts = [xp.full((x.shape[-1],), i, dtype=xp.int64, device=device) for i, x in enumerate(policies)]
    return xp.concat(counts)


def _parts(policies: Mixtures, x: Array) -> list[Array]:
    parts, at = [], 0
    for policy in policies:
        parts.append(x[:, at : at + policy.shape[-1]])
        at += policy.shape[-1]
    return parts


def _without_dust(xp: Any, x: Array) -> Array:
    kept = xp.where(x > USED, x, 0.0 * x)
    return kept / xp.sum(kept, axis=-1, keepdims=True)
