"""The benchmark of maps still runs; its figures are for people to make."""

import json

import pytest

HEADER = "|  | pointing, nouns | pointing, colours | mIoU, nouns | mIoU, colours |"


@pytest.mark.slow
def test_quick_run_writes_its_figures(benchmark, discs, tmp_path):
    """A smoke run chooses settings, prints the table and writes it, each figure between 0 and 1."""
    printed = benchmark("maps", "--quick", "--cache", discs)
    assert HEADER in printed
    written = json.loads((tmp_path / "maps.quick.json").read_text())
    assert written["chosen"].keys() == {"noun", "colour", "segments"}
    figures = [figure for row in written["rows"].values() for figure in row.values()]
    assert len(figures) == 12 and all(0 <= figure <= 1 for figure in figures)
    assert "auxiliary loss" in written["note"]
