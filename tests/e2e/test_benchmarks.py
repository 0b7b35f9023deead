"""The benchmarks still run; their figures are for people to make."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pack import ROOT

from .runs import Script


def written(folder: Path, name: str) -> dict[str, Any]:
    """The figures of a smoke run."""
    return json.loads((folder / f"{name}.quick.json").read_text())


@pytest.mark.parametrize("name", ["overhead", "style_alignment"])
def test_quick_run_writes_its_figures(name: str, benchmark: Script, tmp_path: Path) -> None:
    """A smoke run of each script ends well, prints a table and writes its file."""
    assert "StyleAligned |" in benchmark(name, "--quick")
    assert {"machine", "date", "versions"} <= written(tmp_path, name).keys()


def test_cost_on_transformers_is_told_over_floors(benchmark: Script, tmp_path: Path) -> None:
    """Each method over its own, and none calls the model more often than a plain run."""
    assert "| StyleAligned |" in benchmark("transformer_costs", "--quick")
    found = written(tmp_path, "transformer_costs")
    assert found["over the floor"].keys() == {"StyleAligned", "masks", "recorder"}
    assert set(found["calls"].values()) == {1}


def test_cost_of_pictures_on_nodes_is_told(benchmark: Script, tmp_path: Path) -> None:
    """Of both that draw at every step; the first picture always comes."""
    assert "| Layout Guidance, its boxes |" in benchmark("live_cost", "--quick")
    costs = written(tmp_path, "live_cost")["costs"]
    assert len(costs) == 2 and all(cost["pictures a run"] >= 1 for cost in costs.values())


def test_cost_of_edits_has_a_figure_for_each_method(benchmark: Script, tmp_path: Path) -> None:
    """Over four plain images, in time and memory."""
    assert "| Prompt-to-Prompt, blend |" in benchmark("editing_cost", "--quick")
    (run,) = written(tmp_path, "editing_cost")["runs"]
    assert run["latent"][0] == 4 and run["time"]["unpatched"] == 1.0
    assert run["time"].keys() == run["extra megabytes"].keys() and len(run["time"]) == 5


def test_options_of_the_steps_of_all_figures_are_known(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`benchmarks/all.py` passes some; one that its script refuses would end that step after hours."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    steps = runpy.run_path(str(ROOT / "benchmarks" / "all.py"))["STEPS"]
    given = [step for step in steps.values() if step[1:]]
    assert given
    for name, *options in given:
        assert "usage" in script(ROOT / "benchmarks" / name, *options, "--help")


@pytest.mark.slow
def test_style_of_a_picture_writes_its_figures(benchmark: Script, discs: Path, tmp_path: Path) -> None:
    """The same with given pictures: shares of the new pictures, for the plain batch and a strength."""
    benchmark("style_alignment", "--quick", "--from-a-picture", "--cache", discs)
    variants = written(tmp_path, "style_of_a_picture")["variants"]
    assert list(variants) == ["plain batch", "shift log 2"]
    assert all(0 <= share <= 1 for shares in variants.values() for share in shares.values())
    assert (tmp_path / "style_of_a_picture.quick.jpg").is_file()


@pytest.mark.slow
def test_cost_of_guidance_shows_its_arithmetic(benchmark: Script, tmp_path: Path) -> None:
    """Both guidances are measured in less memory than the naive way, and each prediction is what its printed
    numbers give."""
    printed = benchmark("guidance_cost", "--quick")
    figures = written(tmp_path, "guidance_cost")
    assert list(figures["measured"]) == ["Layout Guidance", "Bounded Attention"]
    assert all(0 < figure["memory ratio"] < 1 for figure in figures["measured"].values())
    assert {"SDXL, 1024 pixels, float16, Bounded Attention"} <= figures["predicted"].keys()
    for figure in figures["predicted"].values():
        assert figure["arithmetic"] in printed
        time, memory = figure["arithmetic"].split("; ")
        short, whole = map(float, re.findall(r"([\d.]+) TFLOP", time))
        inputs, largest, saved = map(float, re.findall(r"(\d+) million", memory))
        assert figure["time ratio"] == pytest.approx(3 * short / (4 * whole), rel=0.03)
        assert figure["memory ratio"] == pytest.approx((2 * inputs + largest) / (2 * saved), rel=0.03)


@pytest.mark.slow
def test_pictures_of_help_pages_are_drawn(benchmark: Script, tmp_path: Path) -> None:
    """One for each layout node, wide as the help pages' are, none of one colour."""
    benchmark("layout_help", "--quick")
    pictures = {path.stem: Image.open(path) for path in tmp_path.iterdir()}
    assert pictures.keys() == {"BoundedAttention", "LayoutGuidance", "AttentionLeakage"}
    for picture in pictures.values():
        assert picture.width >= 500 and picture.getcolors(100) is None  # more than 100 colours
