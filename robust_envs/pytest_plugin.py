"""What pytest loads of robust-envs: options, the marker, the failure section and the summary of what was searched.

It imports nothing of the package: pytest loads it in every run of every project where robust-envs is installed, and the
rest would bring gymnasium and numpy along. `robust_envs.testing.session` reads from here.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, NamedTuple

import pytest

__all__ = ["PROFILES", "Run", "runs"]

PROFILES = {"replay": 0.0, "quick": 0.1, "default": 1.0, "nightly": 10.0}
"""Factor on the budget of every search; 0: saved counterexamples only."""
_PROPERTY = "robust_envs"
_MARKER = "robust(max_episodes=None, seed=None): a robustness test, and how hard assert_robust in it is to search"
_TOLD = pytest.StashKey[str]()
_ARGUMENTS = ("max_episodes", "seed")


class Run:
    """One run of pytest: what it asks of robustness tests, and what the test that runs now has searched.

    Args:
        budget: Episodes of every search, instead of what the test says; None leaves that.
        factor: On the budget.
        seed: Of every search, instead of what the test says; None leaves that.
    """

    def __init__(self, budget: int | None, factor: float, seed: int | None) -> None:
        self.budget, self.factor, self.seed = budget, factor, seed
        self.marker: dict[str, Any] = {}
        self.records: list[dict[str, Any]] = []


runs: list[Run] = []
"""The run that goes on now is the last one; pytest may run inside pytest."""


class Line(NamedTuple):
    """One search, as told by the report of its test."""

    test: str
    record: dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("robust-envs", "robustness tests (robust-envs)")
    group.addoption(
        "--robust-budget",
        metavar="EPISODES",
        default=None,
        help="episodes of every search, instead of what the tests say",
    )
    group.addoption(
        "--robust-profile",
        metavar="NAME",
        default="default",
        help="replay (saved counterexamples only), quick (a tenth of the budget), default or nightly (ten times)",
    )
    group.addoption("--robust-seed", metavar="SEED", default=None, help="seed of every search")


def pytest_configure(config: pytest.Config) -> None:
    """Read the options and know the marker."""
    config.addinivalue_line("markers", _MARKER)
    profile = config.getoption("--robust-profile")
    if profile not in PROFILES:
        raise pytest.UsageError(f"--robust-profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    budget = _whole("--robust-budget", config.getoption("--robust-budget"), least=1)
    runs.append(Run(budget, PROFILES[profile], _whole("--robust-seed", config.getoption("--robust-seed"), least=0)))
    config.pluginmanager.register(Reporter(runs[-1]), "robust-envs reporter")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the run."""
    if config.pluginmanager.hasplugin("robust-envs reporter"):
        runs.pop()


def _whole(option: str, given: str | None, *, least: int) -> int | None:
    if given is None:
        return None
    if not given.isdecimal() or int(given) < least:
        raise pytest.UsageError(f"{option} must be an integer >= {least}, got {given!r}")
    return int(given)


class Reporter:
    """Collect what tests searched, on the worker, and tell it, on the controller."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lines: list[Line] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Let the marker speak while a test runs, and keep with its report what it searched."""
        marker = item.get_closest_marker("robust")
        self.run.marker, self.run.records = _arguments(marker), []
        try:
            yield
        except AssertionError as error:
            if hasattr(error, "robust_report"):
                again = f"  in this test: pytest '{item.nodeid}' --robust-profile replay"
                item.stash[_TOLD] = f"{error.robust_report}\n{again}"
                error.args = (str(error).partition("\n")[0],)  # the section says the rest
            raise
        finally:
            # user properties travel from a worker of xdist to the controller with the report, and into junit files
            item.user_properties.extend((_PROPERTY, json.dumps(record)) for record in self.run.records)
            self.run.marker = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a test that broke a policy its section."""
        report = yield
        if report.when == "call" and _TOLD in item.stash:
            report.sections.append(("robustness", item.stash[_TOLD]))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test searched out of its report."""
        if report.when == "call":
            found = [value for name, value in report.user_properties if name == _PROPERTY]
            self.lines.extend(Line(report.nodeid, json.loads(str(value))) for value in found)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was searched, in one line."""
        if self.lines:
            terminalreporter.write_line(summary(self.lines))


def _arguments(marker: pytest.Mark | None) -> dict[str, Any]:
    if marker is None:
        return {}
    if marker.args or not set(marker.kwargs) <= set(_ARGUMENTS):
        raise pytest.UsageError(f"the marker robust takes {' and '.join(_ARGUMENTS)} by name, got {marker}")
    return dict(marker.kwargs)


def summary(lines: list[Line]) -> str:
    """Tell in one line what was searched and found.

    Example:
        >>> record = {"episodes": 300, "saved": 2, "broken": False, "seconds": 1.25}
        >>> summary([Line("test_a", record), Line("test_b", {**record, "broken": True})])
        'robustness: 2 properties, 600 episodes in 2.5 s, 4 saved counterexamples tried; broken: 1 (test_b)'
    """
    total = {name: sum(line.record[name] for line in lines) for name in ("episodes", "saved", "seconds")}
    broken = sorted({line.test for line in lines if line.record["broken"]})
    searched = f"{_count(len(lines), 'property', 'properties')}, {_count(total['episodes'], 'episode', 'episodes')}"
    kept = _count(total["saved"], "saved counterexample", "saved counterexamples")
    tried = f", {kept} tried" if total["saved"] else ""
    text = f"robustness: {searched} in {total['seconds']:.1f} s{tried}; "
    if broken:
        return text + f"broken: {sum(line.record['broken'] for line in lines)} ({', '.join(broken)})"
    return text + "nothing found, which says how hard it was tried, not that there is nothing"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
