"""What channels are given, as text and back."""

import pytest

from robust_envs import (
    Delay,
    Dropout,
    Finite,
    Interval,
    Linf,
    Option,
    Parameter,
    Relative,
    Switch,
    heard,
    joint,
    per_episode,
    per_step,
    said,
)
from robust_envs.testing.declarations import read_channel, read_words, tell_channel, write_channel

GIVEN = [
    ("observation", Linf(0.1)),
    ("observation", {"agent_0": Linf(0.1), "agent_1": per_episode(Linf(0.2))}),
    ("reward", [joint(Linf(0.1), agents=["a", "b"]), joint(Linf(0.2), agents=["c"])]),
    ("delay", Delay([0, 3], of="action", each="episode", at=slice(2, None))),
    ("dropout", Dropout(0.2, mode="stuck", budget=3)),
    ("message", said(Switch(0.2), base=5)),
    ("message", {"listener_0": heard(Linf(0.3), at=slice(8, 11), words=((1.0, 0.0),))}),
    ("dynamics", {"masspole": Relative(0.3), ("length", "gravity"): per_step(Linf(0.1))}),
    ("dynamics", {Parameter("length", positive=True): Interval(0.4, 0.7)}),
    ("start", {Option("high", nominal=0.05, low=0.0): Interval(0.0, 0.2)}),
    ("dynamics", {"world.agents[*].size": Finite([0.1, 0.2])}),
]


@pytest.mark.parametrize(("channel", "given"), GIVEN)
def test_what_is_written_is_read_back(channel, given):
    assert read_channel(channel, write_channel(channel, given)) == given
    assert tell_channel(channel, given)


def test_what_could_not_be_read_back_is_refused():
    own = Parameter("mine", get=lambda root: 1.0, set=lambda root, number: None)
    with pytest.raises(ValueError, match=r"a parameter must be named by text"):
        write_channel("dynamics", {own: Linf(0.1)})
    with pytest.raises(ValueError, match=r"a set must"):
        write_channel("message", heard(Linf(0.1), at=lambda space: slice(3)))


@pytest.mark.parametrize("content", [3, None, {"agent_0": 3}, ["linf:0.1", 3], {"agent_0": "__import__('os')"}])
def test_damaged_declarations_are_refused(content):
    with pytest.raises(ValueError, match=r"a set must"):
        read_channel("observation", content)


@pytest.mark.parametrize("texts", [["linf:0.1", "linf:0.2"], ["a=linf:0.1", "a=linf:0.2"], ["a=linf:0.1", "linf:0.2"]])
def test_words_name_each_set_once(texts):
    with pytest.raises(ValueError, match=r"sets must be one SET or a NAME=SET for each name"):
        read_words(texts)


def test_words_may_name_options_and_stand_apart():
    assert read_words(['Option("high", 0.05) = interval:0,0.8']) == {Option("high", 0.05): Interval(0.0, 0.8)}
    assert read_words(["delay:3"]) == Delay(3)
    assert read_words(["delay:0,6"]) == Delay([0, 6])
    with pytest.raises(ValueError, match=r"delay:1.5 is no set.*steps must be"):
        read_words(["delay:1.5"])
