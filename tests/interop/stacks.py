"""Build the virtual environments of the libraries we work with, and run the interop tests in each.

No single environment holds all libraries: they pin one another's releases. Run before a release, with nothing else:

    python tests/interop/stacks.py --folder ~/stacks           # all of them, one at a time
    python tests/interop/stacks.py --folder ~/stacks --only A  # one; what is already built is used again

torch comes first and by its version alone, so that the resolver keeps the build this machine offers (on machines
without a GPU a CPU wheel) and pulls no other. The outcome is written into docs/integrations/last_run.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "integrations" / "last_run.md"
COMMON = ("pytest>=8", "hypothesis>=6.100", "cloudpickle>=3", "mpe2==1.1.1", "pygame-ce>=2.3", "array-api-compat>=1.9")
SUITES = ("pymunk>=6.2", "rlcard>=1.0.5", "scipy>=1.11")  # what the games of test_pettingzoo.py need

# what PufferLib imports and what builds it; it asks for gymnasium 0.29 and pettingzoo 1.24, so it comes without those
PUFFER = ("psutil", "rich", "rich_argparse", "pyro-ppl", "gym-notices", "setuptools<81", "wheel", "Cython", "ninja")


@dataclass(frozen=True)
class Stack:
    """One set of versions, and the test modules it is for."""

    title: str
    pins: tuple[str, ...]
    modules: tuple[str, ...]
    shown: tuple[str, ...]
    alone: tuple[str, ...] = ()  # installed without what they ask for, built with what is there


STACKS = {
    "A": Stack(
        "current releases, with Stable-Baselines3, TorchRL and Tianshou",
        ("gymnasium==1.4.0", "pettingzoo==1.27.0", "stable-baselines3==2.9.2", "torchrl==0.14.1", "tianshou==2.0.1"),
        ("gymnasium", "pettingzoo", "stable_baselines3", "torchrl", "tianshou", "cleanrl", "epymarl", "workers"),
        ("stable-baselines3", "torchrl", "tensordict", "tianshou"),
    ),
    "B": Stack(
        "RLlib and AgileRL: our lower bounds of gymnasium and pettingzoo",
        ("gymnasium==1.2.2", "pettingzoo==1.26.1", "ray[rllib]==2.60.0", "agilerl==2.58.0", "peft"),
        ("gymnasium", "pettingzoo", "rllib", "agilerl", "cleanrl", "workers"),
        ("ray", "agilerl", "peft"),
    ),
    "C": Stack(
        "BenchMARL on its TorchRL",
        ("benchmarl==1.5.2", "torchrl==0.11.1", "gymnasium>=1.2", "pettingzoo>=1.26"),
        ("benchmarl", "torchrl", "cleanrl", "workers"),
        ("benchmarl", "torchrl", "tensordict"),
    ),
    "D": Stack(
        "numpy 1.26 with XuanCe",
        ("numpy==1.26.4", "gymnasium==1.2.3", "pettingzoo>=1.26", "xuance==1.4.4"),
        ("gymnasium", "pettingzoo", "xuance", "cleanrl", "workers"),
        ("xuance",),
    ),
    "E": Stack(
        "PufferLib with its trainer, without its own games",
        ("numpy==1.26.4", "gymnasium==1.4.0", "pettingzoo==1.27.0", *PUFFER),
        ("pufferlib", "epymarl"),
        ("pufferlib", "gym"),
        ("gym==0.23.0", "pufferlib==3.0.0"),
    ),
}
TORCH = "torch==2.13.0"


def run(*words: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    print("+", *words, flush=True)  # noqa: T201
    return subprocess.run(["nice", "-n", "15", *map(str, words)], text=True, check=True, env=env)


def prepare(home: Path) -> None:
    """Give PufferLib's setup.py the name that it forgets to define where NO_OCEAN is set."""
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "c_extension_paths.pth").write_text("import builtins; builtins.c_extension_paths = []\n")


def build(name: str, folder: Path) -> Path:
    """Make the environment of a stack, unless it is there, and return its python."""
    home, stack = folder / name, STACKS[name]
    python = home / "bin" / "python"
    if (home / "built").exists():
        return python
    venv.create(home, with_pip=True, clear=True)
    install = (python, "-m", "pip", "install", "--quiet", "--no-compile", "--prefer-binary")
    run(*install, TORCH)
    run(*install, TORCH, *stack.pins, *COMMON, *SUITES)
    if stack.alone:
        prepare(home)
        # a compiler of CUDA on the path makes PufferLib build for it, and without NO_OCEAN it downloads a game engine
        bare = {**os.environ, "NO_OCEAN": "1", "PATH": f"{home / 'bin'}:/usr/bin:/bin"}
        run(*install, "--no-cache-dir", "--no-deps", "--no-build-isolation", *stack.alone, env=bare)
    run(*install, "--no-deps", "-e", ROOT)
    (home / "built").touch()
    return python


def versions(python: Path, packages: tuple[str, ...]) -> str:
    ask = "import sys, importlib.metadata as m; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
    done = subprocess.run([python, "-c", ask, *packages], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test(name: str, python: Path, report: Path) -> dict[str, int]:
    """Run the interop tests of a stack and count their outcomes."""
    files = [ROOT / "tests" / "interop" / f"test_{module}.py" for module in STACKS[name].modules]
    words = (
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        "-rs",
        "-m",
        "slow or not slow",
        *files,
    )
    print("+", *words, flush=True)  # noqa: T201
    # one thread: the networks are small, and more threads than cores wait for each other
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(["nice", "-n", "10", *map(str, words)], cwd=ROOT, check=False, env=env)
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {what: int(suite.get(what, 0)) for what in ("tests", "failures", "errors", "skipped")}
    failed = counts["failures"] + counts["errors"]
    return {"passed": counts["tests"] - failed - counts["skipped"], "failed": failed, "skipped": counts["skipped"]}


def row(name: str, python: Path, counts: dict[str, int]) -> str:
    stack, today = STACKS[name], dt.datetime.now(tz=dt.UTC).date()
    said = versions(python, ("torch", "numpy", "gymnasium", "pettingzoo", *stack.shown))
    outcome = ", ".join(f"{number} {what}" for what, number in counts.items())
    return f"| {name} | {stack.title} | {said} | {outcome} | {today} |"


def write(line: str) -> None:
    """Put a row in the place of the one of the same stack."""
    head = "# Last run of the interop tests\n\n`python tests/interop/stacks.py --folder FOLDER` writes this page.\n"
    table = "\n| stack | holds | versions | tests | date |\n|---|---|---|---|---|\n"
    rows = re.findall(r"^\| [A-Z] \|.*$", PAGE.read_text(), re.MULTILINE) if PAGE.exists() else []
    kept = {old[2]: old for old in rows} | {line[2]: line}
    PAGE.write_text(head + table + "\n".join(kept[name] for name in sorted(kept)) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the environments are kept; some GB each")
    parser.add_argument("--only", nargs="+", choices=sorted(STACKS), default=sorted(STACKS))
    parser.add_argument("--build-only", action="store_true")
    options = parser.parse_args()
    failed = 0
    for name in options.only:
        python = build(name, options.folder)
        if options.build_only:
            continue
        counts = test(name, python, options.folder / f"{name}.xml")
        failed += counts["failed"]
        write(row(name, python, counts))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
