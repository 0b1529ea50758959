"""Where work that falls into independent parts is done: here, in processes, or on a Ray cluster."""

from robust_envs.executors.base import Executor, LostWorkerError, make_executor
from robust_envs.executors.processes import Processes
from robust_envs.executors.ray import Ray

__all__ = ["Executor", "LostWorkerError", "Processes", "Ray", "make_executor"]
