"""Bounded Attention once more, from the paper's text: float64, cell by cell, for any grid."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from . import naive

Subjects = list[tuple[tuple[int, ...], tuple[float, float, float, float]]]  # (tokens, box)


def cells(box: tuple[float, ...], grid: tuple[int, int]) -> set[int]:
    """The cells of a box, row by row: the paper's rounding, and the middle's cell where that gives none."""
    (height, width), (x0, y0, x1, y1) = grid, box
    rows = list(range(round(y0 * height), round(y1 * height))) or [int((y0 + y1) / 2 * height)]
    columns = list(range(round(x0 * width), round(x1 * width))) or [int((x0 + x1) / 2 * width)]
    return {row * width + column for row in rows for column in columns}


def bounded(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    where: naive.Where,
    images: list[Subjects],
    fillers: tuple[int, ...],
    ends: tuple[int, ...],
) -> Tensor:
    """One chunk (b, H, N, d), each image by its own subjects; the negative's cross-attention is plain."""
    out = []
    for image, subjects in enumerate(images):
        one = [x[image].double() for x in (q, k, v)]
        if where.kind == "cross" and not where.positive:
            out.append(naive.attend(*one))
            continue
        open_ = seen(where.kind, where.grid, tuple(subjects), one[1].shape[1], fillers, ends)
        out.append(naive.attend(*one, open_.log()))
    return torch.stack(out)


@cache
def seen(
    kind: str,
    grid: tuple[int, int],
    subjects: tuple[tuple[tuple[int, ...], tuple[float, float, float, float]], ...],
    keys: int,
    fillers: tuple[int, ...],
    ends: tuple[int, ...],
) -> Tensor:
    """(cells, keys) in float64: 1 where a cell may look at a cell (self) or at a token (cross), and 0."""
    places = [cells(box, grid) for _, box in subjects]
    open_ = torch.zeros(grid[0] * grid[1], keys, dtype=torch.float64)
    for cell in range(open_.shape[0]):
        owners = [n for n, place in enumerate(places) if cell in place]
        for key in range(keys):
            if kind == "self":
                others = [n for n, place in enumerate(places) if key in place]
                sees: Any = not owners or not others or set(owners) & set(others)
            else:
                named = [n for n, (tokens, _) in enumerate(subjects) if key in tokens]
                sees = (
                    set(named) & set(owners) if named else key not in fillers and (owners or key not in ends)
                )
            open_[cell, key] = bool(sees)
    return open_
