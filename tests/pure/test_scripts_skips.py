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


def run(folder: Path, test: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Run a one-file suite under this suite's rules and settings."""
    (folder / "tests" / "pure").mkdir(parents=True)
    for file in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, folder / file)
    (folder / "tests" / "pure" / "test_one.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/pure/test_one.py"],
        cwd=folder, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("test", "ci"), [(SKIPS, "1"), (MODULE_SKIPS, "true")])
def test_skip_fails_in_ci(test: str, ci: str, tmp_path: Path) -> None:
    """In CI neither a test nor a whole module can be skipped."""
    answer = run(tmp_path, test, ci)
    assert answer.returncode in (1, 2) and "where no test may be" in answer.stdout


def test_skip_is_named_elsewhere(tmp_path: Path) -> None:
    """Elsewhere the run passes and its summary gives the reason."""
    answer = run(tmp_path, SKIPS, "")
    assert answer.returncode == 0 and "needs a tool" in answer.stdout


def test_expected_failure_is_no_skip(tmp_path: Path) -> None:
    """A test that is marked to fail and does so passes in CI as well."""
    assert run(tmp_path, EXPECTED_FAILURE, "1").returncode == 0
