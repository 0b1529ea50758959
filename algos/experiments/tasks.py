"""What to train on: the four particle tasks of the papers, and any environment that can be imported."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pettingzoo import ParallelEnv

from algos.experiments.particles import DirectParticles

__all__ = ["TASKS", "Task", "find_task", "import_environment"]


_HORIZON = 25


@dataclass(frozen=True)
class Task:
    """Name an environment and the side whose return makes the headline.

    Args:
        name: as on the command line.
        entry: `package.module:function`; the function builds a PettingZoo ParallelEnv.
        options: keyword arguments of the function.
        team: agents whose rewards make up the team's return; empty for all of them.
        actions: whether the function takes `continuous_actions`, as those of mpe2 do.
        scenario: name of the same task in VMAS, where there is one. Observations and physics differ there: numbers
            of the two are not to be compared.
    """

    name: str
    entry: str
    options: Mapping[str, Any] = field(default_factory=dict)
    team: tuple[str, ...] = ()
    actions: bool = False
    scenario: str | None = None

    def make(self, *, continuous: bool = False) -> ParallelEnv[str, Any, Any]:
        """Build the environment, naked.

        Args:
            continuous: continuous instead of discrete actions, where the task offers both.

        Raises:
            ValueError: when the entry cannot be imported, or the task has no continuous actions to offer.
            TypeError: when it builds something other than a ParallelEnv.
        """
        options = dict(self.options)
        if self.actions:
            options["continuous_actions"] = continuous
        elif continuous:
            raise ValueError(f"continuous must be False for {self.name}, whose actions are as {self.entry} makes them")
        env = import_environment(self.entry)(**options)
        if not isinstance(env, ParallelEnv):
            raise TypeError(f"env must build a PettingZoo ParallelEnv, got {type(env).__name__} from {self.entry}")
        # Only our own tasks: an environment that a user built, or changed, is played as it is.
        return DirectParticles(env) if self.scenario is not None else env


def _particles(name: str, module: str, team: tuple[str, ...] = ()) -> Task:
    scenario = module.removesuffix("_v3")  # VMAS has the same tasks under the names that both took over
    return Task(name, f"mpe2.{module}:parallel_env", {"max_cycles": _HORIZON}, team, actions=True, scenario=scenario)


_ALL = (
    _particles("cooperative-navigation", "simple_spread_v3"),
    _particles("keep-away", "simple_push_v3", ("agent_0",)),
    _particles("physical-deception", "simple_adversary_v3", ("agent_0", "agent_1")),
    # The predators are the side that has to cooperate; mpe2 calls the prey the "good" agent.
    _particles("predator-prey", "simple_tag_v3", ("adversary_0", "adversary_1", "adversary_2")),
)
TASKS: Mapping[str, Task] = {task.name: task for task in _ALL}


def find_task(name: str | None, *, env: str | None = None) -> Task:
    """Find a task by its name, or make one of any environment that can be imported.

    Args:
        name: one of `TASKS`; with `env` any label, or None.
        env: `package.module:function`.

    Returns:
        The task.

    Raises:
        ValueError: for a name that is not known (with the nearest one that is), or an `env` that cannot be imported.

    Example:
        >>> find_task("keep-away").team
        ('agent_0',)
        >>> find_task("keep-awya")
        Traceback (most recent call last):
        ValueError: task must be one of cooperative-navigation, keep-away, physical-deception, predator-prey, \
got task='keep-awya'; did you mean 'keep-away'?
    """
    if env is not None:
        import_environment(env)
        return Task(name or env, env)
    if name is not None and name in TASKS:
        return TASKS[name]
    raise ValueError(f"task must be one of {', '.join(TASKS)}, got task={name!r}{_nearest(name or '', TASKS)}")


def import_environment(entry: str) -> Callable[..., Any]:
    """Import the function named by `package.module:function`.

    Raises:
        ValueError: naming the part that does not exist, and the nearest that does.

    Example:
        >>> import_environment("mpe2.simple_spread_v3:paralel_env")
        Traceback (most recent call last):
        ValueError: env must name a function of mpe2.simple_spread_v3, got 'paralel_env'; did you mean 'parallel_env'?
    """
    path, colon, name = entry.partition(":")
    if not (colon and path and name):
        raise ValueError(f"env must be written package.module:function, got env={entry!r}")
    module = _import(path)
    if not hasattr(module, name):
        public = [known for known in dir(module) if callable(getattr(module, known)) and not known.startswith("_")]
        raise ValueError(f"env must name a function of {path}, got {name!r}{_nearest(name, public)}")
    found = getattr(module, name)
    if not callable(found):
        raise ValueError(
            f"env must name a function that builds an environment, got {entry!r}, a {type(found).__name__}"
        )
    return found  # type: ignore[no-any-return]


def _import(path: str) -> Any:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        missing = error.name or path
        if not (path == missing or path.startswith(missing + ".")):
            # The module is there, something that it needs is not.
            raise ValueError(f"env needs {missing}, which is not installed: {path} imports it") from error
        raise ValueError(f"env must be in a module that can be imported, got {path!r}{_sibling(missing)}") from error


def _sibling(missing: str) -> str:
    """Suggest a module near the one that is missing, or what to install for the tasks of this package."""
    if missing == "mpe2":
        return '; install it with pip install "robust-envs[envs]"'
    parent, _, name = missing.rpartition(".")
    folders = getattr(importlib.import_module(parent), "__path__", []) if parent else None
    return _nearest(name, [module.name for module in pkgutil.iter_modules(folders)])


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
