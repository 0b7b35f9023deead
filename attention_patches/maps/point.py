"""What one point of a picture looks at: in its own picture, or in another one of the batch."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from .averages import Layers, Slices, recorded_layers
from .correspondence import correspondence_of
from .recorded import AttentionMaps

Point = tuple[float, float]
"""(x, y) as fractions of the width and the height."""


def cell_at(point: Point, grid: tuple[int, int]) -> tuple[int, int]:
    """(row, column) of the token under a point."""
    (x, y), (h, w) = point, grid
    return min(int(y * h), h - 1), min(int(x * w), w - 1)


def token_at(point: Point, grid: tuple[int, int]) -> int:
    """Its number in the order of the tokens, row by row."""
    row, column = cell_at(point, grid)
    return row * grid[1] + column


def self_from(
    maps: AttentionMaps,
    point: Point,
    size: tuple[int, int],
    *,
    image: int = 0,
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(height, width) in float32: self-attention of the token under a point, mean over layers of any grid.

    As a density, so that coarse and fine layers count alike: 1 everywhere if the token looks everywhere.
    Raises ValueError if no such layer was recorded.
    """
    rows = []
    for layer in recorded_layers(maps, layers, role, "self_attention"):
        kept = layer.self_attention[role][:, image, :, token_at(point, layer.grid)]  # (slices, heads, N)
        chosen = kept if slices is None else kept[list(slices)]
        rows.append(chosen.float().mean((0, 1)).unflatten(0, layer.grid))
    return _mean_density(rows, size)


def correspondence_from(
    maps: AttentionMaps,
    point: Point,
    size: tuple[int, int],
    *,
    images: tuple[int, int],
    role: str = "positive",
    layers: Layers = None,
    slices: Slices = None,
) -> Tensor:
    """(height, width), a density: where in the second image the first one's point finds itself again."""
    rows = []
    for layer in recorded_layers(maps, layers, role, "queries"):
        row = correspondence_of(layer, images, role, slices, [token_at(point, layer.grid)])
        rows.append(row[0].unflatten(0, layer.grid))
    return _mean_density(rows, size)


def _mean_density(rows: Iterable[Tensor], size: tuple[int, int]) -> Tensor:
    """The mean of probabilities (h, w) on several grids, enlarged to one size."""
    enlarged = [
        F.interpolate((row * row.numel())[None, None], size, mode="bicubic").clamp(min=0)[0, 0]
        for row in rows
    ]
    return torch.stack(enlarged).mean(0)
