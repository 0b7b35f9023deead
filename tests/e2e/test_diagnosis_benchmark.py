"""The benchmark of prompt diagnosis still runs; its figures are for people to make."""

import json

import pytest


@pytest.mark.slow
def test_quick_run_writes_its_figures(benchmark, discs, tmp_path):
    """A smoke run chooses its bound, prints the table and writes it, each figure between 0 and 1."""
    printed = benchmark("diagnosis", "--quick", "--cache", discs)
    assert (
        "|  | present | least gain | neglect, F1 | neglect, in truth | leak, F1 | leak, in truth |" in printed
    )
    written = json.loads((tmp_path / "diagnosis.quick.json").read_text())
    ways = [
        f"{pictures}, {how}" for pictures in ("sampled", "scenes") for how in ("by attention", "model asked")
    ]
    assert list(written["rows"]) == ways
    bounds = [row.pop("least gain") for row in written["rows"].values()]
    assert [bound is None for bound in bounds] == [True, False] * 2
    assert all(0 <= figure <= 1 for row in written["rows"].values() for figure in row.values())
    assert 0 < written["rows"]["scenes, by attention"]["neglect, in truth"] < 0.5
