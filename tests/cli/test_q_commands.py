"""The command line reaches the Q-learners, with sets written as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from algos.experiments import load_policy
from robust_envs import Contamination, Linf, TotalVariation
from robust_envs.cli import main

SETS = {
    "iql": ("transition_set=TotalVariation(0.1)", TotalVariation(0.1)),
    "vdn": ("transition_set=Contamination(0.1)", Contamination(0.1)),
    "qmix": ("transition_set=Contamination(0.1)", Contamination(0.1)),
}


@pytest.mark.parametrize("algo", SETS)
def test_training_writes_a_run_whose_policy_knows_its_sets(algo: str, tiny: Sequence[str], tmp_path: Path) -> None:
    text, members = SETS[algo]
    out = tmp_path / algo
    command = ["train", "cooperative-navigation", "--algo", algo, "--level", "0", "--out", str(out)]
    assert main([*command, *tiny, text, "reward_set=Linf(0.2)"]) == 0
    policy = load_policy(out)
    assert (policy.config.transition_set, policy.config.reward_set) == (members, Linf(0.2))  # type: ignore[union-attr]
    assert main(["train", "--resume", "--out", str(out), "--steps", "400"]) == 0
    assert load_policy(out).num_timesteps == 400


def test_several_seeds_are_trained_together_on_vmas(tiny: Sequence[str], tmp_path: Path) -> None:
    pytest.importorskip("vmas")
    out = tmp_path / "q"
    command = ["train", "cooperative-navigation", "--algo", "qmix", "--backend", "vmas", "--games", "4"]
    assert main([*command, "--seeds", "3", "4", "--out", str(out), *tiny]) == 0
    assert [load_policy(out / f"seed{seed}").seed for seed in (3, 4)] == [3, 4]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--continuous",), "agent 'agent_0': IQL needs a Discrete action space, got Box"),
        (("--set", "transition_set=KL(0.1)"), "transition_set must be Contamination, TotalVariation"),
        (("--set", "reward_set=Lin(0.1)"), "set must be written as in Python"),
    ],
    ids=str,
)
def test_what_q_learners_cannot_do_is_said_in_one_sentence(
    given: Sequence[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", "cooperative-navigation", "--algo", "iql", "--out", str(out), *given]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
