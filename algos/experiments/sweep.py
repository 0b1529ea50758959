"""A grid of runs: every combination of tasks, algorithms, levels and seeds, each in a folder of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
import tomllib
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from algos.experiments.config import RunConfig
from algos.experiments.progress import Board, Silent, Teller
from algos.experiments.runs import RunFolder, run
from robust_envs.executors import Executor, make_executor
from robust_envs.files import write_atomic, write_json

__all__ = ["Ended", "Sweep", "sweep"]

_NAMED = ("task", "env", "algo", "level", "seed")  # what the folder's name says anyway
_TABLES = ("trainer", "measurement")
_KINDS = ("nominal", "perturbed")


@dataclass(frozen=True)
class Sweep:
    """Describe a grid of runs: the names of `RunConfig`, where a list stands for one run with each of its values.

    Args:
        values: By name. The tables `trainer` and `measurement` are taken as they are.

    Raises:
        ValueError: For a name that `RunConfig` does not know, an empty list, a value twice, or a combination that
            `RunConfig` refuses.

    Example:
        >>> grid = Sweep({"algo": ["maddpg", "rmaddpg"], "seed": [0, 1], "steps": 1000})
        >>> list(grid.cells)[-1]
        'cooperative-navigation/rmaddpg-level1-seed1'
    """

    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if isinstance(value, list) and (not value or any(value.count(one) > 1 for one in value)):
                raise ValueError(f"{name} must list at least one value, and none twice, got {name}={value}")
        self.cells  # noqa: B018 - what is wrong in one of them is told now

    @property
    def axes(self) -> dict[str, list[Any]]:
        """What is varied."""
        return {name: each for name, each in self.values.items() if isinstance(each, list) and name not in _TABLES}

    @cached_property
    def cells(self) -> dict[str, RunConfig]:
        """Every run, by the name of its folder."""
        axes, found = self.axes, {}
        for chosen in product(*axes.values()):
            varied = dict(zip(axes, chosen, strict=True))
            config = RunConfig.from_json({**self.values, **varied})
            label = config.find_task().name.replace(":", "-")
            more = [f"-{name}{value}" for name, value in varied.items() if name not in _NAMED]
            found[f"{label}/{config.algo}-level{config.level:g}-seed{config.seed}{''.join(more)}"] = config
        return found

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sweep:
        """Read a TOML or JSON file.

        Raises:
            ValueError: For a file that is neither, or holds what `Sweep` refuses.
        """
        text = Path(path).read_text(encoding="utf-8")
        try:
            values = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
        except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"config must be TOML, or JSON when its name says so, got {path}: {error}") from error
        if not isinstance(values, dict):
            raise ValueError(f"config must hold names and values, got {type(values).__name__} in {path}")
        return cls(values)


class Ended(NamedTuple):
    """How a run of a sweep ended.

    Attributes:
        name: Its folder in the sweep's.
        config: Its configuration.
        summary: The content of summary.json; None when it failed.
        failure: The traceback when it failed.
    """

    name: str
    config: RunConfig
    summary: dict[str, Any] | None
    failure: str = ""


def sweep(grid: Sweep, out: str | os.PathLike[str], *, executor: Any = None, board: Board | None = None) -> list[Ended]:
    """Run all of a grid that is not finished yet, and write one table.

    A run whose summary.json is there is not run again; one that was interrupted goes on from its last checkpoint. A
    run that fails is told, and leaves the others alone.

    Args:
        grid: What to run.
        out: Folder of the sweep, new or that of the same or of a smaller grid.
        executor: Where: one after the other in this process by default, ``"process"``, ``"ray"``, or an executor. A
            node that does not see `out` keeps the run in its own temporary folder until it is done.
        board: Where to show progress, as ``"sweep"``, in steps of all runs.

    Returns:
        All runs, in the order of the grid.

    Raises:
        ValueError: When a folder holds a run that was begun with another configuration.
    """
    folder, board = Path(out), Silent() if board is None else board
    for name, config in grid.cells.items():
        if RunFolder(folder / name).config.exists():
            RunFolder(folder / name).check_begun(config)
    write_json(folder / "sweep.json", dict(grid.values))
    ended = {name: Ended(name, config, _finished(folder / name)) for name, config in grid.cells.items()}
    ended = {name: end for name, end in ended.items() if end.summary is not None}
    _Running(grid, folder, board, ended).run(make_executor(executor))
    found = [ended[name] for name in grid.cells]
    write_atomic(folder / "table.csv", _table(found))
    return found


def _finished(folder: Path) -> dict[str, Any] | None:
    path = RunFolder(folder).summary
    return json.loads(path.read_text()) if path.exists() else None


@dataclass
class _Running:
    """The part of a sweep that is not finished: hand it out, hear how far it is, take in what comes back."""

    grid: Sweep
    folder: Path
    board: Board
    ended: dict[str, Ended]

    def run(self, executor: Executor | None) -> None:
        self.steps = {name: end.config.steps for name, end in self.ended.items()}
        names = [name for name in self.grid.cells if name not in self.ended]
        self._show()
        if self.ended:
            self.board.say(f"{len(self.ended)} of {len(self.grid.cells)} runs are finished already")
        with _marked(self.folder) as mark:
            tasks = [_Task(name, self.grid.cells[name], str(self.folder.resolve()), mark) for name in names]

            def hear(number: int | None, told: Any) -> None:
                self._hear(None if number is None else names[number], told)

            if executor is None:
                for number, task in enumerate(tasks):
                    self._end(task, _run_one(task, partial(hear, number)))
                return
            for number, back in executor.run(_run_one, tasks, hear=hear):
                self._end(tasks[number], back)

    def _hear(self, name: str | None, told: Any) -> None:
        if name is not None and not isinstance(told, str):
            self.steps[name], _ = told
            self._show()
        else:
            self.board.say(str(told))

    def _show(self) -> None:
        self.board.update("sweep", sum(self.steps.values()))

    def _end(self, task: _Task, back: _Back) -> None:
        for path in sorted(back.files, key=lambda path: path == RunFolder(Path()).summary.name):  # which says: finished
            write_atomic(self.folder / task.name / path, back.files[path])
        self.ended[task.name] = Ended(task.name, task.config, back.summary, back.failure)
        self.steps[task.name] = task.config.steps
        self._show()
        done = f"{len(self.ended)} of {len(self.grid.cells)}"
        if back.summary is None:
            self.board.say(f"{done}: {task.name} failed: {back.failure.strip().splitlines()[-1]}")
            return
        nominal, perturbed = (back.summary[f"{kind}_return"]["mean"] for kind in _KINDS)
        self.board.say(f"{done}: {task.name}: nominal return {nominal:.1f}, perturbed {perturbed:.1f}")


class _Task(NamedTuple):
    name: str
    config: RunConfig
    out: str
    mark: str


class _Back(NamedTuple):
    summary: dict[str, Any] | None
    failure: str
    files: dict[str, bytes]


def _run_one(task: _Task, tell: Callable[[Any], None]) -> _Back:
    """Run, or go on with, one cell: in the sweep's folder, or where that is not seen in a folder of this machine."""
    shared = (Path(task.out) / _MARK).is_file() and (Path(task.out) / _MARK).read_text() == task.mark
    top = Path(task.out) if shared else Path(tempfile.gettempdir()) / f"robust-envs-sweep-{task.mark}"
    folder = top / task.name
    try:
        summary = run(task.config, folder, resume=RunFolder(folder).config.exists(), board=Teller(tell))
    except Exception:  # one run that fails must not end the others
        return _Back(None, traceback.format_exc(), {})
    return _Back(summary, "", {} if shared else _contents(folder))


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


