"""The benchmarks still run; their figures are for people to make."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pack import ROOT


@pytest.mark.parametrize("name", ["overhead", "style_alignment"])
def test_quick_run_writes_its_figures(name, tmp_path):
    """A smoke run of each script ends well, prints a table and writes its file."""
    script = ROOT / "benchmarks" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "StyleAligned |" in done.stdout
    assert {"machine", "date", "versions"} <= json.loads((tmp_path / f"{name}.quick.json").read_text()).keys()


@pytest.mark.slow
def test_style_of_a_picture_writes_its_figures(discs: Path, tmp_path: Path) -> None:
    """The same with given pictures: shares of the new pictures, for the plain batch and each strength."""
    script = ROOT / "benchmarks" / "style_alignment.py"
    done = subprocess.run(
        [sys.executable, script, "--from-a-picture", "--quick", "--output", tmp_path, "--cache", discs],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    variants = json.loads((tmp_path / "style_of_a_picture.quick.json").read_text())["variants"]
    assert list(variants) == ["plain batch", "shift 0", "shift log 2"]
    assert all(0 <= share <= 1 for shares in variants.values() for share in shares.values())
    assert (tmp_path / "style_of_a_picture.quick.jpg").is_file()
