"""Where each token looks at some times, as files for the browser."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .atlas import row_atlas, shrunk_grid, shrunk_rows
from .detail import Grid

Save = Callable[[NDArray[np.uint8]], dict[str, str]]
"""Writes pixels, gray or colour, and returns how the browser asks for them."""
Entries = list[dict[str, Any]]


def row_files(
    save: Save,
    layer: int | None,
    moments: list[Tensor],
    grid: Grid,
    slices: Sequence[int],
    mean: int,
    moment: int,
) -> Entries:
    """Files of the mean over these times and of each of several, with so many tokens (0: none)."""
    small = [shrunk_rows(rows, grid, moment) for rows in moments] if moment else []
    files: list[tuple[int | None, Tensor, int]] = []
    if mean:  # a sum will do: each row is divided by its maximum
        total = _sum(small) if mean == moment else shrunk_rows(_sum(moments), grid, mean)
        files.append((None, total, mean))
    if len(moments) > 1 or not mean:
        files += [(s, rows, moment) for s, rows in zip(slices, small, strict=False)]
    return [
        {
            "layer": layer,
            "slice": slice_,
            "file": save(row_atlas(rows)),
            "grid": list(shrunk_grid(grid, limit)),
        }
        for slice_, rows, limit in files
    ]


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    return reduce(torch.add, tensors)
