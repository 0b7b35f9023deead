"""The benchmark of edits still runs; its figures are for people to make."""

import json
from pathlib import Path

import pytest

from .runs import Script

KINDS = ["swap a subject"]


@pytest.mark.slow
def test_quick_run_writes_its_figures(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """Every way edits; a blended edit is nearer to its source than one with the same seed alone."""
    printed = benchmark("editing", "--quick", "--jobs", 1, "--cache", discs)
    kinds = json.loads((tmp_path / "editing.quick.json").read_text())["kinds"]
    assert list(kinds) == KINDS and "| PnP of a scene |" in printed
    for ways in kinds.values():
        assert all(0 <= own[name]["mean"] <= 1 for own in ways.values() for name in ("edit", "rest"))
        assert ways["P2P, blend"]["PSNR"]["mean"] > ways["plain, same seed"]["PSNR"]["mean"]


@pytest.mark.slow
def test_quick_run_of_shapes_writes_its_figures(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """Every way has every figure; what is varied stays nearer to the original than the proxies' prompts."""
    printed = benchmark("shapes", "--quick", "--cache", discs)
    ways = json.loads((tmp_path / "shapes.quick.json").read_text())["ways"]
    assert "| the paper's times, no background |" in printed
    assert all(0 <= own[name] <= 1 for own in ways.values() for name in ("shape changed", "class kept"))
    prompts, *varied = (own["object IoU"] for own in ways.values())
    assert all(overlap > prompts for overlap in varied)
