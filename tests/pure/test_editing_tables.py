"""What the benchmark of edits writes beside its aims."""

from types import ModuleType

import pytest

from pack import ROOT

SAMPLED = ("plain, same seed", "P2P", "P2P, blend", "P2P, as advised", "img2img")
SCENES = ("P2P of a scene", "PnP of a scene", "img2img of a scene")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/measure/editing/tables.py`."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from measure.editing import tables

    return tables


def measured(edit: float, rest: float, psnr: float) -> dict[str, dict[str, float]]:
    """The figures of one way for 25 edits of a kind."""
    means = {"edit": edit, "rest": rest, "PSNR": psnr, "structure IoU": 0.5}
    return {name: {"mean": mean, "of": 25} for name, mean in means.items()}


def test_both_of_sampled_pictures_and_of_scenes_stand_beside_the_aims(tables: ModuleType) -> None:
    """Over the kinds that the blend is for; a share of 25 edits with mean 0.5 has an error of ten points, the
    mean of two such of seven."""
    ways = {way: measured(0.5, 1.0, 30.0) for way in (*SAMPLED, *SCENES)}
    higher = {**ways, "P2P of a scene": measured(0.5, 0.5, 40.0), "img2img of a scene": measured(1, 0, 20)}
    style = {way: measured(0.0, 0.0, 0.0) for way in ways if way != "P2P, blend"}
    lines = tables.beside_aims({"subject": ways, "colour": higher, "style": style})
    assert lines == [
        ["aim", "80%", "90%", "35.0"],
        ["P2P, blend", "50% ± 7", "100% ± 0", "30.0"],
        ["P2P, as advised", "50% ± 7", "100% ± 0", "30.0"],
        ["img2img", "50% ± 7", "100% ± 0", "30.0"],
        ["P2P of a scene", "50% ± 7", "75% ± 5", "35.0"],
        ["img2img of a scene", "75% ± 5", "50% ± 0", "25.0"],
    ]
