"""Prompt-to-Prompt once more, from the paper: float64, one image, head, query and token at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .naive import Where, attend


@dataclass(frozen=True)
class Words:
    """An edit as a person would write it down: token of the edit -> tokens of the source, how many tokens
    share their map; token -> factor."""

    taken: dict[int, tuple[tuple[int, ...], int]]
    factors: dict[int, float]


def prompt_to_prompt(q: Tensor, k: Tensor, v: Tensor, where: Where, edits: Sequence[Words]) -> Tensor:
    """One chunk (1 + edits, H, N, d), the source first."""
    q, k, v = q.double(), k.double(), v.double()
    out = [attend(q[image], k[image], v[image]) for image in range(len(q))]
    if not where.positive:
        return torch.stack(out)
    for image, edit in enumerate(edits, start=1):
        if where.kind == "self":
            out[image] = attend(q[0], k[0], v[image])
        else:
            out[image] = _crossed(q, k, v, image, edit)
    return torch.stack(out)


def _crossed(q: Tensor, k: Tensor, v: Tensor, image: int, edit: Words) -> Tensor:
    source, own = (_map(q[i], k[i]) for i in (0, image))
    new = own.clone()
    for head in range(own.shape[0]):
        for query in range(own.shape[1]):
            for token, (tokens, sharing) in edit.taken.items():
                new[head, query, token] = sum(source[head, query, t] for t in tokens) / sharing
            for token, factor in edit.factors.items():
                new[head, query, token] *= factor
    out: Tensor = new @ v[image]
    return out


def _map(q: Tensor, k: Tensor) -> Tensor:
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)


def blended(latents: Tensor, sums: Tensor, keep: Tensor, threshold: float) -> Tensor:
    """Latents (images, C, h, w) after the authors' LocalBlend, given the sums of maps (images, h', w')."""

    def found(maps: Tensor, radius: int) -> list[Any]:
        height, width = latents.shape[-2:]
        rows, columns = maps.shape[-2:]
        masks = []
        for map_ in maps.double():
            spread = torch.zeros_like(map_)
            for y in range(rows):
                for x in range(columns):
                    spread[y, x] = map_[
                        max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1
                    ].max()
            greatest = max(float(spread.max()), 1e-300)
            masks.append(
                [
                    [
                        float(spread[y * rows // height, x * columns // width]) / greatest > threshold
                        for x in range(width)
                    ]
                    for y in range(height)
                ]
            )
        return masks

    may, must_not = found(sums, 1), found(keep, 0)
    out = latents.clone()
    for image in range(1, len(latents)):
        for y in range(latents.shape[-2]):
            for x in range(latents.shape[-1]):
                changes = may[0][y][x] or may[image][y][x]
                stays = must_not[0][y][x] or must_not[image][y][x]
                if not changes or stays:
                    out[image, :, y, x] = latents[0, :, y, x]
    return out
