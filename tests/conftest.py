"""Rules for the whole suite."""

import os
from collections.abc import Generator
from typing import Any

import pytest

Report = pytest.TestReport | pytest.CollectReport


def fail_instead_of_skip(report: Report) -> Report:
    """In CI a skipped test is a failure: everything that it needs can be installed there."""
    expected = hasattr(report, "wasxfail")
    if report.skipped and not expected and os.environ.get("CI", "").lower() in ("1", "true"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where no test may be: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Report]:
    """Apply the rule to a test."""
    return fail_instead_of_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Report]:
    """Apply the rule to a module."""
    return fail_instead_of_skip((yield))
