"""Boxes and masks as cells of a grid."""

import pytest
import torch
from attention_control.attention_patches.contract.call.site import Window
from attention_control.attention_patches.layout.cells import background, crop
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.layout.subject_tokens import (
    filler_positions,
    repeated,
    subject_positions,
    text_ends,
)
from attention_control.attention_patches.text.words import PromptTokens, Word
from hypothesis import given, settings
from hypothesis import strategies as st

GRIDS = [(8, 8), (16, 16), (6, 11), (1, 5)]


def paper(boxes, grid):
    """The authors' way, for any grid, with loops."""
    height, width = grid
    rows = []
    for x0, y0, x1, y1 in boxes:
        mask = torch.zeros(height, width)
        for y in range(round(y0 * height), round(y1 * height)):
            for x in range(round(x0 * width), round(x1 * width)):
                mask[y, x] = 1
        rows.append(mask.flatten())
    return torch.stack(rows)


def boxes(smallest=1):
    """Any box in the picture with sides at 64ths, at least so many long."""
    side = st.integers(0, 64 - smallest).flatmap(
        lambda start: st.tuples(st.just(start / 64), st.integers(start + smallest, 64).map(lambda x: x / 64))
    )
    return st.tuples(side, side).map(lambda b: (b[0][0], b[1][0], b[0][1], b[1][1]))


def layout(*boxes, **further):
    return Layout((tuple(Subject(f"s{i}", (i + 1,), (box,)) for i, box in enumerate(boxes)),), **further)


@pytest.mark.parametrize("grid", [(8, 8), (16, 16), (6, 11)])
@settings(max_examples=40)
@given(found=st.lists(boxes(smallest=12), min_size=1, max_size=4))
def test_wide_boxes_are_the_papers(grid, found):
    """Boxes wider than a cell, overlapping or not, cover what the authors' rounding covers."""
    expected = paper(found, grid)
    got = layout(*found).masks(grid, 0)
    assert torch.equal(got, expected)


@pytest.mark.parametrize("grid", GRIDS)
@settings(max_examples=40)
@given(box=boxes())
def test_no_box_vanishes(grid, box):
    """However thin, it covers the cell of its middle."""
    cells = layout(box).masks(grid, 0)[0].unflatten(0, grid)
    assert cells[int((box[1] + box[3]) / 2 * grid[0]), int((box[0] + box[2]) / 2 * grid[1])]


def test_several_boxes_of_one_subject_are_joined():
    """A subject may be in two places at once."""
    left, right = (0.0, 0.0, 0.25, 1.0), (0.75, 0.0, 1.0, 1.0)
    both = Subject("two cats", (2,), (left, right)).cells((4, 8))
    assert both.tolist() == [[True, True, False, False, False, False, True, True]] * 4


def test_a_mask_covers_the_cells_that_it_half_fills():
    """By area, at any size; where no cell is half full, the fullest."""
    mask = torch.zeros(30, 40)
    mask[:, :24] = 1.0  # 2.4 of 4 columns
    assert Subject("cat", (1,), mask=mask).cells((3, 4)).tolist() == [[True, True, False, False]] * 3
    mask = torch.zeros(32, 32)
    mask[9, 20] = 1.0
    cells = Subject("cat", (1,), mask=mask).cells((8, 8))
    assert cells.nonzero().tolist() == [[2, 5]]


def test_a_mask_and_boxes_are_joined():
    """Both count."""
    mask = torch.zeros(4, 4)
    mask[0, 0] = 1.0
    cells = Subject("cat", (1,), ((0.5, 0.5, 1.0, 1.0),), mask).cells((2, 2))
    assert cells.tolist() == [[True, False], [False, True]]


def test_background_is_outside_all():
    """Where two subjects overlap, too, is no background."""
    masks = layout((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)).masks((1, 4), 0)
    assert background(masks).tolist() == [0, 0, 0, 1]


