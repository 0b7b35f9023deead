"""Leakage between subjects, on attention that leaks by known amounts; and its figure and table."""

from dataclasses import replace

import pytest
import torch
from attention_control.attention_patches.layout.leakage import leakage
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.maps.recorded import AttentionMaps
from attention_control.nodes.pictures.colour_maps import colour_bytes, subject_colour
from attention_control.nodes.pictures.leakage_figure import draw_leakage
from attention_control.nodes.pictures.leakage_table import leakage_tables

from .blocks import maps_of

LEFT, RIGHT = (0.0, 0.0, 0.25, 1.0), (0.5, 0.0, 1.0, 1.0)
LAYOUT = Layout(((Subject("ginger kitten", (2, 3), (LEFT,)), Subject("gray puppy", (5,), (RIGHT,))),))
WORDS = [
    [0.6, 0.3, 0.1],
    [0.5, 0.2, 0.3],
]  # in the kitten's box, in the puppy's, outside
PIXELS = [[0.5, 0.4, 0.1], [0.3, 0.6, 0.1]]


def spread(shares, masks):
    """(S, N): the shares laid evenly over the places and what is left of the picture."""
    places = torch.cat([masks, (masks.sum(0) == 0).float()[None]])
    return torch.tensor(shares) @ (places / places.sum(1, keepdim=True))


def layer(grid, strengths=(0.2, 0.2)):
    """One layer whose words and pixels are spread as above; of each word N times its strength."""
    masks = LAYOUT.masks(grid, 0)
    n = grid[0] * grid[1]
    cross = torch.full((n, 8), 0.001)
    seen = spread(WORDS, masks) * n
    cross[:, 2] = cross[:, 3] = seen[0] * strengths[0]
    cross[:, 5] = seen[1] * strengths[1]
    rows = torch.full((n, n), 1 / n)
    for subject, row in enumerate(spread(PIXELS, masks)):
        rows[masks[subject] > 0] = row
    return grid, rows, cross


MAPS = maps_of([layer((4, 8)), layer((2, 4))])


def test_shares_are_those_that_were_laid_out():
    """In layers of any grid; rows are subjects, columns places."""
    found = leakage(MAPS, LAYOUT, image=0)
    assert torch.allclose(found.words, torch.tensor(WORDS), atol=2e-3)
    assert torch.allclose(found.pixels, torch.tensor(PIXELS), atol=2e-3)
    assert found.areas.tolist() == [0.25, 0.5] and found.queries is None


def test_mean_over_the_chosen_layers():
    """Each layer counts the same."""
    other = maps_of([layer((4, 8)), ((2, 4), torch.full((8, 8), 1 / 8), torch.full((8, 8), 1 / 8))])
    even = torch.tensor([[0.25, 0.5, 0.25]] * 2)
    assert torch.allclose(leakage(other, LAYOUT, image=0, layers={2}).words, even, atol=2e-3)
    both = leakage(other, LAYOUT, image=0)
    assert torch.allclose(both.words, (torch.tensor(WORDS) + even) / 2, atol=2e-3)
    assert torch.allclose(both.pixels, (torch.tensor(PIXELS) + even) / 2, atol=2e-3)


def test_neglected_subjects_are_named():
    """Those in whose box another's words are stronger, and those whose words are seen elsewhere."""
    found = leakage(MAPS, LAYOUT, image=0)
    assert (found.taken_by(0), found.taken_by(1)) == (None, 0)
    table = leakage_tables([found])
    assert "Neglected: 2 gray puppy: in its box the words of 1 ginger kitten are stronger." in table
    assert "Neglected: 1" not in table
    loud_puppy = maps_of([layer((4, 8), (0.1, 0.4))])
    table = leakage_tables([leakage(loud_puppy, LAYOUT, image=0)])
    assert "Neglected: 1 ginger kitten: in its box the words of 2 gray puppy are stronger." in table
    lonely = Layout((LAYOUT.images[0][1:],))
    table = leakage_tables([leakage(MAPS, lonely, image=0)])
    assert "Neglected: 1 gray puppy: its words are seen less in its box than elsewhere (0.40" in table


def test_words_of_two_subjects_leak_to_neither():
    """Two kittens of the same words: what is in the other's box is in their own."""
    kitten, puppy = LAYOUT.images[0]
    found = leakage(MAPS, Layout(((kitten, replace(kitten, boxes=puppy.boxes)),)), image=0)
    assert found.words_own(0) == pytest.approx(0.9, abs=2e-3)
    assert found.taken_by(0) is None and found.taken_by(1) is None
    assert found.concentration(1) == pytest.approx(0.9 / 0.75, abs=4e-3)


