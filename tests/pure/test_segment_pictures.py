"""Drawings and tables of segments."""

import pytest
import torch
from attention_control.attention_patches.maps.self_segmentation.segmentation import Segmentation
from attention_control.nodes.pictures.segment_table import segment_tables
from attention_control.nodes.pictures.segments import draw_segments, drawn_size

from .blocks import four_regions

NAMES = ["cat", "red hat"]
SCORES = torch.tensor([[0.02, 0.01], [0.654, 0.1], [0.2, 0.187], [0.05, 0.06]])
FOUND = Segmentation(four_regions(), SCORES, (None, 0, 1, None))
GRAY = 0.5


def drawing(found=FOUND, names=NAMES, size=(80, 120), picture=None):
    """The drawing on a gray picture."""
    picture = torch.full((*size, 3), GRAY) if picture is None else picture
    return draw_segments(picture, found.enlarged(size), found, names)


def at(drawn, row, column):
    """The colour at a place of the 8 x 12 grid, away from labels in the segment's middle."""
    height, width = drawn.shape[:2]
    return drawn[round(row / 8 * height), round(column / 12 * width)]


def saturation(colour):
    """0 for gray."""
    return float(colour.max() - colour.min())


@pytest.mark.parametrize("size", [(80, 120), (120, 80), (37, 61)])
def test_small_pictures_are_enlarged(size):
    """Labels on them can be read; the aspect ratio stays."""
    height, width = drawn_size(*size)
    assert max(height, width) == 768
    assert abs(height / width - size[0] / size[1]) < 0.01
    assert drawing(size=size).shape == (height, width, 3)


def test_large_pictures_keep_their_size():
    """Nothing is made smaller."""
    assert drawn_size(1024, 640) == (1024, 640)


def test_subjects_have_colours_and_the_background_has_none():
    """Each subject another tint; background is gray and darker than the picture."""
    drawn = drawing()
    cat, hat = at(drawn, 1.4, 1.4), at(drawn, 2.4, 10.6)
    backgrounds = at(drawn, 0.4, 6), at(drawn, 7.7, 3.4)
    assert saturation(cat) > 0.08 and saturation(hat) > 0.08
    assert (cat - hat).abs().max() > 0.08
    for background in backgrounds:
        assert saturation(background) < 0.02 and background.max() < GRAY


def test_a_colour_belongs_to_a_subject():
    """Two segments of one subject look alike."""
    both = Segmentation(FOUND.clusters, SCORES, (None, 0, 0, None))
    drawn = drawing(both)
    assert torch.allclose(at(drawn, 1.4, 1.4), at(drawn, 2.4, 10.6), atol=0.02)


def test_a_subject_keeps_its_look():
    """Its own colours show through, and are not dimmed."""
    picture = torch.tensor([0.8, 0.2, 0.1]).expand(80, 120, 3)
    seen = at(drawing(picture=picture), 1.4, 1.4)
    assert (seen - picture[0, 0]).abs().max() < 0.2 and seen.argmax() == 0


def test_subjects_have_a_rim_of_their_colour():
    """Strong just inside the border, and another one for each subject."""
    drawn = drawing()
    cat = max(drawn[280, 60:90], key=saturation)  # the cat begins at column 64, the hat ends at 704
    hat = max(drawn[280, 680:705], key=saturation)
    assert saturation(cat) > 0.7 and saturation(hat) > 0.7
    assert (cat - hat).abs().max() > 0.5


def test_borders_of_subjects_are_white():
    """Those between segments of the background are lighter than it, but fainter."""
    drawn = drawing()
    border = drawn[280, 50:80].min(-1).values.max()  # the cat begins at column 64
    faint = drawn[500, 180:205].min(-1).values.max()  # the fourth segment, background, begins at 192
    assert border > 0.95
    assert drawn[500, 10:170].max() + 0.1 < faint < 0.8


def test_labels_do_not_hide_each_other():
    """Many segments at one place: each label has a dark ground of its own in the picture."""
    stripes = (torch.arange(12) // 3).repeat(8, 1)
    found = Segmentation(stripes, torch.full((4, 1), 0.5), (0, 0, 0, 0))
    drawn = drawing(found, ["a rather long name"], picture=torch.ones(80, 120, 3))
    dark = (drawn.max(-1).values < 0.3).float().mean()
    single = Segmentation(torch.zeros(8, 12, dtype=torch.long), torch.full((1, 1), 0.5), (0,))
    one = (
        drawing(single, ["a rather long name"], picture=torch.ones(80, 120, 3)).max(-1).values < 0.3
    ).float()
    assert abs(float(dark / one.mean()) - 4) < 0.2


@pytest.mark.parametrize("size", [(24, 400), (400, 24), (9, 9)])
def test_narrow_pictures_are_drawn(size):
    """Labels that do not fit are cut off, and nothing fails."""
    assert torch.isfinite(drawing(size=size)).all()


def test_segments_that_sharpening_swallowed_have_no_label():
    """A segment without a pixel is left out of the drawing."""
    clusters = torch.zeros(80, 120, dtype=torch.long)
    picture = torch.full((80, 120, 3), GRAY)
    assert draw_segments(picture, clusters, FOUND, NAMES).shape == (512, 768, 3)


def test_the_table_says_what_each_segment_is():
    """Numbers, labels, areas and all scores, a table for each image."""
    lines = segment_tables([FOUND, FOUND], NAMES).splitlines()
    assert [line for line in lines if line.startswith("Image")] == ["Image 0", "Image 1"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    assert rows[0] == ["segment", "label", "area", "score: cat", "score: red hat"]
    assert rows[2:6] == [
        ["1", "background", "65%", "0.02", "0.01"],
        ["2", "cat", "17%", "0.65", "0.10"],
        ["3", "red hat", "12%", "0.20", "0.19"],
        ["4", "background", "6%", "0.05", "0.06"],
    ]
    assert len({len(line) for line in lines if "|" in line}) == 1


def test_the_table_names_subjects_without_a_segment():
    """With the score that was not enough."""
    found = Segmentation(FOUND.clusters, SCORES, (None, 0, None, None))
    report = segment_tables([found], NAMES)
    assert "red hat: no segment, the mask is empty; the best score is 0.19." in report
    assert "cat: no segment" not in report
