"""Use what was installed with the core's own requirements only; `./check package` runs it outside the repository."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from importlib.resources import files

import gymnasium

from robust_envs import Linf, Uniform, robust

for extra in ("torch", "matplotlib", "mpe2", "hypothesis"):
    if importlib.util.find_spec(extra) is not None:
        raise SystemExit(f"{extra} came along with the core")
for package in ("robust_envs", "algos"):
    if not files(package).joinpath("py.typed").is_file():
        raise SystemExit(f"{package} lost its py.typed")
if importlib.util.find_spec("tests") is not None or importlib.util.find_spec("examples") is not None:
    raise SystemExit("tests or examples were installed")

env = robust(gymnasium.make("CartPole-v1"), observation=Linf(0.1), nature=Uniform())
env.reset(seed=0)
env.step(env.action_space.sample())
delta = env.last_move["observation", "agent_0"].executed
if not 0 < abs(delta).max() <= 0.1:
    raise SystemExit(f"nature did not move: {delta}")
refused = subprocess.run(
    [sys.executable, "-m", "robust_envs.cli", "train"], capture_output=True, text=True, check=False
)
if refused.returncode != 2 or "robust-envs[cli]" not in refused.stderr:
    raise SystemExit(f"the command line must say what to install, got {refused}")
print("installed", importlib.metadata.version("robust-envs"), robust.__module__)  # noqa: T201 - for the reader of the log
