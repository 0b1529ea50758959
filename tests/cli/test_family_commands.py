"""The command line reaches the actor-critic family, with settings and sets written as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from algos.experiments import load_policy
from algos.experiments.algorithms import ALGORITHMS
from robust_envs import L2, Linf
from robust_envs.cli import main

SETTINGS = {
    "matd3": ("policy_delay=3", "policy_delay", 3),
    "m3ddpg": ("epsilon=(0.1, 0.2, 0.3)", "epsilon", (0.1, 0.2, 0.3)),
    "rmaac": ("observation_set=L2(0.2)", "observation_set", L2(0.2)),
    "maddpg": ("infer_policies=True", "infer_policies", True),
}


@pytest.mark.parametrize("algo", SETTINGS)
def test_training_writes_a_run_whose_policy_has_its_settings(algo: str, tiny: Sequence[str], tmp_path: Path) -> None:
    text, name, value = SETTINGS[algo]
    out = tmp_path / algo
    command = ["train", "cooperative-navigation", "--algo", algo, "--level", "0", "--out", str(out)]
    assert main([*command, *tiny, text]) == 0
    assert getattr(load_policy(out).config, name) == value


def test_nature_that_knows_its_set_is_reached_with_two_settings(tiny: Sequence[str], tmp_path: Path) -> None:
    command = ["train", "cooperative-navigation", "--algo", "rmaddpg", "--out", str(tmp_path / "r"), *tiny]
    assert main([*command, "nature=set", "reward_set=Linf(0.5)"]) == 0
    assert load_policy(tmp_path / "r").config.reward_set == Linf(0.5)  # type: ignore[union-attr]


def test_every_trainer_has_a_page_and_a_name_on_the_command_line() -> None:
    pages = {page.stem for page in (Path(__file__).parents[2] / "docs" / "algorithms").glob("*.md")}
    assert set(ALGORITHMS) <= pages
