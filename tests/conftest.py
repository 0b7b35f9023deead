"""Rules for the whole suite."""

import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

Report = pytest.TestReport | pytest.CollectReport
FOLDERS = ("e2e", "host", "style", "pure")  # what takes longest first


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays until the end: the collector of garbage need not look at it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders in their order; the files of each keep theirs."""
    here = Path(__file__).parent
    items.sort(key=lambda item: FOLDERS.index(item.path.relative_to(here).parts[0]))


def shares(nodeid: str) -> str:
    """What a test has in common with those that the same worker should run: the server and its browser, the
    process that has the host ready for benchmarks, or what a file keeps of its runs."""
    file = nodeid.partition("::")[0]
    if not file.startswith("tests/e2e/"):
        return file
    return "benchmarks" if file.endswith(("_benchmark.py", "_benchmarks.py", "_cost.py")) else "server"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadscope` is by what tests share."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatTheyShare(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shares(nodeid)

    return ByWhatTheyShare(config, log)


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
