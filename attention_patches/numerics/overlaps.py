"""How the cells of one division of a side lie on those of another."""

import torch
from torch import Tensor


def overlaps(start: float, stop: float, cells: int, pixels: int) -> Tensor:
    """(cells, pixels) float64: which part of each cell, on the way from one fraction of a side to another,
    each pixel of this side takes. Behind the end of the side it goes on at its beginning."""
    edges = torch.linspace(start, stop, cells + 1, dtype=torch.float64) * pixels
    first, last = edges[:-1, None], edges[1:, None]
    left = torch.arange(2 * pixels, dtype=torch.float64)
    inside = (torch.minimum(last, left + 1) - torch.maximum(first, left)).clamp(min=0)
    return (inside / (last - first)).unflatten(1, (2, pixels)).sum(1)
