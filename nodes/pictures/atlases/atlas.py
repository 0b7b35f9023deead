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
    while grid[0] * grid[1] > limit:
        rows, grid = _halved(rows, grid), _half(grid)
    return rows


def shrunk_grid(grid: tuple[int, int], limit: int) -> tuple[int, int]:
    """A grid halved, rounded up, until it has at most `limit` cells."""
    while grid[0] * grid[1] > limit:
        grid = _half(grid)
    return grid


def _half(grid: tuple[int, int]) -> tuple[int, int]:
    return (grid[0] + 1) // 2, (grid[1] + 1) // 2


def _halved(rows: Tensor, grid: tuple[int, int]) -> Tensor:
    """(N, N) -> (n, n): means over blocks of queries and blocks of keys."""
    h, w = _half(grid)
    if (2 * h, 2 * w) != grid:
        by_key = F.interpolate(rows.unflatten(1, grid)[None], (h, w), mode="area")[0].flatten(1)  # (N, n)
        return F.interpolate(by_key.T.unflatten(1, grid)[None], (h, w), mode="area")[0].flatten(1).T
    # sums of slices: several times faster than pooling
    q = rows.view(h, 2, w, 2, -1)
    by_query = (q[:, 0, :, 0] + q[:, 0, :, 1] + q[:, 1, :, 0] + q[:, 1, :, 1]).view(h * w, h, 2, w, 2)
    k = by_query[:, :, 0, :, 0] + by_query[:, :, 0, :, 1] + by_query[:, :, 1, :, 0] + by_query[:, :, 1, :, 1]
    return k.flatten(1) / 16


def _eight_bit(values: Tensor) -> Atlas:
    eight_bit: Atlas = (values * 255).round().byte().cpu().numpy()
    return eight_bit


def _above_zero(values: Tensor) -> Tensor:
    return values.clamp(min=torch.finfo(values.dtype).tiny)
