"""The heat of a prompt's words while a run goes on."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

MOST = 8  # words


def live_words(seen: Iterable[tuple[tuple[int, int], Tensor]], words: Sequence[Sequence[int]]) -> Tensor:
    """(words, h, w) in 0..1: where image 0 looks at each word, given by its tokens, over its own maximum.

    `seen` are the grids (h, w) of layers, and their cross-attention (images, heads, h * w, tokens). Maps of
    all layers are enlarged to the finest grid and averaged.
    """
    layers = list(seen)
    finest = max((grid for grid, _ in layers), key=lambda grid: grid[0] * grid[1])
    enlarged = []
    for grid, map_ in layers:
        own = map_[0].mean(0)  # (N, tokens)
        columns = torch.stack([own[:, list(positions)].mean(-1) for positions in words])
        enlarged.append(F.interpolate(columns.unflatten(-1, grid)[None], finest, mode="bilinear")[0])
    heat = torch.stack(enlarged).mean(0)
    return heat / heat.amax((-2, -1), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
