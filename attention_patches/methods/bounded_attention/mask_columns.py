"""Masks as biases of few columns.

Cells of the same subjects see the same. So a mask of cells and keys is a product of few columns, one for each
kind of cell that has anything closed: which cells are of that kind, times which keys are closed for it. A
cell is of one kind, so no two columns add up, and the product is the mask itself, however subjects overlap.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ...contract.call.column_bias import CLOSED, ColumnBias

Columns = tuple[Tensor, Tensor]
"""Of one row: cells (N, r) and keys (M, r)."""


def kinds_of_cells(masks: Tensor) -> tuple[Tensor, Tensor]:
    """(S, N) of 0 and 1, S > 0 -> the kind of each cell (N,), and the subjects of each of R kinds (S, R)."""
    owners, kinds = masks.unique(dim=1, return_inverse=True)
    return kinds, owners


def few_columns(closed: Tensor, kinds: Tensor) -> Columns:
    """What is closed for each kind of cell (R, M), and the kind of each cell (N,) -> cells (N, r) and keys
    (M, r)."""
    distinct, alike = closed.unique(dim=0, return_inverse=True)
    bounded = distinct.any(1)
    cells = F.one_hot(alike[kinds], len(distinct))[:, bounded]
    return cells.float(), CLOSED * distinct[bounded].T.float()


def nothing_closed(cells: int, keys: int) -> Columns:
    return torch.zeros(cells, 0), torch.zeros(keys, 0)


def side_by_side(rows: Sequence[Columns], like: Tensor) -> ColumnBias | None:
    """The rows of a call as one bias (rows, 1, N, M), of the type and on the device of `like`;
    None if nothing is closed."""
    most = max(cells.shape[1] for cells, _ in rows)
    if most == 0:
        return None
    with torch.inference_mode(False):  # whoever needs a gradient may use it as well
        cells, keys = (
            torch.stack([F.pad(row[side], (0, most - row[side].shape[1])) for row in rows])[:, None].to(like)
            for side in (0, 1)
        )
    return ColumnBias(cells, keys)
