"""The benchmark of prompt diagnosis still runs; its figures are for people to make."""

import json

import pytest


@pytest.mark.slow
def test_quick_run_writes_its_figures(benchmark, discs, tmp_path):
    """A smoke run chooses its bound, prints the table and writes it, each figure between 0 and 1."""
    printed = benchmark("diagnosis", "--quick", "--cache", discs)
    assert "|  | present | neglect, F1 | neglect, in truth | leak, F1 | leak, in truth |" in printed
    written = json.loads((tmp_path / "diagnosis.quick.json").read_text())
    assert written["rows"].keys() == {"sampled", "scenes"}
    assert all(0 <= figure <= 1 for row in written["rows"].values() for figure in row.values())
    assert 0 < written["rows"]["scenes"]["neglect, in truth"] < 0.5
