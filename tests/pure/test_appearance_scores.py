"""The measures of the appearance benchmark, on pictures whose answer is known."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.demo_model.judge import Found, Verdict
from attention_control.demo_model.world import Scene, Subject

from pack import ROOT


@pytest.fixture
def bench(monkeypatch):
    """The benchmark's own modules, which its script is made of."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from measure.appearance import pairs, scores
    from measure.reading import subject_reader

    return SimpleNamespace(pairs=pairs, scores=scores, reader=subject_reader)


def picture(bench, noun, colour, style, rgb, rows):
    mask = torch.zeros(128, 128, dtype=torch.bool)
    mask[rows, 20:60] = True
    image = torch.where(mask[..., None], torch.tensor(rgb), torch.full((3,), 0.9))
    scene = Scene(128, 128, style, "snow", (0.0, 0.0), (Subject(noun, colour, 20, 20, 40, "noto"),))
    return bench.pairs.Shown(image, mask, scene)


def pair(bench):
    return bench.pairs.Pair(
        picture(bench, "cat", "red", "clay", (0.8, 0.1, 0.1), slice(20, 60)),
        picture(bench, "house", "blue", "flat", (0.1, 0.1, 0.8), slice(40, 90)),
    )


def verdict(noun, colour, **styles):
    best = max(styles, key=lambda style: styles[style])
    return Verdict((Found(noun, colour, best, (20, 20, 60, 60), 0.9),), best, styles, "snow")


def test_the_structure_itself_has_moved_nothing(bench):
    """All of the shape, none of the colours, the old style's word and colour."""
    two = pair(bench)
    judged = verdict("cat", "red", clay=0.9, flat=0.1)
    found = bench.scores.measure(two, two.structure.image, two.structure.mask, judged)
    assert found == pytest.approx(
        {"structure IoU": 1, "colours moved": 0, "style": 0.1, "colour word": 0, "subject": 1}, abs=1e-5
    )


def test_its_shape_in_the_other_colours_has_moved_all(bench):
    """What a perfect transfer scores; half of the way in colour scores a half."""
    two = pair(bench)
    judged = verdict("cat", "blue", clay=0.2, flat=0.8)
    for share in (0.5, 1.0):
        mixed = torch.lerp(torch.tensor((0.8, 0.1, 0.1)), torch.tensor((0.1, 0.1, 0.8)), share)
        image = torch.where(two.structure.mask[..., None], mixed, two.structure.image)
        found = bench.scores.measure(two, image, two.structure.mask, judged)
        assert found["colours moved"] == pytest.approx(share, abs=1e-4)
    assert (found["style"], found["colour word"], found["structure IoU"]) == (0.8, 1, 1)


def test_the_appearance_itself_keeps_no_more_than_where_the_two_lie_over_each_other(bench):
    """A copy of the appearance has all of its colours, and the IoU of the two masks."""
    two = pair(bench)
    other = two.appearance
    found = bench.scores.measure(two, other.image, other.mask, verdict("house", "blue", flat=1.0))
    assert found["structure IoU"] == pytest.approx(20 / 70)
    assert (found["colours moved"], found["subject"]) == (pytest.approx(1), 0)


def test_a_subject_that_is_gone_keeps_nothing(bench):
    """No mask, no judged subject: the colours are those of the whole picture."""
    two = pair(bench)
    nothing = torch.zeros_like(two.structure.mask)
    found = bench.scores.measure(
        two, two.structure.image, nothing, Verdict((), "flat", {"clay": 0.5, "flat": 0.5}, "snow")
    )
    assert (found["structure IoU"], found["subject"], found["colour word"]) == (0, 0, 0)


def test_iou(bench):
    """Two of six cells, and no division by nothing."""
    a = torch.tensor([True, True, True, True, False, False])
    b = torch.tensor([False, False, True, True, True, True])
    assert bench.reader.iou(a, b) == pytest.approx(2 / 6)
    assert bench.reader.iou(a & ~a, b & ~b) == 0
