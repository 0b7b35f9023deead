"""The benchmark of inversions still runs; its figures are for people to make."""

import json
from pathlib import Path

import pytest

from .runs import Script


@pytest.mark.slow
def test_benchmark_writes_its_figures(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """A smoke run prints a table; edit friendly DDPM is exact, and DDIM gets nearer with more steps."""
    printed = benchmark("inversion", "--quick", "--cache", discs)
    assert "| edit friendly ddpm | 12 | 3 | > 100 |" in printed.replace("3.0", "3")
    rows = json.loads((tmp_path / "inversion.quick.json").read_text())["rows"]
    figures = {(row["method"], row["steps"], row["cfg"]): row["latent PSNR, dB"] for row in rows}
    assert len(figures) == 8
    assert figures["ddim", 12, 1.0] > figures["ddim", 3, 1.0]
    assert all(value > 60 for (method, *_), value in figures.items() if method != "ddim")
