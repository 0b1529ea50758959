"""The three commands: what they write, what they say, and what they say of bad input."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pettingzoo.classic import connect_four_v3

from algos.experiments import RunConfig, load_policy
from robust_envs.cli import main
from robust_envs.evaluation import Evaluation, RobustnessCurve

TASKS = ("cooperative-navigation", "keep-away", "physical-deception", "predator-prey")


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder; main() lets modules in it be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_run_has_its_files(runs: dict[str, Path]) -> None:
    for folder in runs.values():
        names = {path.name for path in folder.iterdir()}
        assert names == {
            "config.json",
            "provenance.json",
            "metrics.csv",
            "checkpoints",
            "evaluation.json",
            "summary.json",
        }


def test_summary_says_what_the_issue_asks(runs: dict[str, Path]) -> None:
    summary = json.loads((runs["rmaddpg"] / "summary.json").read_text())
    expected = {"task": "cooperative-navigation", "algo": "rmaddpg", "level": 1.0, "seed": 0, "steps": 300}
    assert {key: summary[key] for key in expected} == expected
    assert summary["wall_seconds"] > 0
    assert summary["env_steps_per_second"] == pytest.approx(300 / summary["wall_seconds"], rel=0.01)
    for name, level in (("nominal_return", 0.0), ("perturbed_return", 1.0)):
        low, high = summary[name]["interval_95"]
        assert low <= summary[name]["mean"] <= high
        assert summary[name]["level"] == level
    found = Evaluation.load(runs["rmaddpg"] / "evaluation.json")
    assert summary["nominal_return"]["mean"] == found.summary("uniform", 0.0).mean


def test_provenance_names_versions_and_no_person_folder_or_host(runs: dict[str, Path]) -> None:
    text = (runs["maddpg"] / "provenance.json").read_text()
    found = json.loads(text)
    assert found["seed"] == 0
    assert found["device"] == "cpu"
    assert {"torch", "numpy", "gymnasium", "pettingzoo", "mpe2", "stable-baselines3"} <= set(found["versions"])
    for path in runs["maddpg"].rglob("*.json"):
        content = path.read_text()
        assert str(Path.home()) not in content
        assert str(runs["maddpg"]) not in content


def test_metrics_hold_a_line_for_every_forty_episodes(tmp_path: Path, small: Sequence[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "keep-away", "--out", out, "--steps", "2100", "--episodes", "1", *small]) == 0
    rows = table(tmp_path / "run" / "metrics.csv")
    assert [row["time/total_timesteps"] for row in rows] == ["1000", "2000"]
    assert all(float(row["rollout/ep_rew_mean"]) < 0 for row in rows)
    assert float(rows[-1]["train/critic_loss"]) > 0


@pytest.mark.parametrize("task", TASKS)
def test_every_task_trains_and_reports_its_team(task: str, tiny: Sequence[str]) -> None:
    assert main(["train", task, "--algo", "maddpg", "--out", "run", *tiny]) == 0
    summary = json.loads(Path("run/summary.json").read_text())
    sizes = {"cooperative-navigation": 3, "keep-away": 1, "physical-deception": 2, "predator-prey": 3}
    assert len(summary["team"]) == sizes[task]


def test_continuous_actions_and_level_zero(tiny: Sequence[str]) -> None:
    assert main(["train", "keep-away", "--continuous", "--level", "0", "--out", "run", *tiny]) == 0
    assert "Linf" in json.loads(Path("run/summary.json").read_text())["test"]["channels"]["action"]
    assert load_policy("run").predict({})[0] == {}


def test_an_environment_of_ones_own_is_found_in_the_folder(tiny: Sequence[str]) -> None:
    Path("mine.py").write_text(
        "from mpe2 import simple_push_v3\n\ndef make():\n    return simple_push_v3.parallel_env(max_cycles=7)\n"
    )
    assert main(["train", "--env", "mine:make", "--out", "run", *tiny]) == 0
    assert main(["evaluate", "run", "--episodes", "2"]) == 0
    assert set(Evaluation.load("run/evaluate.json").cells[0].lengths) == {7}


def test_without_out_the_folder_is_named_after_the_run(tiny: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "keep-away", "--level", "0.5", "--seed", "3", *tiny]) == 0
    folder = Path("runs/keep-away/rmaddpg-level0.5-seed3")
    assert RunConfig.load(folder / "config.json").seed == 3
    out = capsys.readouterr().out
    assert str(folder / "summary.json") in out
    assert "return (level 0)" in out


def test_the_same_command_with_resume_goes_on_for_more_steps(tiny: Sequence[str]) -> None:
    arguments = ["train", "keep-away", "--algo", "maddpg"]
    assert main([*arguments, *tiny]) == 0
    assert main([*arguments, "--resume", "--steps", "400"]) == 0
    summary = json.loads(Path("runs/keep-away/maddpg-level1-seed0/summary.json").read_text())
    assert summary["steps"] == 400
    provenance = json.loads(Path("runs/keep-away/maddpg-level1-seed0/provenance.json").read_text())
    assert [again["steps"] for again in provenance["resumed"]] == [300]


def test_evaluate_prints_and_writes_its_table(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = str(runs["rmaddpg"])
    assert main(["evaluate", run, "--levels", "0", "2", "--episodes", "3", "--out", "here", "--agents"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("rmaddpg, level 1, seed 0", "CVaR 10%", "agent_2", "team", "uniform"))
    rows = table(Path("here/evaluate.csv"))
    assert {row["level"] for row in rows} == {"0.0", "2.0"}
    assert Evaluation.load("here/evaluate.json").episodes == 3


def test_evaluate_tells_nominal_from_perturbed(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = str(runs["maddpg"])
    assert main(["evaluate", run, "--reward", "2", "--episodes", "2", "--levels", "1", "--out", "here"]) == 0
    assert "perturbed" in capsys.readouterr().out
    cell = Evaluation.load("here/evaluate.json").cells[0]
    assert cell.nominal != cell.perturbed


def test_evaluate_repeats_itself(runs: dict[str, Path]) -> None:
    for out in ("one", "two"):
        assert main(["evaluate", str(runs["maddpg"]), "--episodes", "2", "--out", out]) == 0
    assert Path("one/evaluate.json").read_bytes() == Path("two/evaluate.json").read_bytes()


def test_curve_writes_table_and_picture(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(folder) for folder in runs.values()]
    assert main(["curve", *folders, "--episodes", "2", "--levels", "0", "1", "--out", "drawn"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("rmaddpg, level 1, seed 0", "random", "area", "worst drop"))
    curve = RobustnessCurve.load("drawn/curve.json")
    assert curve.policies == ("rmaddpg, level 1, seed 0", "maddpg, level 1, seed 0", "random")
    assert len(table(Path("drawn/curve.csv"))) == 3 * 2
    assert Path("drawn/curve.png").read_bytes().startswith(b"\x89PNG")


def test_curve_averages_runs_that_differ_in_their_seed(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    folders = [str(runs["rmaddpg"])]
    for seed in (1, 2):
        folders.append(f"seed{seed}")
        shutil.copytree(runs["rmaddpg"], folders[-1])
        config = json.loads((Path(folders[-1]) / "config.json").read_text())
        config["seed"] = seed
        (Path(folders[-1]) / "config.json").write_text(json.dumps(config))
    arguments = ["--episodes", "2", "--levels", "0", "1"]
    assert main(["curve", *folders, str(runs["maddpg"]), *arguments]) == 0
    first, _ = table(Path("curve/seeds.csv"))
    assert (first["method"], first["seeds"], first["level"]) == ("rmaddpg, level 1", "3", "0.0")
    assert float(first["low"]) == pytest.approx(float(first["high"])), "three copies of one policy"
    printed = capsys.readouterr().out
    assert "mean over training seeds" in printed
    assert all(name in printed for name in ("rmaddpg, level 1, seed 2", "maddpg, level 1, seed 0", "worst drop"))


def test_curve_tells_runs_of_one_name_apart(runs: dict[str, Path]) -> None:
    shutil.copytree(runs["maddpg"], "again")
    arguments = ["--episodes", "1", "--levels", "0", "1", "--no-random"]
    assert main(["curve", str(runs["maddpg"]), "again", *arguments]) == 0
    curve = RobustnessCurve.load("curve/curve.json")
    assert len(curve.policies) == 2
    assert len({str(found) for found in curve.evaluations.values()}) == 1, "one policy, one set of numbers"


@pytest.mark.parametrize("command", ["", "train", "evaluate", "curve"])
def test_help_names_every_option_and_ends_with_zero(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    options = {
        "": ["train", "evaluate", "curve"],
        "train": ["TASK", *TASKS, "--algo", "--level", "--steps", "--seed", "--out", "--env", "--device", "--resume"],
        "evaluate": ["RUN", "--levels", "--episodes", "--observation", "--action", "--reward", "--natures"],
        "curve": ["RUN", "--levels", "--out", "--random"],
    }
    assert [word for word in options[command] if word not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train cooperative-navigatoin", "did you mean 'cooperative-navigation'?"),
        ("train", "TASK must be given: cooperative-navigation"),
        ("train keep-away --level -1", "level must be finite and >= 0, got level=-1.0"),
        ("train keep-away --level nan", "level must be finite and >= 0, got level=nan"),
        ("train keep-away --steps 0", "steps must be >= 1, got steps=0"),
        ("train keep-away --seed -1", "seed must be >= 0, got seed=-1"),
        ("train keep-away --threads 0", "threads must be >= 1, got threads=0"),
        ("train keep-away --episodes 0", "episodes must be >= 1, got episodes=0"),
        ("train keep-away --device tpu", "device"),
        ("train keep-away --set gama=0.9", "gama"),
        ("train keep-away --set gamma=2", "gamma must be finite and"),
        ("train keep-away --set gamma", "set must be written NAME=VALUE, got 'gamma'"),
        ("train --env mpe2", "env must be written package.module:function, got env='mpe2'"),
        ("train --env mpe3.simple:make", "got 'mpe3.simple'; did you mean 'mpe2'?"),
        ("train --env mpe2.simple_spred_v3:parallel_env", "did you mean 'simple_spread_v3'?"),
        ("train --env mpe2.simple_spread_v3:paralel_env", "did you mean 'parallel_env'?"),
        ("train --env mpe2.simple_spread_v3:__all__", "a list"),
        ("train --env mpe2.simple_spread_v3:env", "env must build a PettingZoo ParallelEnv, got"),
        ("train --env mpe2.simple_spread_v3:parallel_env --continuous", "continuous must be False"),
        ("train --resume", "TASK must be given"),
        ("train keep-away --resume", "got runs/keep-away/rmaddpg-level1-seed0 without config.json"),
        ("train keep-away --resume --out nowhere", "run must be a folder that robust-envs train made, got nowhere"),
        ("train keep-away --out occupied", "out must be a new or an empty folder, got occupied"),
        ("train keep-away --out occupied/file", "out must be a new or an empty folder"),
        ("evaluate nowhere", "got nowhere without config.json"),
        ("evaluate RUN --levels -1", "levels must be finite and >= 0"),
        ("evaluate RUN --levels 1 1", "all different"),
        ("evaluate RUN --levels 0 3", "action must be a probability at every level"),
        ("evaluate RUN --episodes 0", "episodes must be >= 1"),
        ("evaluate RUN --observation -2", "observation must be finite and >= 0, got observation=-2.0"),
        ("evaluate RUN --seed -2", "seed must be >= 0, got seed=-2"),
        ("evaluate RUN --observation 0 --action 0", "levels above 0 need"),
        ("curve RUN nowhere", "got nowhere without config.json"),
        ("curve", "runs must name at least one run, got none"),
        ("curve RUN RUN", "runs must be different folders"),
        ("train keep-away --out RUN", "which holds a run: resume it, or name another"),
        ("train predator-prey --resume --out RUN", "task must be 'cooperative-navigation'"),
        ("train --resume --out RUN --seed 5", "seed must be 0, as the run in"),
        ("train --resume --out RUN --steps 200", "steps must be >= 300, as the run was begun with, got steps=200"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: str, said: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("occupied").mkdir()
    Path("occupied/file").touch()
    assert main([word.replace("RUN", str(runs["rmaddpg"])) for word in arguments.split()]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("robust-envs: ")
    assert said in lines[0]
    assert sorted(path.name for path in Path().iterdir()) == ["occupied"], "nothing is left behind"


@pytest.mark.parametrize("arguments", ["fly", "train keep-away --algo ppo", "train keep-away --stepps 3", ""])
def test_options_that_do_not_exist_end_with_status_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2


def damage_config(run: Path) -> None:
    (run / "config.json").write_text((run / "config.json").read_text()[:50])


def damage_names(run: Path) -> None:
    (run / "config.json").write_text((run / "config.json").read_text().replace('"seed"', '"seeed"'))


def damage_index(run: Path) -> None:
    index = run / "checkpoints" / "last" / "checkpoint.json"
    index.write_text(index.read_text().replace('"steps": 300', '"steps": 400'))


def damage_networks(run: Path) -> None:
    networks = next((run / "checkpoints" / "last").glob("networks-*"))
    networks.write_bytes(networks.read_bytes()[:1000])


def remove_checkpoint(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_config, "config.json is damaged"),
        (damage_names, "seeed"),
        (damage_index, "damaged"),
        (damage_networks, "damaged"),
        (remove_checkpoint, "run must have a checkpoint, got run which has none yet"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate run --episodes 1", "curve run --episodes 1"])
def test_a_damaged_run_is_one_sentence_and_status_2(
    command: str, damage: Any, said: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs["rmaddpg"], "run")
    damage(Path("run"))
    assert main(command.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_resuming_from_a_damaged_checkpoint_is_refused_and_changes_nothing(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs["rmaddpg"], "run")
    damage_networks(Path("run"))
    assert main(["train", "--resume", "--out", "run", "--steps", "400"]) == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("tyro", "train keep-away --steps 1", "cli"),
        ("rich.console", "evaluate RUN --episodes 1", "cli"),
        ("stable_baselines3", "train keep-away --steps 1", "algos"),
        ("mpe2", "train keep-away --steps 1", "envs"),
        ("matplotlib.figure", "curve RUN --episodes 1 --levels 0 1", "plot"),
    ],
)
def test_a_missing_extra_is_named(
    module: str,
    command: str,
    extra: str,
    runs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for loaded in [name for name in sys.modules if name.startswith(("robust_envs.commands", "algos", f"{module}."))]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    assert main([word.replace("RUN", str(runs["rmaddpg"])) for word in command.split()]) == 2
    assert f'pip install "robust-envs[{extra}]"' in capsys.readouterr().err


def test_a_fault_in_a_users_environment_keeps_its_traceback(tiny: Sequence[str]) -> None:
    Path("faulty.py").write_text(
        "from mpe2 import simple_push_v3\n\n"
        "def make():\n"
        "    env = simple_push_v3.parallel_env()\n"
        "    def step(actions):\n"
        "        raise ValueError('mine')\n"
        "    env.step = step\n"
        "    return env\n"
    )
    with pytest.raises(ValueError, match="mine"):
        main(["train", "--env", "faulty:make", "--out", "run", *tiny])


def test_a_game_of_turns_is_refused_with_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert connect_four_v3.env() is not None
    assert main(["train", "--env", "pettingzoo.classic.connect_four_v3:env", "--out", "run"]) == 2
    assert "env must build a PettingZoo ParallelEnv, got" in capsys.readouterr().err
