"""Where the windows of a picture lie, and how much each says of its cells."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ...contract.views import Cells

Weighting = Literal["uniform", "gaussian"]

DEVIATION = 0.1  # of Mixture of Diffusers' weight, in sides of the window


def starts(side: int, window: int, stride: int, wrap: bool = False) -> list[int]:
    """Where windows begin along a side, all in cells: at 0, stride, 2 * stride, ..., the last one clamped to
    the edge; a side no longer than the window is one window. Going round they begin at each multiple of the
    stride below the side, however short."""
    if wrap:
        return list(range(0, side, stride))
    if side <= window:
        return [0]
    return [*range(0, side - window, stride), side - window]


@dataclass(frozen=True)
class Windows:
    """The windows of latents of `size`; sizes are (height, width) in cells."""

    size: tuple[int, int]
    window: tuple[int, int]
    stride: int
    wrap: bool = False
    weighting: Weighting = "uniform"

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of each, in cells: no larger than the picture."""
        return min(self.window[0], self.size[0]), min(self.window[1], self.size[1])

    @cached_property
    def cells(self) -> tuple[Cells, ...]:
        """All of them, row by row."""
        rows = starts(self.size[0], self.window[0], self.stride)
        columns = starts(self.size[1], self.window[1], self.stride, self.wrap)
        return tuple(Cells(top, left, *self.shape) for top in rows for left in columns)

    @property
    def one(self) -> bool:
        """Whether there is only the picture itself."""
        return len(self.cells) == 1

    @property
    def closed(self) -> bool:
        """Whether any of them goes round the right edge."""
        return any(cells.left + cells.width > self.size[1] for cells in self.cells)

    @cached_property
    def weights(self) -> Tensor:
        """(h, w) float32: what the cells of each window weigh.

        Gaussian is the weight of Mixture of Diffusers (Jimenez, 2023, section 3.1), per axis
        exp(-((i - (n - 1) / 2) / n)^2 / (2 * 0.1^2)) for cell i of n.
        """
        height, width = self.shape
        if self.weighting == "uniform":
            return torch.ones(height, width)
        return _bell(height)[:, None] * _bell(width)


def _bell(n: int) -> Tensor:
    places = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) / n
    return torch.exp(-places.square() / (2 * DEVIATION**2)).float()
