"""`robust-envs solve`: what it prints and writes, and what it says of bad input."""

import json
import sys

import pytest

from robust_envs.cli import main
from robust_envs.envs import named_game


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_the_table_shows_the_players_leaving_teamwork(tmp_path, capsys):
    assert main(["solve", "coordination-under-risk", "--radius", "0", "0.1", "0.2"]) == 0
    shown = capsys.readouterr().out
    assert "10.5263" in shown
    assert shown.index("high 1.000") < shown.index("low 1.000")
    saved = json.loads((tmp_path / "solve" / "solve.json").read_text())
    assert [row["radius"] for row in saved["solutions"]] == [0, 0.1, 0.2]
    assert (tmp_path / "solve" / "solve.png").exists()


def test_rewards_may_be_what_is_uncertain_and_the_selection_is_an_argument(capsys):
    arguments = ["solve", "stag-hunt", "--channel", "reward", "--radius", "0.5", "1.5"]
    assert main(arguments) == 0
    assert "3.5" in capsys.readouterr().out
    assert main([*arguments, "--where", "everywhere", "--selection", "risk_dominant"]) == 0
    assert "stag 1.000" not in capsys.readouterr().out


def test_a_saved_game_is_solved(tmp_path, capsys):
    named_game("riverswim", length=4).save(tmp_path / "river.npz")
    assert main(["solve", "river.npz", "--set", "l1", "--radius", "0.1", "--discount", "0.8", "--out", "there"]) == 0
    assert "swim" in capsys.readouterr().out
    assert json.loads((tmp_path / "there" / "solve.json").read_text())["discount"] == 0.8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["stag-hont"], "did you mean 'stag-hunt'?"),
        (["stag-hunt", "--radius", "-1"], "radii must be finite and >= 0"),
        (["none.npz"], "none.npz: No such file or directory"),
        (["stag-hunt", "--discount", "1"], "discount must be below 1"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, capsys):
    assert main(["solve", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith("robust-envs: ")
    assert sentence in told
