"""The benchmark of what appearance transfer costs still runs."""

import json
import os
import subprocess
import sys

from pack import ROOT


def test_quick_run_writes_its_figures(tmp_path):
    """A smoke run ends well, prints a table, and has a figure for every way that costs differently."""
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "cross_image_cost.py"),
            "--quick",
            "--output",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| with guidance, contrast, AdaIN (the defaults) |" in done.stdout
    (run,) = json.loads((tmp_path / "cross_image_cost.quick.json").read_text())["runs"]
    assert run["time"].keys() == run["extra megabytes"].keys() and len(run["time"]) == 4
    assert run["time"]["reconstruction"] == 1.0
