"""The benchmark of layouts still runs; its figures are for people to make."""

import json
from pathlib import Path

import pytest

from .runs import Script


@pytest.mark.slow
def test_layout_writes_its_figures(benchmark: Script, tmp_path: Path) -> None:
    """Shares by group and way, all between 0 and 1; the groups and their mean have the same ways. The guided
    ones are run by the scripts of the pictures."""
    benchmark("layout", "--quick", "--jobs", 1)
    found = json.loads((tmp_path / "layout.quick.json").read_text())
    assert {"machine", "date", "versions", "strength"} <= found.keys()
    assert list(found["groups"]) == ["same species, 2", "different species, 2"]
    for ways in (found["all"], *found["groups"].values()):
        assert list(ways) == list(found["all"]) and len(ways) == 4
        shares = [share for own in ways.values() for kind, share in own.items() if kind != "CPU seconds"]
        assert all(0 <= share <= 1 for share in shares)


@pytest.mark.slow
def test_layout_pictures_are_drawn(benchmark: Script, tmp_path: Path) -> None:
    """The sheet of the first prompt: two rows, a picture and a matrix in each."""
    benchmark("layout_pictures", "--quick")
    assert (tmp_path / "layout.quick.jpg").is_file()
