"""Shape variations once more, from the paper: float64, one image, head and query at a time."""

import torch
from torch import Tensor

from .naive import Where, attend


def mixed(q: Tensor, k: Tensor, v: Tensor, where: Where, values: str) -> Tensor:
    """One chunk (images, H, N, d), the original first: its keys for all, and the `values` of the "proxies" or
    of the "original"."""
    q, k, v = q.double(), k.double(), v.double()
    out = []
    for image in range(len(q)):
        if not where.positive:
            out.append(attend(q[image], k[image], v[image]))
        elif values == "proxies":
            out.append(attend(q[image], k[0], v[image]))
        else:
            out.append(attend(q[image], k[0], v[0]))
    return torch.stack(out)


def kept(
    maps: Tensor, words: Tensor, objects: list[int], shape: list[int], threshold: float
) -> tuple[list[list[bool]], Tensor]:
    """Which pairs of cells are the original's, and the maps of self-attention (images, H, N, N) with them,
    given the original's mean map of words (H, N, T); the original is image 0."""
    words = words.double()
    share = (words - words.min()) / (words.max() - words.min())
    heads, cells, _ = words.shape

    def place(tokens: list[int]) -> set[int]:
        return {
            cell
            for cell in range(cells)
            if any(float(share[head, cell, t]) > threshold for head in range(heads) for t in tokens)
        }

    objects_at, shape_at = place(objects), place(shape)
    pairs = [
        [
            (row in objects_at or column in objects_at) and row not in shape_at and column not in shape_at
            for column in range(cells)
        ]
        for row in range(cells)
    ]
    new = maps.double().clone()
    for image in range(1, len(maps)):
        for row in range(cells):
            for column in range(cells):
                if pairs[row][column]:
                    new[image, :, row, column] = maps[0, :, row, column]
    return pairs, new
