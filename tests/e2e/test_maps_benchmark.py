"""The benchmark of maps still runs; its figures are for people to make."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pack import ROOT, load_pack

HEADER = "|  | pointing, nouns | pointing, colours | mIoU, nouns | mIoU, colours |"


@pytest.fixture
def discs(tmp_path):
    """A cache of drawings that are all discs: the real ones need npm."""
    load_pack()
    from attention_control.demo_model.world.scene import SIZES
    from attention_control.demo_model.world.vocabulary import STYLES, SUBJECTS

    tiles = {}
    for size in SIZES:
        y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
        inside = np.clip((0.4 - np.hypot(x, y)) * size + 0.5, 0, 1)
        tile = (np.stack([np.where(x > 0, 0.8, 0.3), inside], -1) * 255).round().astype(np.uint8)
        tiles |= {f"{style}/{noun}/{size}": tile for style in STYLES for noun in SUBJECTS}
    np.savez(tmp_path / "sprites.npz", **tiles)
    return tmp_path


@pytest.mark.slow
def test_quick_run_writes_its_figures(discs, tmp_path):
    """A smoke run chooses settings, prints the table and writes it, each figure between 0 and 1."""
    script = ROOT / "benchmarks" / "maps.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--output", str(tmp_path), "--cache", str(discs)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert HEADER in done.stdout
    written = json.loads((tmp_path / "maps.quick.json").read_text())
    assert written["chosen"].keys() == {"noun", "colour", "segments"}
    figures = [figure for row in written["rows"].values() for figure in row.values()]
    assert len(figures) == 12 and all(0 <= figure <= 1 for figure in figures)
    assert "auxiliary loss" in written["note"]
