"""The benchmark of what appearance transfer costs still runs."""

import json


def test_quick_run_writes_its_figures(benchmark, tmp_path):
    """A smoke run ends well, prints a table, and has a figure for every way that costs differently."""
    printed = benchmark("cross_image_cost", "--quick")
    assert "| with guidance, contrast, AdaIN (the defaults) |" in printed
    (run,) = json.loads((tmp_path / "cross_image_cost.quick.json").read_text())["runs"]
    assert run["time"].keys() == run["extra megabytes"].keys() and len(run["time"]) == 4
    assert run["time"]["reconstruction"] == 1.0