def test_layouts_of_images():
    """One layout counts for all images, several for one image each, and another number is refused."""
    a, b = (layout(box).images[0] for box in ((0, 0, 0.5, 1), (0.5, 0, 1, 1)))
    one, two = Layout((a,)), Layout((a, b))
    assert one.masks((1, 2), 5).tolist() == [[1, 0]]
    assert [two.masks((1, 2), i).tolist() for i in (0, 1)] == [[[1, 0]], [[0, 1]]]
    one.check(3)
    two.check(2)
    with pytest.raises(ValueError, match="boxes for 2 images, but the latent batch has 3"):
        two.check(3)
    assert Layout(((), ())).empty and not Layout(((), b)).empty
    assert Layout(((), b)).masks((2, 3), 0).shape == (0, 6)


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (0, 0.2, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 1, 1.5)])
def test_impossible_boxes_are_refused(box):
    """With the subject's name."""
    with pytest.raises(ValueError, match="box of 'cat'"):
        Subject("cat", (1,), (box,))


def test_a_subject_needs_a_place():
    """A box, or a mask with something in it."""
    with pytest.raises(ValueError, match="neither a box nor a mask"):
        Subject("cat", (1,))
    with pytest.raises(ValueError, match="empty"):
        Subject("cat", (1,), mask=torch.zeros(4, 4)).cells((2, 2))


def test_where_texts_end():
    """Behind the last token of each chunk; a text without words ends at once."""
    words = (Word("cat", (1, 2)), Word("dog", (3,)), Word("owl", (78,)))
    assert text_ends(PromptTokens("cat dog owl", words)) == (4, 79)
    assert text_ends(PromptTokens("", ())) == (1,)


def test_tokens_in_every_copy():
    """A text of 77 tokens that the host has repeated once."""
    assert repeated((1, 5), 77, 154) == [1, 5, 78, 82]
    assert repeated((1, 5), 77, 80) == [1, 5]


def prompt(text):
    """Each word is one token."""
    return PromptTokens(text, tuple(Word(w, (n,)) for n, w in enumerate(text.split(), start=1)))


def test_fillers_are_no_part_of_a_subject():
    """Its colour and its noun are, as in the paper, not its article or count, nor words such as `left`."""
    tokens = prompt("three ginger kittens and the owl 's nest , 2 , on the left one")
    assert filler_positions(tokens) == (1, 4, 5, 7, 10, 12, 13, 14, 15)
    assert filler_positions(tokens, ["nest"]) == (1, 4, 5, 7, 8, 10, 12, 13, 14, 15)
    assert subject_positions(tokens, "three ginger kittens") == (2, 3)
    assert subject_positions(tokens, "the") == (5, 13), "but for a phrase that has nothing else"
    with pytest.raises(ValueError, match="'dog' is not in the prompt"):
        subject_positions(tokens, "dog")


def test_joined_subjects():
    """Those of the same words become one, in all their places."""
    a, b = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)
    cats = Subject("cat", (1,), (a,)), Subject("dog", (2,), (a,)), Subject("cat", (1,), (b,))
    [[cat, dog]] = Layout((cats,), (3,), (4,)).joined().images
    assert cat == Subject("cat", (1,), (a, b)) and dog == cats[1]
    masks = [torch.eye(4)[[i]].expand(4, 4) for i in (0, 1)]
    [[both]] = Layout((tuple(Subject("cat", (1,), mask=mask) for mask in masks),)).joined().images
    assert torch.equal(both.mask, masks[0] + masks[1])


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.25, 1.0), (0.5, 0.5, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5)], ids=str)
def test_a_window_that_goes_round(box):
    """Behind the right edge comes the left one, for boxes as for masks."""
    whole = torch.arange(32).view(4, 8)
    window = Window(0.0, 0.75, 1.0, 1.25)
    assert torch.equal(crop(whole, window), whole.roll(2, 1)[:, :4])
    cells = Subject("cat", (1,), (box,)).cells((4, 8))
    inside = Subject("cat", (1,), (box,)).within(window)
    assert torch.equal(inside.cells((4, 4)), cells.roll(2, 1)[:, :4])
    assert torch.equal(Subject("cat", (1,), mask=cells).within(window).cells((4, 4)), inside.cells((4, 4)))
