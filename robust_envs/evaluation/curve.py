"""How the return falls as the world departs from the model, policy beside policy."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_envs.evaluation.evaluate import evaluate
from robust_envs.evaluation.results import TEAM, Evaluation, RewardKind, Summary, table_csv
from robust_envs.evaluation.statistics import bootstrap_interval
from robust_envs.files import read_versioned, write_json

__all__ = ["CurvePoint", "Estimate", "RobustnessCurve", "robustness_curve"]

_KIND, _VERSION = "robust-envs/curve", 1


class Estimate(NamedTuple):
    """A number with its 95% bootstrap interval over episodes."""

    value: float
    low: float
    high: float


class CurvePoint(NamedTuple):
    """One line of a curve's table: a policy at one level of one nature."""

    policy: str
    nature: str
    level: float
    agent: str
    reward: str
    episodes: int
    mean: float
    low: float
    high: float
    cvar: float
    worst: float


@dataclass(frozen=True)
class RobustnessCurve:
    r"""Hold evaluations of several policies over the same levels, natures and seeds.

    With J(ρ) the mean return at level ρ under one nature, for levels from 0 to ρmax:
    the area is \(A = (1/\rho_{max}) \int_0^{\rho_{max}} J(\rho) d\rho\) (trapezoid), the normalised area A / J(0),
    the worst drop \(\Delta = J(0) - \min_\rho J(\rho)\).

    Args:
        evaluations: by policy name, in the order in which they are shown.
        title: what was measured, e.g. the task.
    """

    evaluations: Mapping[str, Evaluation] = field(repr=False)
    title: str = ""

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise ValueError("evaluations must hold at least one policy, got none")
        frames = {
            name: (found.natures, found.levels, found.seed, found.env_seed, found.episodes)
            for name, found in self.evaluations.items()
        }
        if len(set(frames.values())) > 1:
            raise ValueError(f"evaluations must share natures, levels, seeds and episodes, got {frames}")

    def __str__(self) -> str:
        """Lay the table out in plain text: a line for each policy, nature, reward and level."""
        header = ("policy", "nature", "level", "return", "mean", "95% interval", "CVaR 10%")
        rows = [
            (
                row.policy,
                row.nature,
                f"{row.level:g}",
                row.reward,
                f"{row.mean:.1f}",
                f"[{row.low:.1f}, {row.high:.1f}]",
                f"{row.cvar:.1f}",
            )
            for row in self.table()
        ]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)
        )
        return "\n".join(line.rstrip() for line in lines)

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies."""
        return tuple(self.evaluations)

    @property
    def natures(self) -> tuple[str, ...]:
        """Names of the natures."""
        return self._first.natures

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels, ascending."""
        return self._first.levels

    @property
    def episodes(self) -> int:
        """Episodes behind each point."""
        return self._first.episodes

    @property
    def _first(self) -> Evaluation:
        return next(iter(self.evaluations.values()))

    @property
    def rewards_differ(self) -> bool:
        """Whether nature touched a reward anywhere: then nominal and perturbed returns are two curves."""
        return any(cell.nominal != cell.perturbed for found in self.evaluations.values() for cell in found.cells)

    def table(self, *, agent: str = TEAM) -> tuple[CurvePoint, ...]:
        """List every point: policies outermost, then natures and levels; nominal, and perturbed where they differ."""
        kinds: tuple[RewardKind, ...] = ("nominal", "perturbed") if self.rewards_differ else ("nominal",)
        return tuple(
            _point(name, found.summary(nature, level, agent=agent, reward=kind))
            for name, found in self.evaluations.items()
            for nature in self.natures
            for level in self.levels
            for kind in kinds
        )

    def area(self, policy: str, nature: str, *, agent: str = TEAM, reward: RewardKind = "nominal") -> Estimate:
        """Average the return over the levels, by the trapezoid rule."""
        weights = self._weights()
        return _estimate(self._returns(policy, nature, agent, reward), lambda means: means @ weights)

    def normalised_area(
        self, policy: str, nature: str, *, agent: str = TEAM, reward: RewardKind = "nominal"
    ) -> Estimate:
        """Divide the area by the return at level 0: 1 is no loss.

        Below 1 is a loss where returns are positive; above 1 is a loss where they are negative (costs). All NaN
        when J(0) is 0; the interval means little when it is near 0.
        """
        weights = self._weights()
        with np.errstate(divide="ignore", invalid="ignore"):
            return _estimate(
                self._returns(policy, nature, agent, reward), lambda means: means @ weights / means[..., 0]
            )

    def worst_drop(self, policy: str, nature: str, *, agent: str = TEAM, reward: RewardKind = "nominal") -> Estimate:
        """Subtract the lowest point of the curve from its start; >= 0 by construction."""
        self._weights()
        return _estimate(self._returns(policy, nature, agent, reward), lambda means: means[..., 0] - means.min(axis=-1))

    def to_csv(self) -> str:
        """Write the table as CSV text."""
        return table_csv(self.table())

    def to_json(self) -> dict[str, Any]:
        """Turn everything measured into plain lists and numbers."""
        evaluations = {name: found.to_json() for name, found in self.evaluations.items()}
        return {"format": _KIND, "version": _VERSION, "title": self.title, "evaluations": evaluations}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RobustnessCurve:
        """Rebuild a curve from what `to_json` gave."""
        found = content.get("evaluations")
        if not isinstance(found, Mapping):
            raise ValueError(f"evaluations must be a dict by policy, got {type(found).__name__}")
        return cls(
            {name: Evaluation.from_json(each) for name, each in found.items()}, title=str(content.get("title", ""))
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the curve as a JSON file, whole or not at all."""
        return write_json(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RobustnessCurve:
        """Read what `save` wrote."""
        return cls.from_json(read_versioned(Path(path).read_text(), kind=_KIND, version=_VERSION))

    def _weights(self) -> NDArray[np.float64]:
        """Weigh the levels so that the weighted sum of J is the trapezoid rule over [0, largest level]."""
        levels = np.asarray(self.levels)
        if len(levels) < 2 or levels[0] != 0.0:
            raise ValueError(f"levels must start at 0 and go up for an area or a drop, got levels={self.levels}")
        gaps = np.diff(levels) / levels[-1]
        weights: NDArray[np.float64] = (np.append(gaps, 0.0) + np.insert(gaps, 0, 0.0)) / 2.0
        return weights

    def _returns(self, policy: str, nature: str, agent: str, reward: RewardKind) -> NDArray[np.float64]:
        """Stack the returns, shape (episodes, levels): row k is one start under every level."""
        if policy not in self.evaluations:
            raise ValueError(f"policy must be one of {self.policies}, got policy={policy!r}")
        found = self.evaluations[policy]
        return np.stack([found.returns(nature, level, agent=agent, reward=reward) for level in self.levels], axis=1)


def robustness_curve(
    policies: Mapping[str, Any],
    env_fn: Callable[[], Any],
    *,
    levels: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    episodes: int = 100,
    title: str = "",
    progress: Callable[[int, int], None] | None = None,
    **evaluation: Any,
) -> RobustnessCurve:
    """Evaluate several policies over levels of uncertainty, in common random numbers.

    Args:
        policies: by name; see `evaluate` for what a policy is.
        env_fn: builds the environment without robust().
        levels: factors on the sets; start at 0 to have areas and drops.
        episodes: for each policy, nature and level.
        title: what was measured, e.g. the task; shown on the plot.
        progress: called with (episodes done, episodes in all).
        evaluation: everything else is handed to `evaluate`.

    Returns:
        A `RobustnessCurve`.

    Example:
        >>> from gymnasium.envs.classic_control import CartPoleEnv
        >>> from gymnasium.wrappers import TimeLimit
        >>> from robust_envs import Linf
        >>> def lean(observation):
        ...     return int(observation[2] + observation[3] > 0)
        >>> def stay(observation):
        ...     return 0
        >>> curve = robustness_curve({"lean": lean, "stay": stay}, lambda: TimeLimit(CartPoleEnv(), 50),
        ...                          observation=Linf(1.0), levels=(0.0, 1.0), episodes=5)
        >>> curve.worst_drop("stay", "uniform").value  # what never looks is not misled
        0.0
    """
    if not isinstance(policies, Mapping):
        raise TypeError(f"policies must be a dict by name, got {type(policies).__name__}")
    found = {}
    for index, (name, policy) in enumerate(policies.items()):
        report = None if progress is None else _shifted(progress, index, len(policies))
        found[name] = evaluate(policy, env_fn, levels=levels, episodes=episodes, progress=report, **evaluation)
    return RobustnessCurve(found, title=title)


def _shifted(progress: Callable[[int, int], None], index: int, count: int) -> Callable[[int, int], None]:
    return lambda done, total: progress(index * total + done, count * total)


def _point(name: str, row: Summary) -> CurvePoint:
    return CurvePoint(name, *row[:-1])


def _estimate(rows: NDArray[np.float64], functional: Callable[[Any], Any]) -> Estimate:
    value = float(functional(rows.mean(axis=0)))
    if not math.isfinite(value):
        return Estimate(math.nan, math.nan, math.nan)
    low, high = bootstrap_interval(rows, statistic=lambda samples, axis: functional(samples.mean(axis=axis)))
    return Estimate(value, low, high)
