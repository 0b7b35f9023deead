"""One command makes all figures, and goes on where it was stopped."""

import argparse
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from pack import ROOT

BENCHMARKS = ROOT / "benchmarks"
NO_FIGURES = {"all.py", "readme.py", "compatibility.py", "appearance_grid.py"}  # nothing of them is measured


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """`benchmarks/all.py`, whose steps are three scripts of this test: the second one fails."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmarks_all", BENCHMARKS / "all.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    steps = {name: (f"{name}.py", "--each", "2") for name in ("first", "second", "third")}
    for name in (*steps, "readme"):
        lines = f"import sys, pathlib\npathlib.Path(r'{tmp_path}/ran').open('a').write('{name} ')\n"
        (tmp_path / f"{name}.py").write_text(lines + ("sys.exit(1)" if name == "second" else ""))
    replaced = {"FOLDER": tmp_path, "MADE": tmp_path / "made.json"}
    for name, value in replaced.items():
        monkeypatch.setattr(module, name, value)
    module.real_steps = dict(module.STEPS)  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "STEPS", steps)
    return module


def options(figures: ModuleType, **given: object) -> argparse.Namespace:
    usual = {"only": list(figures.STEPS), "again": False, "minutes": float("inf")}
    return argparse.Namespace(**(usual | given))


def test_every_benchmark_is_a_step(figures: ModuleType) -> None:
    """A script that measures and is no step would be forgotten when the model changes."""
    scripts = {path.name for path in BENCHMARKS.glob("*.py") if '__name__ == "__main__"' in path.read_text()}
    assert {step[0] for step in figures.real_steps.values()} == scripts - NO_FIGURES


def test_the_same_command_goes_on(figures: ModuleType, tmp_path: Path) -> None:
    """One that failed is named and run again, the others are not; the pages are written after each."""
    assert figures.make(options(figures)) == ["second"]
    assert (tmp_path / "ran").read_text().split() == ["first", "readme", "second", "third", "readme"]
    made = json.loads((tmp_path / "made.json").read_text())
    assert list(made) == ["first", "third"]
    assert made["first"].keys() == {"weights", "commit", "machine", "date", "minutes"}
    (tmp_path / "second.py").write_text("")
    assert figures.make(options(figures)) == []
    assert (tmp_path / "ran").read_text().split().count("first") == 1


def test_other_weights_make_all_of_it_anew(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second.py").write_text("")
    figures.make(options(figures))
    monkeypatch.setattr(figures.record, "weights", lambda: "others")
    figures.make(options(figures, only=["first"]))
    assert (tmp_path / "ran").read_text().split().count("first") == 2


def test_nothing_begins_when_the_time_is_over(figures: ModuleType, tmp_path: Path) -> None:
    assert figures.make(options(figures, minutes=0)) == ["first", "second", "third"]
    assert not (tmp_path / "ran").exists()
