"""Masks as products of few columns: the same masks, however subjects overlap."""

import pytest
import torch
from attention_control.attention_patches.contract.call.column_bias import CLOSED
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.bounds import cross_closed, self_closed
from attention_control.attention_patches.methods.bounded_attention.mask_columns import (
    few_columns,
    kinds_of_cells,
    nothing_closed,
    side_by_side,
)

BOX = ((0.0, 0.0, 1.0, 1.0),)
SUBJECTS = tuple(Subject(str(n), tokens, BOX) for n, tokens in enumerate([(2, 3), (3,), (5, 6), (7,)]))
LAYOUT = Layout((SUBJECTS,), fillers=(1, 4), ends=(8,))


def scattered(share, seed, subjects=4, cells=60):
    """(S, N): each cell belongs to each subject with this probability, so to several or to none."""
    return (torch.rand(subjects, cells, generator=torch.Generator().manual_seed(seed)) < share).float()


def apart(subjects=4, cells=60):
    """(S, N) that do not meet, with a background."""
    return torch.nn.functional.one_hot(torch.arange(cells) % (subjects + 1), subjects + 1).T[1:].float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("guiding", [False, True])
def test_the_product_is_the_mask(share, guiding, dtype):
    """To the bit, in every type: what is formed for each kind of cell is what is formed for each cell."""
    masks = scattered(share, seed=int(10 * share))
    kinds, owners = kinds_of_cells(masks)
    rows = [
        few_columns(self_closed(owners)[:, kinds], kinds),
        few_columns(cross_closed(owners, LAYOUT, 0, 10, 10, guiding), kinds),
    ]
    expected = [self_closed(masks), cross_closed(masks, LAYOUT, 0, 10, 10, guiding)]
    for row, closed in zip(rows, expected, strict=True):
        bias = side_by_side([row], torch.zeros((), dtype=dtype))
        made = torch.zeros(1, 1, *closed.shape, dtype=dtype) if bias is None else bias.mask(dtype)
        assert made.dtype == dtype and torch.equal(made[0, 0], CLOSED * closed.to(dtype))


def test_columns_are_few():
    """One for each subject where they stand apart; none for what closes nothing."""
    kinds, owners = kinds_of_cells(apart())
    assert few_columns(self_closed(owners)[:, kinds], kinds)[0].shape == (60, 4)
    kinds, owners = kinds_of_cells(scattered(0.5, seed=0, subjects=2))
    assert few_columns(self_closed(owners)[:, kinds], kinds)[0].shape == (60, 2)  # cells of both see all
    assert side_by_side([nothing_closed(60, 10)], torch.zeros(())) is None


def test_rows_with_more_columns_and_with_fewer_go_together():
    """Each keeps its own mask."""
    rows, expected = [nothing_closed(60, 60)], [torch.zeros(60, 60)]
    for masks in (apart(2), apart(4), scattered(0.5, seed=1)):
        kinds, owners = kinds_of_cells(masks)
        rows.append(few_columns(self_closed(owners)[:, kinds], kinds))
        expected.append(CLOSED * self_closed(masks).float())
    bias = side_by_side(rows, torch.zeros(()))
    assert torch.equal(bias.mask(torch.float32)[:, 0], torch.stack(expected))
