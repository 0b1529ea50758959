"""Experiments: what to run, on what, and where the results go."""

from algos.experiments.config import RunConfig
from algos.experiments.groups import measure_seeds, seed_folders, train_seeds
from algos.experiments.measurement import Measurement
from algos.experiments.parallel import run_all
from algos.experiments.progress import Board, open_board
from algos.experiments.runs import RunFolder, load_policy, measure, run, train
from algos.experiments.sweep import Ended, Sweep, sweep
from algos.experiments.tasks import TASKS, Task, find_task, import_environment

__all__ = [
    "TASKS",
    "Board",
    "Ended",
    "Measurement",
    "RunConfig",
    "RunFolder",
    "Sweep",
    "Task",
    "find_task",
    "import_environment",
    "load_policy",
    "measure",
    "measure_seeds",
    "open_board",
    "run",
    "run_all",
    "seed_folders",
    "sweep",
    "train",
    "train_seeds",
]
