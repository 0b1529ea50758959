"""An adapter whose library is missing can be imported, and says what to install when it is used."""

import pytest
from mpe2 import simple_spread_v3

from robust_envs import AsAgents, Linf, Uniform, robust
from robust_envs.adapters import missing

pytest.importorskip("torch", reason="torch is not installed")

from robust_envs.adapters.benchmarl import GameTask
from robust_envs.adapters.rllib import zero_sum
from robust_envs.adapters.torchrl import RobustTransform

USES = {
    "torchrl": lambda: RobustTransform(observation=Linf(0.1), nature=Uniform()),
    "benchmarl": lambda: GameTask(simple_spread_v3.parallel_env, max_steps=25),
    r"'ray\[rllib\]'": lambda: zero_sum(robust(simple_spread_v3.parallel_env(), reward=Linf(1), nature=AsAgents())),
}


@pytest.mark.parametrize("library", USES)
def test_a_missing_library_is_named_in_one_line(library, monkeypatch):
    monkeypatch.setattr(missing, "find_spec", lambda module: None)
    with pytest.raises(ImportError, match=rf"not installed: pip install {library}$"):
        USES[library]()
