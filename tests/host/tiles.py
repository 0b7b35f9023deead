"""A node that computes pictures in tiles, as packs of tiled diffusion do in the host's place for that."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Tile = tuple[slice, slice]  # rows and columns of cells


def tiled(patcher: Any, height: int, width: int, stride: int, together: int = 1) -> Any:
    """A clone whose calls are cut into tiles of height x width cells, every `stride` cells to the right and
    at the end, and averaged; `together` of them share a call of the model, one below the other."""

    def in_tiles(apply_model: Callable[..., Tensor], args: dict[str, Any]) -> Tensor:
        x, t, given = args["input"], args["timestep"], args["c"]
        out, counts = torch.zeros_like(x), torch.zeros_like(x)
        last = max(x.shape[-1] - width, 0)
        tiles: list[Tile] = [
            (slice(0, height), slice(left, left + width)) for left in (*range(0, last, stride), last)
        ]
        for first in range(0, len(tiles), together):
            some = tiles[first : first + together]
            cut = torch.cat([x[:, :, rows, columns] for rows, columns in some])
            more = {name: _repeated(value, len(some)) for name, value in given.items()}
            seen = apply_model(cut, t.repeat(len(some)), **more).chunk(len(some))
            for (rows, columns), part in zip(some, seen, strict=True):
                out[:, :, rows, columns] += part
                counts[:, :, rows, columns] += 1
        return out / counts

    clone = patcher.clone()
    clone.set_model_unet_function_wrapper(in_tiles)
    return clone


def _repeated(value: Any, times: int) -> Any:
    return value.repeat(times, *[1] * (value.ndim - 1)) if isinstance(value, Tensor) else value
