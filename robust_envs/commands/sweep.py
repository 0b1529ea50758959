"""`robust-envs sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from robust_envs.commands.curve import same_method
from robust_envs.commands.spreading import Cluster, Workers, chosen_executor

if TYPE_CHECKING:
    from algos.experiments import Ended

__all__ = ["sweep"]


def sweep(
    config: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG", help_behavior_hint="")],
    /,
    *,
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None,
    workers: Workers = None,
    ray: Cluster = None,
) -> int:
    """Run a grid of tasks, algorithms, levels and seeds, several runs at a time, into one table.

    Called again, it goes on: finished runs are left alone, interrupted ones resume from their last checkpoint. A
    worker that dies is replaced.

    Args:
        config: A TOML or JSON file with the names of a run's config.json; a list makes one run for each value.
        out: Folder of the sweep; sweeps/NAME by default, after the file.
        workers: Runs at a time on this machine, a process each; as many as there are cores by default.
        ray: Address of a Ray cluster to run on instead, such as 127.0.0.1:6379.
    """
    from algos.experiments import Sweep, open_board
    from algos.experiments import sweep as run_sweep
    from robust_envs.commands.screen import say, show_rows

    grid = Sweep.load(config)
    folder = Path("sweeps", config.stem) if out is None else out
    executor = chosen_executor(workers, ray, default="process")
    with open_board({"sweep": sum(run.steps for run in grid.cells.values())}) as board:
        board.say(f"{len(grid.cells)} runs into {folder}")
        ended = run_sweep(grid, folder, executor=executor, board=board)
    rows = [[end.name, *_returns(end.summary)] for end in ended]
    show_rows("return and its 95% interval over episodes", ("run",), ("nominal", "perturbed"), rows)
    for task in dict.fromkeys(end.name.partition("/")[0] for end in ended):
        _draw(folder, task, [end for end in ended if end.summary and end.name.startswith(f"{task}/")])
    failed = [end for end in ended if end.summary is None]
    for end in failed:
        say(f"{end.name} failed:\n{end.failure}")
    say(f"written: {folder / 'table.csv'}")
    return 1 if failed else 0


def _draw(folder: Path, task: str, ended: Sequence[Ended]) -> None:
    """Draw the finished runs of one task beside each other, seeds of one method together."""
    from algos.experiments import RunFolder
    from robust_envs.commands.screen import say, show_methods
    from robust_envs.evaluation import Evaluation, RobustnessCurve, over_training_seeds, plot_curve
    from robust_envs.evaluation.results import save_csv

    if not ended:
        return
    runs = {end.name.partition("/")[2]: end for end in ended}
    found = {name: Evaluation.load(RunFolder(folder / end.name).evaluation) for name, end in runs.items()}
    curve = RobustnessCurve(found, title=task)
    methods = same_method(runs, [end.config for end in runs.values()])
    written = []
    if methods:
        points = over_training_seeds(curve, methods)
        show_methods(points, title=task)
        written.append(save_csv(folder / task / "seeds.csv", points))
    plot_curve(curve, folder / task / "curve.png", methods=methods)
    written.append(folder / task / "curve.png")
    say(f"written: {', '.join(map(str, written))}")


def _returns(summary: dict[str, Any] | None) -> list[str]:
    if summary is None:
        return ["failed", ""]
    rows = [summary[f"{kind}_return"] for kind in ("nominal", "perturbed")]
    return ["{:.1f} [{:.1f}, {:.1f}]".format(row["mean"], *row["interval_95"]) for row in rows]