_MARK = ".mark"


@contextmanager
def _marked(folder: Path) -> Iterator[str]:
    """Leave a mark in a folder: who finds it there sees the same folder."""
    mark = uuid.uuid4().hex
    write_atomic(folder / _MARK, mark)
    try:
        yield mark
    finally:
        (folder / _MARK).unlink(missing_ok=True)


def _table(ended: list[Ended]) -> str:
    """Lay out one line for each run."""
    about = ("task", "algo", "level", "seed", "steps", "wall_seconds", "env_steps_per_second")
    numbers = ("level", "mean", "low", "high", "cvar_10", "worst", "episodes")
    columns = [f"{kind}_{name}" for kind in _KINDS for name in numbers]
    text = io.StringIO()
    table = csv.DictWriter(text, ["run", *about, *columns, "failure"], lineterminator="\n")
    table.writeheader()
    for end in ended:
        known = asdict(end.config) if end.summary is None else {**end.summary, **_returns(end.summary)}
        why = end.failure.strip().rpartition("\n")[2]
        chosen = {name: known[name] for name in (*about, *columns) if name in known}
        table.writerow({"run": end.name, "failure": why, **chosen})
    return text.getvalue()


def _returns(summary: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in _KINDS:
        row = summary[f"{kind}_return"]
        low, high = row["interval_95"]
        found |= {f"{kind}_{name}": value for name, value in {**row, "low": low, "high": high}.items()}
    return found
