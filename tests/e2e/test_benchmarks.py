"""The benchmarks still run; their figures are for people to make."""

import json
import os
import subprocess
import sys

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
