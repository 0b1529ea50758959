"""Draw robustness curves. matplotlib is imported when something is drawn, not before."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from robust_envs.evaluation.curve import CurvePoint, RobustnessCurve
from robust_envs.evaluation.results import TEAM, RewardKind
from robust_envs.evaluation.training_seeds import MethodPoint, over_training_seeds
from robust_envs.files import write_atomic

__all__ = ["plot_curve"]

# Okabe and Ito, 2008: told apart by colour-blind readers too; the markers tell them apart in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
_MOST_TICKS = 11
_LEGEND_WIDTH = 80  # characters
_STYLES: dict[RewardKind, str] = {"nominal": "-", "perturbed": "--"}


def plot_curve(
    curve: RobustnessCurve,
    path: str | os.PathLike[str] | None = None,
    *,
    agent: str = TEAM,
    title: str | None = None,
    methods: Mapping[str, Sequence[str]] | None = None,
) -> Any:
    """Draw the return of every policy over the levels, one panel for each nature, 95% intervals as bands.

    Where nature touched rewards, the nominal return is drawn solid and the perturbed return dashed. Policies of one
    method are thin lines of one colour around their mean, with the interval over training seeds.

    Args:
        curve: what `robustness_curve` returned.
        path: where to write the picture (PNG; the file name's ending chooses another format), whole or not at all.
        agent: an agent, or the team.
        title: instead of the curve's own.
        methods: for each method the names of its policies, see `over_training_seeds`; others are drawn by themselves.

    Returns:
        The matplotlib Figure, which belongs to no window.

    Raises:
        ImportError: without matplotlib; the message says what to install.

    Example:
        >>> from robust_envs.evaluation import Episodes, Evaluation
        >>> returns = {0.0: {"a": (1.0, 2.0)}, 1.0: {"a": (0.0, 1.0)}}
        >>> cells = tuple(Episodes("uniform", x, found, found, (5, 5)) for x, found in returns.items())
        >>> figure = plot_curve(RobustnessCurve({"still": Evaluation(cells, team=("a",), seed=0)}))
        >>> figure.axes[0].get_xlabel()
        'level (multiple of the uncertainty set)'
    """
    figure = _figure(len(curve.natures))
    panels = figure.subplots(1, len(curve.natures), sharey=True, squeeze=False)[0]
    lines = _lines(curve, agent, methods or {})
    for axes, nature in zip(panels, curve.natures, strict=True):
        _draw(axes, curve, nature, lines)
        axes.set_title(f"nature: {nature}", fontsize="medium")
        axes.set_xlabel("level (multiple of the uncertainty set)")
        if len(curve.levels) <= _MOST_TICKS:
            axes.set_xticks(curve.levels, [f"{level:g}" for level in curve.levels])
    panels[0].set_ylabel(f"return of the {agent} per episode\n(sum of rewards, mean and 95% interval)")
    # Below the panels, where it hides nothing.
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=_columns(labels), frameon=False)
    figure.suptitle(_headline(curve, title))
    if path is not None:
        _save(figure, Path(path))
    return figure


def _figure(panels: int) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "robust-envs[plot]"') from error
    # A Figure of its own, not pyplot's: no window, no global state, the same on a server.
    return Figure(figsize=(2.4 + 4.4 * panels, 4.8), dpi=150, layout="constrained")


class _Line(NamedTuple):
    """What is drawn in one colour: a policy or a method, and a method's policies as thin lines."""

    name: str
    points: Sequence[CurvePoint | MethodPoint]
    thin: Sequence[Sequence[CurvePoint]] = ()


def _lines(curve: RobustnessCurve, agent: str, methods: Mapping[str, Sequence[str]]) -> list[_Line]:
    alone: dict[str, list[CurvePoint]] = {name: [] for name in curve.policies}
    for point in curve.table(agent=agent):
        alone[point.policy].append(point)
    means = over_training_seeds(curve, methods, agent=agent)
    lines = [
        _Line(
            f"{method} ({len(names)} seeds)",
            [point for point in means if point.method == method],
            [alone.pop(name) for name in names],
        )
        for method, names in methods.items()
    ]
    return lines + [_Line(name, points) for name, points in alone.items()]


def _draw(axes: Any, curve: RobustnessCurve, nature: str, lines: Sequence[_Line]) -> None:
    kinds: tuple[RewardKind, ...] = ("nominal", "perturbed") if curve.rewards_differ else ("nominal",)
    for index, line in enumerate(lines):
        colour, marker = _COLOURS[index % len(_COLOURS)], _MARKERS[index % (len(_MARKERS) - 1)]
        for kind in kinds:
            label = line.name if len(kinds) == 1 else f"{line.name}, {kind}"
            rows = [point for point in line.points if (point.nature, point.reward) == (nature, kind)]
            means = [row.mean for row in rows]
            axes.plot(curve.levels, means, _STYLES[kind], label=label, color=colour, marker=marker, markersize=5)
            axes.fill_between(
                curve.levels, [row.low for row in rows], [row.high for row in rows], color=colour, alpha=0.15
            )
            for policy in line.thin:
                means = [point.mean for point in policy if (point.nature, point.reward) == (nature, kind)]
                axes.plot(curve.levels, means, _STYLES[kind], color=colour, linewidth=0.6, alpha=0.7)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _columns(labels: Sequence[str]) -> int:
    """Count the columns of the legend that fit on a line."""
    return max(1, min(3, len(labels), _LEGEND_WIDTH // (max(map(len, labels)) + 8)))


def _headline(curve: RobustnessCurve, title: str | None) -> str:
    first = title if title is not None else curve.title
    found = next(iter(curve.evaluations.values()))
    sets = ", ".join(f"{channel} {members}" for channel, members in found.channels.items())
    detail = ", ".join(part for part in (sets, f"{curve.episodes} episodes per point") if part)
    return f"{first}\n{detail}" if first else detail


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lstrip(".") or "png")
    write_atomic(path, buffer.getvalue())