def test_boxes_of_the_same_words_may_overlap():
    """Their common place counts once: even attention is as dense in both as anywhere."""
    one = Subject("cat", (2,), ((0.0, 0.0, 0.75, 1.0),))
    even = maps_of([((1, 4), torch.full((4, 4), 0.25), torch.full((4, 8), 0.125))])
    found = leakage(even, Layout(((one, replace(one, boxes=((0.25, 0.0, 1.0, 1.0),))),)), image=0)
    assert [found.concentration(n) for n in (0, 1)] == pytest.approx([1.0, 1.0], abs=1e-3)


def test_common_cells_count_as_ones_own():
    """And cells of two others in equal parts."""
    boxes = [(0, 0, 0.5, 1), (0.25, 0, 0.75, 1), (0.25, 0, 1, 1)]
    layout = Layout((tuple(Subject(str(n), (n + 1,), (box,)) for n, box in enumerate(boxes)),))
    even = maps_of([((1, 4), torch.full((4, 4), 0.25), torch.full((4, 6), 1 / 6))])
    found = leakage(even, layout, image=0)
    assert torch.allclose(found.words[0], torch.tensor([0.5, 0.125, 0.375, 0]), atol=1e-3)
    assert torch.allclose(found.words[1], torch.tensor([0.25, 0.5, 0.25, 0]), atol=1e-3)


def with_queries(maps: AttentionMaps) -> AttentionMaps:
    """Queries that differ between the halves of the picture, and hardly within them."""
    grid = maps.layers[0].grid
    halves = (torch.arange(grid[0] * grid[1]) % grid[1] >= grid[1] // 2).float()
    q = 4 * halves[:, None] * torch.ones(6) + 0.1 * torch.randn(
        len(halves), 6, generator=torch.Generator().manual_seed(0)
    )
    q = q[None, None, None].expand(1, 1, 2, -1, -1).half()
    return replace(maps, layers=(replace(maps.layers[0], queries={"positive": q}), *maps.layers[1:]))


def test_queries_lie_apart_where_subjects_differ():
    """The first component tells the subjects, and the points carry their owners."""
    found = leakage(with_queries(MAPS), LAYOUT, image=0)
    assert found.owners.bincount().tolist() == [8, 16]
    first = found.queries[:, 0]
    gap = (first[found.owners == 0].mean() - first[found.owners == 1].mean()).abs()
    assert gap > 10 * found.queries[:, 1].std() > 0


def test_layers_without_queries_have_no_plot():
    """Also where other layers have some."""
    found = leakage(with_queries(MAPS), LAYOUT, image=0, layers={2})
    assert found.queries is None and found.words is not None


def test_what_was_not_recorded_is_left_out():
    """The figure has the panels that there are, and the report says how to get the scatter plot."""
    only_words = replace(MAPS, layers=tuple(replace(x, self_attention={}) for x in MAPS.layers))
    found = leakage(only_words, LAYOUT, image=0)
    assert found.pixels is None and found.words is not None
    report = leakage_tables([found])
    assert "| -" in report and "Switch on `queries_and_keys`" in report
    widths = [draw_leakage([x]).shape[2] for x in (found, leakage(MAPS, LAYOUT, image=0))]
    assert widths[0] < widths[1] < draw_leakage([leakage(with_queries(MAPS), LAYOUT, image=0)]).shape[2]
    with pytest.raises(ValueError, match="none of them was recorded"):
        leakage(MAPS, LAYOUT, image=0, layers={7})


def test_report_in_numbers():
    """The shares in percent, for each image."""
    report = leakage_tables([leakage(MAPS, LAYOUT, image=0)] * 2)
    row = [cell.strip() for cell in report.splitlines()[3].split("|")[1:-1]]
    assert row == ["1 ginger kitten", "25%", "60%", "30%", "10%", "50%", "40%", "10%"]
    assert report.splitlines()[0] == "image 0" and "image 1" in report


def test_figure_shows_the_matrices():
    """Brighter where more leaks, one size for pictures with different numbers of subjects."""
    one = Layout((LAYOUT.images[0][:1],))
    drawn = draw_leakage([leakage(with_queries(MAPS), LAYOUT, image=0), leakage(MAPS, one, image=0)])
    assert drawn.shape[0] == 2 and drawn.shape[3] == 3 and drawn.min() >= 0 and drawn.max() <= 1

    # rows begin 34 pixels below the panel's top and are 193 high; columns are 128.7 wide
    def shade(row, column):
        return float(drawn[0, 44 + 34 + 193 * row + 12, int(24 + 34 + 128.7 * column + 12)].mean())

    assert shade(0, 0) > shade(0, 1) > shade(0, 2)
    colours = {tuple(c) for c in (drawn[0, 44:464, 912:1332] * 255).round().int().flatten(0, 1).tolist()}
    assert {colour_bytes(subject_colour(n)) for n in (0, 1)} <= colours
