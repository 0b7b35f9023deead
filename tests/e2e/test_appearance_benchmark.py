"""The benchmark of appearance transfer still runs; its figures are for people to make."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pack import ROOT


def run(script: str, *options: object) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *map(str, options)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_quick_run_writes_its_figures(discs: Path, tmp_path: Path) -> None:
    """All ways are measured, and what is no transfer moves less of the colours than what is one."""
    printed = run("appearance.py", "--quick", "--output", tmp_path, "--cache", discs)
    written = json.loads((tmp_path / "appearance.quick.json").read_text())
    variants = written["variants"]
    assert written["pairs"] == 4 and "| Cross-Image |" in printed
    assert all(0 <= variants[name]["structure IoU"] <= 1 for name in variants)
    assert variants["reconstruction"]["colours moved"] < variants["Cross-Image"]["colours moved"] <= 1
    assert (tmp_path / "appearance.quick.jpg").is_file()


@pytest.mark.slow
def test_grid_is_drawn(discs: Path, tmp_path: Path) -> None:
    """The README's picture of structures and appearances."""
    run("appearance_grid.py", "--steps", 4, "--output", tmp_path, "--cache", discs)
    assert (tmp_path / "appearance_grid.jpg").stat().st_size > 1000
