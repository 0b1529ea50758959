"""What a run of named checks found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Check", "Report"]


class Check(NamedTuple):
    """One check.

    Attributes:
        name: What was looked for, as a sentence.
        outcome: ``"passed"``, ``"failed"`` or ``"skipped"``.
        reason: What went wrong, or why it was left out; empty if it passed.
    """

    name: str
    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """Hold the checks of one environment; prints as a table.

    Args:
        subject: What was checked.
        checks: In the order they ran.

    Example:
        >>> report = Report("an environment", (Check("it resets", "passed"), Check("it ends", "failed", "it does not")))
        >>> print(report)
        an environment: 1 passed, 1 failed, 0 skipped
          passed   it resets
          FAILED   it ends: it does not
        >>> report.require()
        Traceback (most recent call last):
        AssertionError: an environment fails 1 of 2 checks
          it ends: it does not
    """

    subject: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> tuple[Check, ...]:
        """The checks that passed."""
        return self._with("passed")

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return self._with("failed")

    @property
    def skipped(self) -> tuple[Check, ...]:
        """The checks that were left out."""
        return self._with("skipped")

    @property
    def ok(self) -> bool:
        """Whether none failed."""
        return not self.failed

    def require(self) -> Report:
        """Raise unless all is well; return the report itself.

        Raises:
            AssertionError: Listing the checks that failed.
        """
        if not self.ok:
            lines = "\n".join(f"  {check.name}: {check.reason}" for check in self.failed)
            raise AssertionError(f"{self.subject} fails {len(self.failed)} of {len(self.checks)} checks\n{lines}")
        return self

    def _with(self, outcome: str) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome == outcome)

    def __str__(self) -> str:
        counts = ", ".join(f"{len(self._with(outcome))} {outcome}" for outcome in ("passed", "failed", "skipped"))
        words = {"passed": "passed", "failed": "FAILED", "skipped": "skipped"}
        lines = [
            f"  {words[check.outcome]:8} {check.name}" + (f": {check.reason}" if check.reason else "")
            for check in self.checks
        ]
        return "\n".join([f"{self.subject}: {counts}", *lines])
