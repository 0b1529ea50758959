"""How far runs are: bars where a terminal is, lines where none is."""

from __future__ import annotations

import io

import pytest

from algos.experiments import open_board
from algos.experiments.progress import Silent


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_bars_with_speed_and_return(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with open_board({"first": 100, "second": 50}, stream=stream) as board:
        board.update("first", 0)
        board.say("a line between")
        board.update("first", 40, value=-12.34)
        board.update("first", 100, value=-10.0)
    shown = stream.getvalue()
    assert "a line between" in shown
    assert "100%" in shown
    assert "return -10.0" in shown
    assert "steps/s" in shown
    assert "done" in shown


def test_a_pipe_gets_a_line_at_the_end_and_from_time_to_time() -> None:
    stream = io.StringIO()
    with open_board({"run": 10}, unit="episodes", stream=stream, every=0.0) as board:
        board.update("run", 5, value=1.5)
        board.update("run", 10)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("run: 5 of 10 episodes (50%)")
    assert "return 1.5" in lines[0]
    assert lines[1].startswith("run: 10 of 10 episodes (100%)")
    assert lines[1].endswith("done")


def test_silence_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Silent() as board:
        board.update("run", 1)
        board.say("nothing")
    assert capsys.readouterr() == ("", "")
