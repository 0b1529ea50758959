"""One module for each subcommand of `robust-envs`; imported by the command line only."""

from collections.abc import Callable

from robust_envs.commands.curve import curve
from robust_envs.commands.evaluate import evaluate
from robust_envs.commands.falsify import falsify
from robust_envs.commands.replay import replay, shrink
from robust_envs.commands.solve import solve
from robust_envs.commands.sweep import sweep
from robust_envs.commands.train import train

__all__ = ["COMMANDS"]

COMMANDS: dict[str, Callable[..., int]] = {
    "train": train,
    "evaluate": evaluate,
    "curve": curve,
    "sweep": sweep,
    "solve": solve,
    "falsify": falsify,
    "replay": replay,
    "shrink": shrink,
}
