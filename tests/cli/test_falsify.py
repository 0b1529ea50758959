"""The commands that break policies: what they find, write and say, and with which status they end."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from robust_envs.cli import main
from robust_envs.commands.falsify import _again
from robust_envs.commands.screen import show_search
from robust_envs.testing import load_counterexample

MINE = """
import gymnasium

def lean(observation):
    return int(observation[2] + observation[3] > 0)

def better(observation):
    return int(observation[2] + 3 * observation[3] > 0)

def make(render_mode=None):
    return gymnasium.make("CartPole-v1", max_episode_steps=100, render_mode=render_mode)

def make_blind():
    return gymnasium.make("CartPole-v1", max_episode_steps=100)

def wrapped():
    return gymnasium.wrappers.RecordEpisodeStatistics(make())

number = 3
"""
SEARCH = ("--observation", "linf:0.3", "--property", "return>=100", "--episodes", "20")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a module of one's own, of which nothing stays behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("mine.py").write_text(MINE)
    sys.modules.pop("mine", None)


@pytest.fixture
def file(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["falsify", "mine:lean", "--env", "mine:make", *SEARCH]) == 1
    capsys.readouterr()
    (path,) = Path("tests/counterexamples").glob("*.json")
    return str(path)


def test_falsify_finds_says_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["falsify", "mine:lean", "--env", "mine:make", *SEARCH, "--out", "kept", "--report", "all.json"])
    printed = capsys.readouterr().out
    (path,) = Path("kept").glob("*.json")
    assert status == 1
    assert "violated: return >= 100, observation in Linf(0.3)" in printed
    assert "smallest margin -" in printed
    assert f"robust-envs replay {path} --policy mine:lean --env mine:make" in printed
    assert load_counterexample(path).property["expression"] == "return >= 100"
    assert json.loads(Path("all.json").read_text())["found"] is True


def test_falsify_that_finds_nothing_ends_with_0_and_says_what_that_means(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--observation", "linf:0.001", "--property", "return>=100", "--episodes", "10"]
    assert main(["falsify", "mine:lean", "--env", "mine:make", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "not violated in 10 episodes of search" in printed
    assert "how hard it was tried" in printed
    assert printed.count("searched ") == 10
    assert not Path("tests").exists()


def test_falsify_repeats_itself(file: str) -> None:
    text = Path(file).read_text()
    assert main(["falsify", "mine:lean", "--env", "mine:make", *SEARCH]) == 1
    assert Path(file).read_text() == text


def test_a_run_brings_its_environment(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = str(runs["maddpg"])
    arguments = ["--observation", "linf:1", "--property", "return>=99%", "--episodes", "5"]
    assert main(["falsify", run, *arguments]) == 1
    (path,) = Path("tests/counterexamples").glob("*.json")
    assert load_counterexample(path).policy["sha256"] is not None or load_counterexample(path).agents
    capsys.readouterr()
    assert main(["replay", str(path), "--policy", run]) == 1
    assert capsys.readouterr().out.startswith("fails: the policy still breaks, on the very trajectory recorded")


def test_a_zip_is_read_when_somebody_vouches_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    sb3.PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, device="cpu", seed=0).save("model.zip")
    arguments = ["--trust-pickle", "--sb3", "ppo", "--env", "CartPole-v1", *SEARCH[:2], "--property", "return>=99999"]
    assert main(["falsify", "model.zip", *arguments, "--episodes", "3"]) == 1
    assert "violated without any perturbation" in capsys.readouterr().out
    words = _again(Path("kept.json"), "model.zip", "CartPole-v1", "ppo", trust_pickle=True)
    assert words.endswith("kept.json --policy model.zip --env CartPole-v1 --sb3 ppo --trust-pickle")


def test_replay_tells_the_verdict_by_word_and_status(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status, said in (
        (["--policy", "mine:lean", "--env", "mine:make"], 1, "fails: "),
        (["--policy", "mine:lean"], 1, "fails: "),  # the id in the file will do
        (["--policy", "mine:lean", "--property", "return>=2"], 0, "fixed: "),
        (["--policy", "mine:better"], 3, "drifted: "),
    ):
        assert main(["replay", file, *arguments]) == status
        assert capsys.readouterr().out.startswith(said)
    content = json.loads(Path(file).read_text())
    content["steps"][0][3] = [999, 0, 0, 0]
    Path(file).write_text(json.dumps(content))
    assert main(["replay", file, "--policy", "mine:lean"]) == 3
    assert capsys.readouterr().out.startswith("outside-set: ")


@pytest.mark.skipif(find_spec("PIL") is None or find_spec("pygame") is None, reason="draws pictures and writes them")
def test_replay_writes_a_film(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    assert main(["replay", file, "--policy", "mine:lean", "--env", "mine:make", "--video", "film/it.gif"]) == 1
    with Image.open("film/it.gif") as film:
        assert 1 < film.n_frames <= load_counterexample(file).horizon + 1  # equal pictures are written once
    assert "written: film/it.gif" in capsys.readouterr().out


def test_shrink_writes_a_smaller_one_or_leaves_what_is_small(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shrink", file, "--policy", "mine:lean"]) == 0
    assert f"it is as small as it gets: {file} stays as it is" in capsys.readouterr().out
    content = json.loads(Path(file).read_text())
    content["steps"].append([content["horizon"] - 1, "agent_0", "observation", [1, 1, 1, 1]])
    Path(file).write_text(json.dumps(content))
    assert main(["shrink", file, "--policy", "mine:lean", "--out", "small"]) == 0
    (path,) = Path("small").glob("*.json")
    assert len(load_counterexample(path).steps) < len(content["steps"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (f"falsify mine:lean --env mine:make {' '.join(SEARCH[2:])}", "a set must be given"),
        (f"falsify mine:lean {' '.join(SEARCH)}", "env must be given"),
        (f"falsify mine:lean --env CartPole-v2 {' '.join(SEARCH)}", "did you mean 'CartPole-v1'?"),
        (f"falsify mine:leen --env mine:make {' '.join(SEARCH)}", "did you mean 'lean'?"),
        (f"falsify mnie:lean --env mine:make {' '.join(SEARCH)}", "policy must be in a module that can be imported"),
        (f"falsify lean --env mine:make {' '.join(SEARCH)}", "policy must be a run's folder, module:attribute"),
        (f"falsify mine:lean --env mine:number {' '.join(SEARCH)}", "env must name a function"),
        (f"falsify model.zip --env mine:make {' '.join(SEARCH)}", "policy must not be a pickle"),
        (f"falsify model.zip --trust-pickle --env mine:make {' '.join(SEARCH)}", "sb3 must say which algorithm"),
        (f"falsify model.zip --trust-pickle --sb3 ppo --env mine:make {' '.join(SEARCH)}", "policy must be a file"),
        (f"falsify mine:lean --env mine:make {' '.join(SEARCH[:2])} --property x", "a property must be written like"),
        (f"falsify mine:lean --env mine:make --observation l0:1 {' '.join(SEARCH[2:])}", "a set must be one of"),
        (f"falsify mine:lean --env mine:make {' '.join(SEARCH[:4])} --episodes 0", "max_episodes must be >= 1"),
        ("replay none.json --policy mine:lean", "none.json: No such file"),
        ("replay mine.py --policy mine:lean", "mine.py is no counterexample"),
        ("replay FILE --policy mine:lean --video film.avi", "video must end in .gif or .mp4"),
        ("replay FILE --policy mine:lean --env mine:make_blind --video film.gif", "video needs an environment with"),
        ("replay FILE --policy mine:lean --env mpe2.simple_spread_v3:parallel_env", "environment of the agents"),
        ("shrink FILE --policy mine:lean --property return>=1", "only what violates can be shrunk"),
        ("shrink FILE --policy mine:lean --episodes 0", "max_episodes must be a whole number >= 1"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: str, said: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments.replace("FILE", request.getfixturevalue("file") if "FILE" in arguments else "").split()
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("robust-envs: ")
    assert said in lines[0]


def test_a_file_makes_nobody_import_or_build_what_it_names(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(Path(file).read_text())
    for name in ("mine:make", "os:getcwd", None):
        content["env"]["id"] = name
        Path(file).write_text(json.dumps(content))
        assert main(["replay", file, "--policy", "mine:lean"]) == 2
        assert "env must be given with --env" in capsys.readouterr().err


def test_an_environment_with_wrappers_of_its_own_must_be_named(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["falsify", "mine:lean", "--env", "mine:wrapped", *SEARCH, "--out", "kept"]) == 1
    (path,) = Path("kept").glob("*.json")
    assert main(["replay", str(path), "--policy", "mine:lean"]) == 2
    assert "it had the wrappers RecordEpisodeStatistics" in capsys.readouterr().err
    assert main(["replay", str(path), "--policy", "mine:lean", "--env", "mine:wrapped"]) == 1


def test_a_terminal_sees_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with show_search(5) as progress:
        for done in range(1, 6):
            progress(done, 1.5)
    assert "searched" not in capsys.readouterr().out


def test_falsify_takes_the_channels_of_the_world_and_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    sought = ("--property", "return>=100", "--episodes", "20", "--env", "mine:make")
    world = ("--dynamics", "force_mag=interval:-12,12", "--dynamics", "masspole=relative:0.1")
    assert main(["falsify", "mine:lean", *sought, *world, "--out", "kept"]) == 1
    assert "delta[force_mag] = -22" in capsys.readouterr().out
    (path,) = Path("kept").glob("*.json")
    assert json.loads(path.read_text())["channels"]["dynamics"]["masspole"] == "Relative(0.1)"
    assert main(["replay", str(path), "--policy", "mine:lean", "--env", "mine:make"]) == 1
    assert main(["falsify", "mine:lean", *sought, "--delay", "Delay(9, each='episode')"]) == 1
    assert " always\n" in capsys.readouterr().out
