"""The benchmark of panoramas still runs; its figures are for people to make."""

import json
from pathlib import Path

import pytest

from .runs import Script


@pytest.mark.slow
def test_quick_run_writes_its_figures(benchmark: Script, tmp_path: Path) -> None:
    """A figure for each stride, that of the plain run beside it, a sheet;
    shares of windows in one style, and of the sides of a panorama in two."""
    assert "| stride 1/8 (paper) |" in benchmark("panorama", "--quick")
    found = json.loads((tmp_path / "panorama.quick.json").read_text())
    assert {"machine", "date", "versions"} <= found.keys()
    assert all(0 <= own["one style"] <= 1 and own["seams"] > 0 for own in found["ways"].values())
    assert list(found["one style"]) == ["MultiDiffusion alone", "full"]
    assert list(found["two styles"]) == ["no references", "full"]
    for styles in ("one style", "two styles"):
        assert all(0 <= share <= 1 for own in found[styles].values() for share in own.values())
    assert (tmp_path / "panorama.quick.jpg").is_file()


@pytest.mark.slow
def test_costs_are_told_over_plain_batches(benchmark: Script, tmp_path: Path) -> None:
    """Of as many windows as the picture has."""
    benchmark("panorama_cost", "--quick")
    (found,) = json.loads((tmp_path / "panorama_cost.quick.json").read_text())["runs"]
    assert found["windows"] == 3 and found["time over the floor"] > 0
    assert found["megabytes"] > found["megabytes of a plain batch"] > 0
