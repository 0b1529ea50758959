"""Show how far runs are: bars on a terminal, plain lines from time to time in a file or a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

__all__ = ["Board", "Silent", "Teller", "is_terminal", "open_board"]

Clock = Callable[[], float]


class Board(Protocol):
    """Somewhere to show progress; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen in order."""
        ...

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        """Tell that the run `name` has done so much, and its current return."""
        ...

    def say(self, text: str) -> None:
        """Show a line of text without harming the bars."""
        ...


def open_board(
    totals: Mapping[str, int], *, unit: str = "steps", stream: TextIO | None = None, every: float = 10.0
) -> Board:
    """Open a board for runs with `totals` of `unit` by name.

    Args:
        totals: how much there is to do, by name.
        unit: what is counted.
        stream: where to show it, standard output by default.
        every: seconds between two plain lines of one run.
    """
    stream = sys.stdout if stream is None else stream
    if is_terminal(stream):
        try:
            return _Bars(totals, unit, stream)
        except ImportError:
            pass  # rich is part of the extra "cli"; the lines tell the same without it
    return _Lines(totals, unit, stream, every)


def is_terminal(stream: TextIO) -> bool:
    """Tell whether bars can be drawn: a terminal, and one that can move its cursor.

    Asked of the stream itself: rich would believe FORCE_COLOR and write control characters into a pipe.
    """
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class Silent:
    """A board that shows nothing."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""


class Teller(Silent):
    """The board of a run in another process: steps with the latest return go home, and words.

    Args:
        tell: Takes (steps, return) or text.
    """

    def __init__(self, tell: Callable[[Any], None]) -> None:
        self._tell = tell

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        """Tell how far it is."""
        self._tell((done, value))

    def say(self, text: str) -> None:
        """Tell in words."""
        self._tell(text)


class _Lines:
    def __init__(
        self, totals: Mapping[str, int], unit: str, stream: TextIO, every: float, clock: Clock = time.monotonic
    ) -> None:
        self._runs = {name: _Pace(total, clock) for name, total in totals.items()}
        self._unit, self._stream, self._every, self._clock = unit, stream, every, clock
        self._due = {name: clock() + every for name in totals}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        pace = self._runs[name]
        finished = done >= pace.total and not pace.finished
        pace.reach(done)
        if finished or self._clock() >= self._due[name]:
            self._due[name] = self._clock() + self._every
            self.say(self._line(name, pace, value))

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def _line(self, name: str, pace: _Pace, value: float | None) -> str:
        parts = [
            f"{name}: {pace.done:,} of {pace.total:,} {self._unit} ({pace.done / max(pace.total, 1):.0%})",
            f"{pace.speed:,.0f} {self._unit}/s",
            "" if value is None else f"return {value:.1f}",
            pace.left,
        ]
        return ", ".join(filter(None, parts))


@dataclass
class _Pace:
    """Speed since the first report: what was done before a resume does not count."""

    total: int
    clock: Clock
    done: int = 0
    _start: tuple[float, int] | None = None

    @property
    def started(self) -> bool:
        return self._start is not None

    def reach(self, done: int) -> None:
        if self._start is None:
            self._start = (self.clock(), done)
        self.done = done

    @property
    def finished(self) -> bool:
        return self._start is not None and self.done >= self.total

    @property
    def speed(self) -> float:
        if self._start is None:
            return 0.0
        seconds = self.clock() - self._start[0]
        return (self.done - self._start[1]) / seconds if seconds > 0 else 0.0

    @property
    def left(self) -> str:
        if self.finished or self.speed <= 0:
            return "done" if self.finished else ""
        return f"{timedelta(seconds=round((self.total - self.done) / self.speed))} left"


class _Bars:
    def __init__(self, totals: Mapping[str, int], unit: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._paces = {name: _Pace(total, time.monotonic) for name, total in totals.items()}
        self._progress = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[speed]}", style="cyan"),
            TextColumn("{task.fields[value]}", style="green"),
            TextColumn("{task.fields[left]}"),
            console=Console(file=stream),
            refresh_per_second=5,
            expand=True,  # the bar alone gives way where the terminal is narrow
        )
        self._unit = unit
        self._tasks: dict[str, Any] = {
            name: self._progress.add_task(name, total=total, speed="", value="", left="", start=False)
            for name, total in totals.items()
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, name: str, done: int, *, value: float | None = None) -> None:
        pace, task = self._paces[name], self._tasks[name]
        if not pace.started:
            self._progress.start_task(task)
        pace.reach(done)
        shown: dict[str, Any] = {} if value is None else {"value": f"return {value:.1f}"}
        shown["left"] = pace.left
        self._progress.update(task, completed=done, speed=f"{pace.speed:,.0f} {self._unit}/s", **shown)

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)
