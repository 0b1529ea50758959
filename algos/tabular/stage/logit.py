"""The limit of logit quantal response equilibria, for any number of players: all games follow their paths together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from algos.tabular.stage.payoffs import action_values, evaluate, expected, lanes
from algos.tabular.stage.solution import Floats

__all__ = ["logit_limit"]

FIRST_STEP, FORK, SHORTEST = 0.05, 1e-5, 1e-9
CORRECTIONS, CLOSE = 6, 1e-9
ROUNDED_AT = 1e3  # precision from which on the limit is looked for: before, a path may still turn
SHARPEST = 1e11  # precision at which what is left of the path moves payoffs by less than rounding


def logit_limit(payoffs: Floats, *, tolerance: float, max_steps: int) -> tuple[Floats, ...]:
    """Follow pi_i(a) = softmax(precision * u_i(a, pi)) from precision 0, the uniform policies, to its limit.

    The path in (log pi, precision) is followed by arc length, Euler steps corrected by Newton, so that it may turn
    back. Far along the path each game's policies are rounded to their supports, the indifference equations of these
    supports are solved by Newton, and the game is done when what comes out is an equilibrium. In 2 x 2 games with two
    strict equilibria the limit is the risk-dominant one.

    Args:
        payoffs: (B, N, A1..AN), in [-1, 0] (`strategic`).
        tolerance: the largest gain by deviating at which a game is done, in these units.
        max_steps: steps along the path; a game that needs more returns the last policies it reached.

    Returns:
        One (B, A_i) array per player.

    References:
        R. McKelvey, T. Palfrey, 1995, Quantal response equilibria for normal form games; T. Turocy, 2005, A dynamic
        homotopy interpretation of the logistic quantal response equilibrium correspondence.
    """
    batch, sizes = len(payoffs), payoffs.shape[2:]
    answer = tuple(np.full((batch, size), 1.0 / size) for size in sizes)
    path = _Path.start(payoffs)
    for _ in range(max_steps):
        if not len(path.games):
            break
        with np.errstate(all="ignore"):  # a step too long may overflow; it is not taken
            path.advance()
        late = (path.point[:, -1] >= path.checked) | (path.step < SHORTEST)
        if late.any():
            done = path.finish(late, tolerance, answer)
            path = path.only(~done)
    for i, policy in enumerate(path.policies()):
        answer[i][path.games] = policy
    return answer


@dataclass
class _Path:
    tensors: Floats  # payoffs, batch last
    games: NDArray[np.intp]
    point: Floats  # (B, D + 1): log pi of all players, then the precision
    tangent: Floats  # (B, D + 1), of length 1
    step: Floats  # (B,)
    checked: Floats  # (B,), the precision at which the limit is looked for next
    side: Floats  # (B,), the sign of the determinant of the derivative bordered by the tangent

    @classmethod
    def start(cls, payoffs: Floats) -> _Path:
        batch, sizes = len(payoffs), payoffs.shape[2:]
        logs = np.concatenate([np.full(size, -np.log(size)) for size in sizes] + [np.zeros(1)])
        point = np.tile(logs, (batch, 1))
        forward = np.zeros_like(point)
        forward[:, -1] = 1.0
        step, checked = np.full(batch, FIRST_STEP), np.full(batch, ROUNDED_AT)
        path = cls(lanes(payoffs), np.arange(batch), point, forward, step, checked, np.ones(batch))
        path.tangent, path.side = path.direction(point)
        return path

    def only(self, kept: NDArray[np.bool_]) -> _Path:
        return _Path(
            *(
                getattr(self, f.name)[..., kept] if f.name == "tensors" else getattr(self, f.name)[kept]
                for f in fields(self)
            )
        )

    def policies(self) -> tuple[Floats, ...]:
        parts = np.split(np.exp(np.minimum(self.point[:, :-1], 1.0)), np.cumsum(self.tensors.shape[1:-1])[:-1], axis=1)
        return tuple(part / part.sum(axis=1, keepdims=True) for part in parts)

    def system(self, point: Floats) -> tuple[Floats, Floats]:
        """Return how far each log pi is from the log softmax of its values, (B, D), and the derivative (B, D, D+1)."""
        sizes, precision = self.tensors.shape[1:-1], point[:, -1:]
        ends = np.cumsum(sizes)
        policies = np.split(np.exp(np.minimum(lanes(point[:, :-1]), 1.0)), ends[:-1])
        residual = np.empty_like(point[:, :-1])
        slope = np.zeros((*residual.shape, point.shape[1]))
        slope[:, np.arange(ends[-1]), np.arange(ends[-1])] = 1.0
        for i, lane in enumerate(action_values(self.tensors, policies)):
            own, worth = slice(ends[i] - sizes[i], ends[i]), lane.T
            raised = precision * (worth - worth.max(axis=1, keepdims=True))
            soft = np.exp(raised)
            total = soft.sum(axis=1, keepdims=True)
            residual[:, own] = point[:, own] - raised + np.log(total)
            soft /= total
            slope[:, own, -1] = (soft * worth).sum(axis=1, keepdims=True) - worth
            for j in range(len(sizes)):
                if j != i:
                    other = slice(ends[j] - sizes[j], ends[j])
                    change = _between(self.tensors[i], policies, i, j) * policies[j].T[:, None, :]
                    change -= (soft[:, :, None] * change).sum(axis=1, keepdims=True)
                    slope[:, own, other] = -precision[:, :, None] * change
        return residual, slope

    def direction(self, point: Floats) -> tuple[Floats, Floats]:
        """Return the tangents at `point` that go on from the last ones, and the signs of the bordered determinants."""
        _, slope = self.system(point)
        target = np.zeros_like(point)
        target[:, -1] = 1.0
        tangent = solve_each(np.concatenate([slope, self.tangent[:, None]], axis=1), target)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        tangent[~np.isfinite(tangent).all(axis=1)] = 0.0
        return tangent, np.linalg.slogdet(np.concatenate([slope, tangent[:, None]], axis=1))[0]

    def advance(self) -> None:
        """Take one step along the path where Newton finds back to it, else halve the step."""
        start = self.point + self.step[:, None] * self.tangent
        point, first = start.copy(), np.zeros(len(start))
        open_, good = np.ones(len(start), bool), np.zeros(len(start), bool)
        for turn in range(CORRECTIONS):
            at = np.flatnonzero(open_)
            part = self.only(open_)
            residual, slope = part.system(point[at])
            matrix = np.concatenate([slope, part.tangent[:, None]], axis=1)
            move = solve_each(matrix, np.concatenate([-residual, np.zeros((len(at), 1))], axis=1))
            size = np.abs(move).max(axis=1) / (1.0 + np.abs(point[at]).max(axis=1))
            if turn == 0:
                first = size
            bad = ~np.isfinite(size) | (size > 0.5)
            point[at] += np.where(bad[:, None], 0.0, move)
            good[at] = ~bad & (size <= CLOSE)
            open_[at] = ~bad & (size > CLOSE)
            if not open_.any():
                break
        good &= point[:, -1] >= 0.0
        tangent, side = self.direction(point)
        turned = (tangent * self.tangent).sum(axis=1)
        good &= turned > 0.9  # a path that turned sharply within a step may be another one
        # Along one path the determinant keeps its sign. Where it does not, the step jumped across a turning point,
        # unless it flips within the shortest of steps: there symmetric games fork, and we keep to the symmetric branch.
        good &= (side == self.side) | (self.step < FORK)
        self.point[good], self.tangent[good], self.side[good] = point[good], tangent[good], side[good]
        easy = good & (first < 0.05) & (turned > 0.99)
        self.step = np.where(good, np.where(easy, self.step * 1.6, self.step), self.step / 2)

    def finish(self, late: NDArray[np.bool_], tolerance: float, answer: tuple[Floats, ...]) -> NDArray[np.bool_]:
        """Write down the limits of the games that have come near enough, and say which those are."""
        at, part = np.flatnonzero(late), self.only(late)
        policies = part.policies()
        rounded = indifferent(part.tensors, policies)
        gap = evaluate(part.tensors, rounded)[1].max(axis=1)
        near = np.max([np.abs(a - b).max(axis=1) for a, b in zip(rounded, policies, strict=True)], axis=0)
        raw = evaluate(part.tensors, policies)[1].max(axis=1)
        exact = (gap <= tolerance) & (near <= 0.05)
        over = (part.point[:, -1] > SHARPEST) | (part.step < SHORTEST)
        done = np.zeros(len(late), bool)
        done[at] = exact | over | (raw <= tolerance)
        for i, (limit, policy) in enumerate(zip(rounded, policies, strict=True)):
            answer[i][part.games] = np.where((exact | (gap < raw))[:, None], limit, policy)
        self.checked[at] = 4.0 * part.point[:, -1]
        return done


def indifferent(tensors: Floats, policies: tuple[Floats, ...], *, rounds: int = 6) -> tuple[Floats, ...]:
    """Round policies to the actions they really use and make each player indifferent between its own, by Newton."""
    sizes, batch = tensors.shape[1:-1], tensors.shape[-1]
    ends, count = np.cumsum(sizes), sum(sizes)
    x = np.concatenate(policies, axis=1)
    used = np.concatenate([policy > 1e-3 for policy in policies], axis=1)
    x = np.where(used, x, 0.0)
    worth = np.zeros((batch, len(sizes)))
    for _ in range(rounds):
        parts = np.split(lanes(x), ends[:-1])
        values = [value.T for value in action_values(tensors, parts)]
        matrix = np.zeros((batch, count + len(sizes), count + len(sizes)))
        rest = np.zeros((batch, count + len(sizes)))
        for i, (end, size) in enumerate(zip(ends, sizes, strict=True)):
            own = slice(end - size, end)
            worth[:, i] = np.where(used[:, own], values[i], 0.0).sum(axis=1) / used[:, own].sum(axis=1)
            for j in range(len(sizes)):
                if j != i:
                    matrix[:, own, ends[j] - sizes[j] : ends[j]] = _between(tensors[i], parts, i, j)
            matrix[:, own, count + i] = -1.0
            rest[:, own] = worth[:, i : i + 1] - values[i]
            matrix[:, count + i, own] = 1.0
            rest[:, count + i] = 1.0 - parts[i].sum(axis=0)
        unused = np.concatenate([~used, np.zeros((batch, len(sizes)), bool)], axis=1)
        matrix = np.where(unused[:, :, None], np.eye(count + len(sizes)), matrix)
        rest = np.where(unused, 0.0, rest)
        move = solve_each(matrix, rest)
        wild = ~(np.abs(move).max(axis=1) < 0.5)  # dependent equations: take the shortest move
        move[wild] = (np.linalg.pinv(matrix[wild], rcond=1e-7) @ rest[wild, :, None])[..., 0]
        x = x + move[:, :count]
    x = np.clip(x, 0.0, 1.0)
    return tuple(part / part.sum(axis=1, keepdims=True) for part in np.split(x, ends[:-1], axis=1))


def solve_each(matrix: Floats, target: Floats) -> Floats:
    """Solve a batch of linear systems; a singular one gets nan instead of stopping the others."""
    try:
        return np.asarray(np.linalg.solve(matrix, target[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        if len(matrix) == 1:
            return np.full(target.shape, np.nan)
        half = len(matrix) // 2
        return np.concatenate([solve_each(matrix[:half], target[:half]), solve_each(matrix[half:], target[half:])])


def _between(own: Floats, policies: Sequence[Floats], i: int, j: int) -> Floats:
    """Return what i's actions are worth against each of j's, (B, A_i, A_j), the others keeping to their policies."""
    left: Floats = np.moveaxis(expected(own, policies, (i, j)), -1, 0)
    return left if i < j else left.swapaxes(1, 2)
