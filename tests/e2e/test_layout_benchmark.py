"""The benchmark of layouts still runs; its figures are for people to make."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pack import ROOT


def quick(name: str, folder: Path) -> None:
    """A smoke run of a script into the folder."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--quick", "--output", folder],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_layout_writes_its_figures(tmp_path: Path) -> None:
    """Shares by group and way, all between 0 and 1; the groups and their mean have the same ways."""
    quick("layout", tmp_path)
    found = json.loads((tmp_path / "layout.quick.json").read_text())
    assert {"machine", "date", "versions", "strength"} <= found.keys()
    assert list(found["groups"]) == ["same species, 2", "different species, 2"]
    for ways in (found["all"], *found["groups"].values()):
        assert list(ways) == list(found["all"]) and len(ways) == 7
        shares = [share for own in ways.values() for kind, share in own.items() if kind != "CPU seconds"]
        assert all(0 <= share <= 1 for share in shares)


@pytest.mark.slow
def test_layout_pictures_are_drawn(tmp_path: Path) -> None:
    """The sheet of the first prompt: two rows, a picture and a matrix in each."""
    quick("layout_pictures", tmp_path)
    assert (tmp_path / "layout.quick.jpg").is_file()
