"""The command line: `robust-envs train | evaluate | curve | sweep | solve | falsify | replay | shrink`.

Whatever a command needs is imported when it is called.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_EXTRAS = {
    "tyro": "cli",
    "rich": "cli",
    "torch": "algos",
    "stable_baselines3": "algos",
    "safetensors": "algos",
    "mpe2": "envs",
    "matplotlib": "plot",
    "ray": "ray",
}
_OURS = tuple(str(Path(__file__).resolve().parents[1] / package) + os.sep for package in ("robust_envs", "algos"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        The exit status: that of the command, 0 in most; 2 for bad input, said in one sentence; 130 when interrupted.
    """
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return _fail("interrupted", status=130)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return _fail(f'this command needs {error.name}: pip install "robust-envs[{extra}]"')
    except (ValueError, TypeError, ImportError) as error:
        # What others raise, a user's environment above all, is no bad input: its traceback is wanted.
        if not _raised_here(error):
            raise
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}")


def _run(arguments: Sequence[str]) -> int:
    import tyro

    from robust_envs.commands import COMMANDS

    # An environment in the folder one works in can be imported; last, so that it hides nothing.
    if "" not in sys.path:
        sys.path.append("")
    status: int = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="robust-envs",
        description="Train policies under uncertainty, measure how they fare as the world departs from the model,"
        " and find what breaks them.",
        args=list(arguments),
    )
    return status


def _fail(sentence: str, *, status: int = 2) -> int:
    print(f"robust-envs: {sentence}", file=sys.stderr)  # noqa: T201 - this is where output is made
    return status


def _raised_here(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and str(Path(frames[-1].filename).resolve()).startswith(_OURS)


if __name__ == "__main__":
    sys.exit(main())
