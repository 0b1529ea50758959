"""The pytest plugin, run as users run it: in a process of its own."""

import importlib
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

import robust_envs.pytest_plugin as plugin
from robust_envs.testing.session import Effort, effort, told

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]
SUITE = """
import gymnasium
import pytest
from robust_envs import Linf
from robust_envs.testing import assert_robust, returns_at_least

def lean(observation):
    return int(observation[2] + observation[3] > 0)

def make():
    return gymnasium.make("CartPole-v1", max_episode_steps=100)

def test_holds():
    assert_robust(lean, make, observation=Linf(0.001), property=returns_at_least(100.0), max_episodes=20)

@pytest.mark.robust(max_episodes=30, seed=1)
def test_breaks():
    assert_robust(lean, make, observation=Linf(0.3), property=returns_at_least(100.0), unseen=0)

def test_of_something_else():
    pass
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest on the suite; the plugin is loaded by name, whether or not it is installed as well."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "COV_CORE_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_policy=SUITE)

    def go(*arguments):
        plain = (
            "-p",
            "no:robust_envs",
            "-p",
            "robust_envs.pytest_plugin",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
        )
        return pytester.runpytest_subprocess(*plain, *arguments)

    return go


def summary(result):
    (line,) = [line for line in result.outlines if line.startswith("robustness: ")]
    return re.sub(r"in [\d.]+ s", "in TIME", line)


def kept(pytester):
    return sorted((pytester.path / "tests" / "counterexamples").glob("*.json"))


def test_a_failure_tells_property_perturbation_file_and_how_to_replay_it(run, pytester):
    result = run()
    result.assert_outcomes(passed=2, failed=1)
    (path,) = kept(pytester)
    result.stdout.fnmatch_lines(
        [
            "E *NotRobustError: violated: return >= 100, observation in Linf(0.3)",
            "*- robustness -*",
            "violated: return >= 100, observation in Linf(0.3)",
            "*simplest rule*",
            "*delta[[]*[]] = *",
            "*smallest perturbation: *",
            f"*robust-envs replay tests/counterexamples/{path.name}*",
            "*in this test: pytest 'test_policy.py::test_breaks' --robust-profile replay",
        ]
    )
    told = summary(result)
    assert re.fullmatch(
        r"robustness: 2 properties, \d+ episodes in TIME; broken: 1 \(test_policy\.py::test_breaks\)", told
    )


def test_the_same_run_finds_the_same_and_workers_tell_the_same(run, pytester):
    first = run("--robust-budget", "5", "-k", "breaks")
    (path,) = kept(pytester)
    text = path.read_text()
    path.unlink()
    again = run("--robust-budget", "5", "-k", "breaks")
    assert summary(first) == summary(again)
    assert path.read_text() == text
    path.unlink()
    if find_spec("xdist") is not None:
        shared = run("--robust-budget", "5", "-n", "2")
        shared.assert_outcomes(passed=2, failed=1)
        assert "2 properties" in summary(shared)
        assert "broken: 1 (test_policy.py::test_breaks)" in summary(shared)
        shared.stdout.fnmatch_lines(["*- robustness -*", "violated: return >= 100*"])
        assert path.read_text() == text


def test_saved_counterexamples_are_tried_first_and_the_replay_profile_tries_nothing_else(run, pytester):
    run("-k", "breaks")
    assert len(kept(pytester)) == 1
    result = run("--robust-profile", "replay")
    result.assert_outcomes(passed=2, failed=1)
    assert "2 properties, 1 episode in TIME, 1 saved counterexample tried; broken: 1" in summary(result)
    assert len(kept(pytester)) == 1


@pytest.mark.parametrize(
    ("arguments", "episodes"),
    [
        (("--robust-budget", "7"), 7),
        (("--robust-profile", "quick"), 2),
        (("--robust-profile", "nightly", "--robust-budget", "1"), 10),
    ],
)
def test_options_change_the_budget(run, arguments, episodes):
    result = run("-k", "holds", *arguments)
    assert summary(result).startswith(f"robustness: 1 property, {episodes} episodes in TIME; nothing found")


def test_the_marker_is_known_and_selects(run):
    run("-m", "robust", "--strict-markers", "--robust-budget", "3").assert_outcomes(failed=1, deselected=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--robust-budget", "0"), "--robust-budget must be an integer >= 1, got '0'"),
        (("--robust-seed", "x"), "--robust-seed must be an integer >= 0, got 'x'"),
        (("--robust-profile", "fast"), "--robust-profile must be one of replay, quick, default, nightly, got 'fast'"),
    ],
)
def test_bad_options_are_refused(run, arguments, said):
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}"])


def test_the_marker_refuses_arguments_it_does_not_have(run, pytester):
    pytester.makepyfile(test_policy="import pytest\n@pytest.mark.robust(30)\ndef test_a():\n    pass\n")
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the marker robust takes max_episodes and seed by name*"])


def test_runs_without_robustness_tests_are_told_nothing_and_load_nothing(run, pytester):
    pytester.makepyfile(
        test_policy="""
        import sys

        def test_modules():
            heavy = {"gymnasium", "numpy", "torch", "hypothesis"}
            assert {name.partition(".")[0] for name in sys.modules} & heavy == set()
        """
    )
    result = run()
    result.assert_outcomes(passed=1)
    assert [line for line in result.outlines if line.startswith("robustness")] == []


@pytest.mark.parametrize(
    ("run", "marker", "asked"),
    [
        (plugin.Run(None, 1.0, None), {}, Effort(300, 5)),
        (plugin.Run(None, 1.0, None), {"max_episodes": 30, "seed": 0}, Effort(30, 0)),
        (plugin.Run(7, 1.0, 0), {"max_episodes": 30, "seed": 9}, Effort(7, 0)),
        (plugin.Run(None, 0.1, None), {}, Effort(30, 5)),
        (plugin.Run(1, 0.1, None), {}, Effort(1, 5)),
        (plugin.Run(None, 10.0, None), {"max_episodes": 0}, Effort(0, 5)),
        (plugin.Run(None, 0.0, None), {}, Effort(300, 5, search=False)),
    ],
)
def test_options_speak_louder_than_the_marker_and_that_louder_than_the_test(run, marker, asked, monkeypatch):
    monkeypatch.setattr(plugin, "runs", [run])
    run.marker = marker
    assert effort(300, 5) == asked


def test_outside_of_pytest_the_test_decides(monkeypatch):
    monkeypatch.setattr(plugin, "runs", [])
    assert effort(300, 5) == Effort(300, 5)
    told(episodes=1, saved=0, broken=False, seconds=0.1)


def test_what_was_searched_is_told_to_the_run(monkeypatch):
    monkeypatch.setattr(plugin, "runs", [plugin.Run(None, 1.0, None)])
    told(episodes=3, saved=1, broken=True, seconds=0.12345)
    assert plugin.runs[0].records == [{"episodes": 3, "saved": 1, "broken": True, "seconds": 0.123}]


def test_loading_the_plugin_takes_no_time():
    clock = "import json, pytest, time; start = time.process_time(); import robust_envs.pytest_plugin; "
    clock += "print(time.process_time() - start)"
    taken = min(
        float(
            subprocess.run([sys.executable, "-c", clock], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        )
        for _ in range(3)
    )
    assert taken < 0.02


def test_the_entry_points_lead_somewhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    points = project["project"]["entry-points"]
    assert points["pytest11"] == {"robust_envs": "robust_envs.pytest_plugin"}
    module, _, name = points["hypothesis"]["robust_envs"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
