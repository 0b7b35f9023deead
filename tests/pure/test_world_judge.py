"""The judge reads pictures whose truth is known; eight held-out renders lie beside this file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from attention_control.demo_model.judge import Judge, Verdict, overlap
from PIL import Image

RENDERS = Path(__file__).with_name("test_world_renders.png")


@pytest.fixture(scope="module")
def truth() -> list[dict]:
    """Scenes of one to four subjects, with boxes."""
    return json.loads(RENDERS.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """(8, 128, 128, 3) in 0..1."""
    strip = torch.from_numpy(np.array(Image.open(RENDERS))).float() / 255
    return torch.stack(strip.split(128, 1))


@pytest.fixture(scope="module")
def verdicts(images) -> list[Verdict]:
    """What the judge says of the eight pictures."""
    return Judge.load()(images)


def test_the_judge_reads_renders(truth, verdicts):
    """On pictures as they are drawn the judge is nearly always right about everything."""
    assert [len(v.subjects) for v in verdicts] == [len(scene["subjects"]) for scene in truth]
    assert [v.background for v in verdicts] == [scene["background"] for scene in truth]
    assert sum(v.style == scene["style"] for v, scene in zip(verdicts, truth, strict=True)) >= 7
    right = []
    for verdict, scene in zip(verdicts, truth, strict=True):
        for subject, box in zip(scene["subjects"], scene["boxes"], strict=True):
            found = max(verdict.subjects, key=lambda s, box=box: overlap(s.box, box))
            assert overlap(found.box, box) > 0.5
            right += [found.noun == subject["noun"], found.colour == subject["colour"]]
    assert np.mean(right) >= 0.9


def test_a_verdict_follows_its_picture(images, verdicts):
    """Each picture is judged alone: order and company do not matter."""
    again = Judge.load()(images[[5, 2]])
    for verdict, other in zip(again, (verdicts[5], verdicts[2]), strict=True):
        assert [(s.noun, s.colour) for s in verdict.subjects] == [(s.noun, s.colour) for s in other.subjects]
        assert verdict.style == other.style and verdict.background == other.background


def test_style_probabilities_add_up(verdicts):
    """They are a distribution over the five styles, with the named style on top."""
    for verdict in verdicts:
        chances = verdict.style_probabilities
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
        assert verdict.style == max(chances, key=chances.__getitem__)


def test_an_empty_picture_has_no_subjects():
    """A plain grey canvas is judged without inventing a subject; the style is then only a guess."""
    (verdict,) = Judge.load()(torch.full((1, 64, 64, 3), 0.8))
    assert verdict.subjects == ()


def test_overlap_of_boxes():
    """Intersection over union: equal boxes 1, apart 0, half-shifted a third."""
    box = (0.0, 0.0, 10.0, 10.0)
    assert overlap(box, box) == 1
    assert overlap(box, (20.0, 0.0, 30.0, 10.0)) == 0
    assert overlap(box, (5.0, 0.0, 15.0, 10.0)) == pytest.approx(1 / 3)
