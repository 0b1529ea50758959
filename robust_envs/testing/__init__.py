"""Tests for other people's environments and policies."""

from robust_envs.testing.conformance import check_robust_env
from robust_envs.testing.report import Check, Report

__all__ = ["Check", "Report", "check_robust_env"]
