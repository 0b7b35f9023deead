"""Boxes and masks of the picture as cells of a grid, and what of them lies in a part of the picture.

Boxes become cells as in Bounded Attention (Dahary et al., "Be Yourself", ECCV 2024): rows round(y0 h) to
round(y1 h), columns likewise. There a thin box can vanish on a coarse grid; here it keeps the cells nearest
to its middle.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..contract.call.site import Window

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) as fractions of the picture's width and height."""


def span(start: float, stop: float, cells: int) -> slice:
    """The cells from one fraction of a side to another."""
    first, last = round(start * cells), round(stop * cells)
    if first == last:  # thinner than a cell
        first = min(int((start + stop) / 2 * cells), cells - 1)
        last = first + 1
    return slice(first, last)


def crop(masks: Tensor, window: Window) -> Tensor:
    """The part of masks (..., H, W) that lies in a window, at least one row and column of it."""
    height, width = masks.shape[-2:]
    if window.right > 1:  # it goes round
        masks, width = torch.cat([masks, masks], -1), 2 * width
        window = replace(window, left=window.left / 2, right=window.right / 2)
    rows, columns = span(window.top, window.bottom, height), span(window.left, window.right, width)
    return masks[..., rows, columns]


def cut(box: Box, window: Window) -> Iterator[Box]:
    """A box in fractions of the picture, in fractions of a part of it: none if it lies outside, two if the
    part goes round and begins and ends in it."""
    x0, y0, x1, y1 = box
    top, bottom = _fraction(y0, window.top, window.bottom), _fraction(y1, window.top, window.bottom)
    for turn in (0, 1):
        left = _fraction(x0 + turn, window.left, window.right)
        right = _fraction(x1 + turn, window.left, window.right)
        if left < right and top < bottom:
            yield left, top, right, bottom


def _fraction(place: float, start: float, stop: float) -> float:
    """Of a part of a side; what differs by rounding is the same."""
    return round(min(max((place - start) / (stop - start), 0.0), 1.0), 6)


def covered_cells(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """(H, W) in 0..1 -> (h, w) bool: the cells that are covered to a half or more, else those most covered.

    Raises ValueError if the mask is empty.
    """
    if not mask.any():
        raise ValueError("the mask of a subject is empty; paint where the subject should be")
    shares = F.interpolate(mask.float()[None, None], grid, mode="area")[0, 0]
    return shares >= min(0.5, float(shares.max()))


def background(masks: Tensor) -> Tensor:
    """(S, N) -> (N,) float: 1 where no subject is."""
    return (masks.sum(0) == 0).to(masks.dtype)
