"""What commands show: lines, tables and progress, without control characters where nobody looks at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from robust_envs.evaluation import CurvePoint, Estimate, MethodPoint, RewardKind, RobustnessCurve, Summary

__all__ = ["say", "show_curve", "show_evaluation", "show_methods", "show_progress", "show_rows", "show_search"]

_PIPE_WIDTH = 160  # columns where no terminal says how wide it is: tables are not to be folded


def _console() -> Console:
    if sys.stdout.isatty():
        return Console(file=sys.stdout)
    return Console(file=sys.stdout, force_terminal=False, no_color=True, width=_PIPE_WIDTH)


def say(text: str) -> None:
    """Print one line as it is."""
    print(text, flush=True)  # noqa: T201 - this is where output is made


@contextmanager
def show_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many episodes of a measurement are done."""
    from algos.experiments import open_board

    boards: list[Any] = []

    def report(done: int, total: int) -> None:
        if not boards:
            boards.append(open_board({name: total}, unit="episodes").__enter__())
        boards[0].update(name, done)

    try:
        yield report
    finally:
        for board in boards:
            board.__exit__(None, None, None)


@contextmanager
def show_search(total: int) -> Iterator[Callable[[int, float], None]]:
    """Show how many episodes of a search are done, and how near it has come: below 0 is a violation."""
    if not sys.stdout.isatty():
        yield lambda done, worst: _line(done, total, worst)
        return
    columns = (TextColumn("search"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=_console(), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, worst: bar.update(task, completed=done, description=f"smallest margin {worst:.4g}")


def _line(done: int, total: int, worst: float) -> None:
    """Say something ten times in a search, and when it has found what it looks for."""
    if worst < 0 or done == total or done % max(1, total // 10) == 0:
        say(f"searched {done} of {total} episodes, smallest margin {worst:.4g}")


def show_evaluation(rows: Sequence[Summary], *, title: str) -> None:
    """Show an evaluation's table."""
    table = _table(
        title, ("nature", "level", "agent", "reward"), ("mean", "95% interval", "CVaR 10%", "worst", "length")
    )
    for row in rows:
        table.add_row(
            row.nature,
            f"{row.level:g}",
            row.agent,
            row.reward,
            f"{row.mean:.2f}",
            _interval(row.low, row.high),
            f"{row.cvar:.2f}",
            f"{row.worst:.2f}",
            f"{row.length:g}",
        )
    _console().print(table)


def show_curve(curve: RobustnessCurve) -> None:
    """Show a curve: a table for each nature and reward.

    Up to three policies have a column each, and levels are lines; more have a line each.
    """
    points = {(point.policy, point.nature, point.reward, point.level): point for point in curve.table()}
    kinds: tuple[RewardKind, ...] = ("nominal", "perturbed") if curve.rewards_differ else ("nominal",)
    measures = {"area": curve.area, "worst drop": curve.worst_drop}
    if len(curve.levels) < 2 or curve.levels[0] != 0:
        measures = {}
    for nature, reward in product(curve.natures, kinds):
        rows = {
            f"{level:g}": [Estimate(*_ends(points[policy, nature, reward, level])) for policy in curve.policies]
            for level in curve.levels
        }
        rows |= {
            name: [measure(policy, nature, reward=reward) for policy in curve.policies]
            for name, measure in measures.items()
        }
        title = f"{curve.title}: {reward} return of the team under {nature} nature, {curve.episodes} episodes"
        _console().print(_by_level(title, rows, curve) if len(curve.policies) <= 3 else _by_policy(title, rows, curve))


def show_rows(title: str, words: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show rows under columns of words and columns of numbers."""
    table = _table(title, words, numbers)
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def _by_level(title: str, rows: Mapping[str, Sequence[Estimate]], curve: RobustnessCurve) -> Table:
    table = _table(title, ("level",), curve.policies)
    for name, estimates in rows.items():
        table.add_row(name, *(f"{value:.1f} {_interval(low, high)}" for value, low, high in estimates))
    return table


def _by_policy(title: str, rows: Mapping[str, Sequence[Estimate]], curve: RobustnessCurve) -> Table:
    table = _table(f"{title}; ± half the 95% interval", ("policy",), tuple(rows), fold=True)
    for name, *estimates in zip(curve.policies, *rows.values(), strict=True):
        table.add_row(name, *(_plus_minus(estimate) for estimate in estimates))
    return table


def show_methods(points: Sequence[MethodPoint], *, title: str) -> None:
    """Show the means of methods over training seeds, a line for each method."""
    lines: dict[tuple[str, str, str, int], dict[str, MethodPoint]] = {}
    for point in points:
        key = (point.method, point.nature, point.reward, point.seeds)
        lines.setdefault(key, {})[f"{point.level:g}"] = point
    levels = tuple(next(iter(lines.values())))
    title = f"{title}: mean over training seeds; ± half the 95% interval over seeds"
    table = _table(title, ("method", "nature", "return", "seeds"), levels, fold=True)
    for (method, nature, reward, seeds), found in lines.items():
        table.add_row(method, nature, reward, str(seeds), *(_plus_minus(_ends(found[level])) for level in levels))
    _console().print(table)


def _table(title: str, words: Sequence[str], numbers: Sequence[str], *, fold: bool = False) -> Table:
    """Make an empty table; with `fold` a number's interval goes below it where the screen is narrow."""
    table = Table(title=title, title_justify="left")
    for name in words:
        table.add_column(name, min_width=min(8, len(name) + 2))
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=not fold, min_width=5)
    return table


def _ends(point: CurvePoint | MethodPoint) -> tuple[float, float, float]:
    return point.mean, point.low, point.high


def _plus_minus(estimate: tuple[float, float, float]) -> str:
    value, low, high = estimate
    return f"{value:.1f} ±{(high - low) / 2:.1f}"


def _interval(low: float, high: float) -> str:
    return f"[{low:.1f}, {high:.1f}]"
