"""The benchmark of appearance transfer still runs; its figures are for people to make."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pack import ROOT

from .runs import Script


@pytest.mark.slow
def test_quick_run_writes_its_figures(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """All ways are measured, and what is no transfer brings less of the style than what is one."""
    printed = benchmark("appearance", "--quick", "--cache", discs)
    written = json.loads((tmp_path / "appearance.quick.json").read_text())
    variants = written["variants"]
    assert written["pairs"] == 2 and "| Cross-Image |" in printed
    assert all(0 <= variants[name]["structure IoU"] <= 1 for name in variants)
    assert variants["reconstruction"]["style"] < variants["Cross-Image"]["style"] <= 1
    assert (tmp_path / "appearance.quick.jpg").is_file()


def test_inputs_are_drawn(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """Those that the workflows load, under those names; in the grid each with its object painted."""
    benchmark("appearance_grid", "--cache", discs)
    loaded = {
        f"{node['widgets_values'][0]}.png"
        for name in ("appearance_transfer", "appearance_grid")
        for node in json.loads((ROOT / "example_workflows" / f"{name}.json").read_text())["nodes"]
        if node["type"] == "LoadExamplePicture"
    }
    assert {path.name for path in tmp_path.glob("*.png")} == loaded
    for number in (1, 2, 3):
        with Image.open(tmp_path / f"appearance_{number}.png") as picture:
            alpha = np.asarray(picture.getchannel("A"))
        assert set(np.unique(alpha)) == {0, 255}
        assert 0.05 < (alpha == 0).mean() < 0.4


@pytest.mark.slow
def test_another_judge_reads_the_same_ways(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """Each way has its mean and its difference to the first one, by a network with random weights here."""
    assert "| Cross-Image |" in benchmark("independent", "--quick", "--cache", discs)
    figures = json.loads((tmp_path / "independent.quick.json").read_text())
    assert {"plain batch", "StyleAligned"} <= figures["style"].keys()
    for measures in (*figures["style"].values(), *figures["appearance"].values()):
        for mean, apart, low, high in measures.values():
            assert low <= apart <= high and -1 <= mean <= 2
    assert figures["appearance"]["reconstruction"]["edges"][0] > 0.9  # nearly the structure itself
