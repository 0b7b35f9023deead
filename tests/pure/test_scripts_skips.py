"""No test is skipped silently: in CI a skip is a failure, elsewhere it is named at the end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPS = "import pytest\ndef test_a():\n    pytest.skip('needs a tool')\n"
MODULE_SKIPS = "import pytest\npytest.importorskip('no_such_module')\ndef test_a():\n    pass\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_a():\n    assert False\n"


def run(folder: Path, ci: str, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run a suite of these files under this suite's rules and settings."""
    (folder / "tests" / "pure").mkdir(parents=True)
    for file in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, folder / file)
    for number, test in enumerate(tests):
        (folder / "tests" / "pure" / f"test_{number}.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", "tests/pure"],
        cwd=folder, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_skips_fail_in_ci(tmp_path: Path) -> None:
    """In CI neither a test nor a whole module can be skipped; a test that is marked to fail and does so
    passes."""
    answer = run(tmp_path, "true", SKIPS, MODULE_SKIPS, EXPECTED_FAILURE)
    assert "1 failed, 1 xfailed, 1 error" in answer.stdout
    assert answer.stdout.count("skipped in CI, where no test may be") >= 2


@pytest.mark.parametrize(("ci", "code"), [("1", 1), ("", 0)])
def test_skip_is_named_everywhere(ci: str, code: int, tmp_path: Path) -> None:
    """Elsewhere the run passes and its summary gives the reason, as CI does that says so by a number."""
    answer = run(tmp_path, ci, SKIPS)
    assert answer.returncode == code and "needs a tool" in answer.stdout
