"""Intervals of paired differences."""

from types import ModuleType

import numpy as np
import pytest

from pack import ROOT


@pytest.fixture
def paired(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from measure.reading import paired

    return paired


def test_pairs_are_compared_case_by_case(paired: ModuleType) -> None:
    """Cases differ more than the two ways do, so only a paired interval leaves 0 out; it holds the truth."""
    rng = np.random.default_rng(0)
    cases = rng.normal(0, 5, 40)
    values = {"plain": {"x": list(cases)}, "other": {"x": list(cases + 0.5 + rng.normal(0, 0.3, 40))}}
    told = paired.told(values)
    assert told["plain"]["x"][1:] == [0, 0, 0]
    mean, apart, low, high = told["other"]["x"]
    assert mean == pytest.approx(np.mean(values["other"]["x"]))
    assert 0 < low < apart < high and low < 0.5 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.3 / 40**0.5, rel=0.3)


def test_one_case_has_no_interval(paired: ModuleType) -> None:
    assert paired.told({"a": {"x": [1.0]}, "b": {"x": [3.0]}})["b"]["x"] == [3.0, 2.0, 2.0, 2.0]
