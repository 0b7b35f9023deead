"""Finding subjects again, on attention whose segments are known."""

import math

import pytest
import torch
from attention_control.attention_patches.contract.call.qkv import QKV
from attention_control.attention_patches.methods.bounded_attention.refinement import (
    Evidence,
    assigned,
    by_column,
    evidence,
    refine,
    with_boxes_of_lost,
)

from .blocks import four_regions, own_region

REGIONS = four_regions()  # 8 x 12: background 0, and three blocks


def words(*regions, grid=REGIONS):
    """(S, N): each word is looked at from its region, faintly from everywhere."""
    maps = [0.02 + 0.3 * grid.eq(region).float().flatten() for region in regions]
    return torch.stack(maps)


def boxes_round(*regions):
    """(S, N): the blocks with a cell more on every side."""
    grown = [torch.nn.functional.max_pool2d(REGIONS.eq(r).float()[None], 3, 1, 1)[0] for r in regions]
    return torch.stack([mask.flatten() for mask in grown])


def of_regions(*regions):
    return torch.stack([REGIONS.eq(region).float().flatten() for region in regions])


def test_subjects_are_found_in_their_boxes():
    """From boxes that are too large, their true outlines."""
    own = own_region(REGIONS, noise=0.02)
    boxes = boxes_round(1, 2)
    got = refine(own, words(1, 2), boxes, boxes, 6, 0, None)
    assert torch.equal(got.masks, of_regions(1, 2)) and got.lost == ()


def test_found_again_from_the_centres_before():
    """Warm-started, and the same for the same seed."""
    own = own_region(REGIONS, noise=0.02)
    boxes = boxes_round(1, 2, 3)
    first = refine(own, words(1, 2, 3), boxes, boxes, 9, 7, None)
    assert torch.equal(first.centres, refine(own, words(1, 2, 3), boxes, boxes, 9, 7, None).centres)
    noisy = own_region(REGIONS, noise=0.05, seed=1)
    again = refine(noisy, words(1, 2, 3), first.masks, boxes, 9, 7, first.centres)
    assert torch.equal(again.masks, of_regions(1, 2, 3))
    assert not torch.equal(again.centres, first.centres)


def test_more_clusters_than_cells():
    """A small grid has no more clusters than cells."""
    own, all_ = torch.eye(4), torch.ones(2, 4)
    refined = refine(own, torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]), all_, all_, 6, 0, None)
    assert refined.masks.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_a_subject_that_vanishes_keeps_its_box():
    """And the others leave it."""
    own = own_region(REGIONS, noise=0.02)
    maps = words(1, 2)
    maps[1] = 0
    boxes = boxes_round(1, 2)
    got = refine(own, maps, boxes, boxes, 6, 0, None)
    assert got.lost == (1,)
    assert torch.equal(got.masks[1], boxes[1])
    assert torch.equal(got.masks[0], of_regions(1)[0] * (1 - boxes[1]))


def test_one_lost_subject_may_cost_another_its_cells():
    """That one keeps its box, too; boxes that are kept may overlap."""
    masks = torch.tensor([[0.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    boxes = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    got, lost = with_boxes_of_lost(masks, boxes)
    assert got.tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]] and lost == (0, 1)
    assert masks.sum() == 2, "the masks given stay as they are"


SMALL = 1e-5  # what the authors add to what they divide by


@pytest.mark.parametrize("largest", [1.0, 1e-3, 1e-5])
def test_evidence_is_the_authors(largest):
    """Against their formula in numbers, for words that are seen much and little; none outside the mask so
    far."""
    maps, masks = torch.rand(2, 9, generator=torch.Generator().manual_seed(0)), torch.ones(2, 9)
    maps, masks[0, 4:] = maps * largest, 0
    got = evidence(maps, masks)
    for s in (0, 1):
        m = [float(x) for x in maps[s]]
        sharp = [1 / (1 + math.exp(-10 * (x / (max(m) + SMALL) - 0.2))) for x in m]
        span = max(sharp) - min(sharp) + SMALL
        for p in range(9):
            expected = (sharp[p] - min(sharp)) / span * float(masks[s, p])
            assert abs(float(got[s, p]) - expected) < 1e-6


def test_weak_clusters_are_background():
    """Below a score of 0.2 they belong to nobody, else to the best."""
    found = torch.tensor([0, 0, 1, 1, 2, 2])
    shares = torch.tensor([[1.0, 1, 0.3, 0.3, 0.1, 0.1], [0, 0, 0.9, 0.9, 0.15, 0.15]])
    assert assigned(found, 3, shares).tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]]
    # against the smaller of the two: 0.3 of 0.3, not of the cluster's 2
    small = torch.tensor([[1.0, 1, 0.3, 0.3, 0, 0], [0, 0, 0, 0, 0.3, 0]])
    assert assigned(found, 3, small).tolist() == [[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


def test_columns_are_measured_by_their_largest_value():
    """A key that all look at a little counts nearly as much as one that all look at; one that next to nobody
    looks at counts less."""
    own = torch.tensor([[0.8, 0.1, 4e-5], [0.4, 0.05, 1e-5]])
    expected = [[x / (max(column) + SMALL) for x in column] for column in own.double().T.tolist()]
    assert torch.allclose(by_column(own).double(), torch.tensor(expected).double().T, atol=1e-7)
    assert by_column(own)[0].tolist() == pytest.approx([1.0, 1.0, 0.8], abs=1e-4)
    assert by_column(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))[:, 1].tolist() == [0, 0]


def test_gathered_attention_is_the_mean():
    """Of heads and calls, for each image, with the copies of a repeated text together."""
    generator = torch.Generator().manual_seed(0)
    calls = [[torch.randn(4, 2, n, 8, generator=generator) for n in (6, 6, 6)] for _ in range(2)]
    gathered = Evidence()
    rows, leading = slice(2, 4), [(1,), (2, 0)]
    for q, k, v in calls:
        gathered.add_self(QKV(q, k, v), rows)
        gathered.add_cross(QKV(q, k, v), rows, 3, leading)
    maps = [(q.double() @ k.double().mT / 8**0.5).softmax(-1)[rows].mean(1) for q, k, _ in calls]
    mean = (maps[0] + maps[1]) / 2
    for image in (0, 1):
        assert torch.allclose(gathered.own[image].values.double(), mean[image], atol=1e-6)
        folded = mean[image][:, :3] + mean[image][:, 3:]
        assert torch.allclose(gathered.words[image].values.T.double(), folded[:, leading[image]].T, atol=1e-6)
