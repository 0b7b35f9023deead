"""Many maps in one 8-bit picture, small enough for a browser."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Atlas = NDArray[np.uint8]


def tile_atlas(maps: Tensor) -> tuple[Atlas, list[list[float]]]:
    """Maps (rows, columns, h, w) as tiles of one gray picture (rows * h, columns * w), and their maxima.

    Each tile is divided by its maximum: 255 there stands for `scale[row][column]`.
    """
    scale = maps.amax((-2, -1))
    tiles = _eight_bit(maps / _above_zero(scale)[..., None, None])
    return tiles.transpose(0, 2, 1, 3).reshape(
        maps.shape[0] * maps.shape[2], maps.shape[1] * maps.shape[3]
    ), [[float(f"{value:.6g}") for value in row] for row in scale.tolist()]


def row_atlas(rows: Tensor) -> Atlas:
    """(n, N) as a gray picture: row n is where token n looks, divided by its own maximum."""
    return _eight_bit(rows / _above_zero(rows.amax(-1, keepdim=True)))


def shrunk(maps: Tensor, limit: int) -> Tensor:
    """(rows, columns, h, w) halved by area until a map has at most `limit` cells."""
    grid = shrunk_grid((maps.shape[-2], maps.shape[-1]), limit)
    return maps if grid == maps.shape[-2:] else F.interpolate(maps, grid, mode="area")


def shrunk_rows(rows: Tensor, grid: tuple[int, int], limit: int) -> Tensor:
    """(N, N) between the tokens of a grid -> (n, n) between those of the shrunk one, by means."""
    small = shrunk_grid(grid, limit)
    if small == grid:
        return rows
    by_key = F.interpolate(rows.unflatten(1, grid)[None], small, mode="area")[0].flatten(1)  # (N, n)
    return F.interpolate(by_key.T.unflatten(1, grid)[None], small, mode="area")[0].flatten(1).T


def shrunk_grid(grid: tuple[int, int], limit: int) -> tuple[int, int]:
    """A grid halved, rounded up, until it has at most `limit` cells."""
    h, w = grid
    while h * w > limit:
        h, w = (h + 1) // 2, (w + 1) // 2
    return h, w


def _eight_bit(values: Tensor) -> Atlas:
    eight_bit: Atlas = (values * 255).round().byte().cpu().numpy()
    return eight_bit


def _above_zero(values: Tensor) -> Tensor:
    return values.clamp(min=torch.finfo(values.dtype).tiny)
