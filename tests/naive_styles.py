"""StyleAligned from several pictures once more: float64, loops over heads, channels and references."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

FEWEST = 1e-3
NOT_SEEN = -1e30


def aligned(x: Tensor, references: Sequence[Tensor], weights: Tensor) -> Tensor:
    """AdaIN of (H, N, d) to the mixture of (H, M, d) references, weights (R, N); cells without any stay."""
    out = x.clone()
    there = weights.sum(0) > 0
    for head in range(x.shape[0]):
        for channel in range(x.shape[2]):
            own = x[head, :, channel]
            mean, std = torch.zeros_like(own), torch.zeros_like(own)
            for reference, weight in zip(references, weights, strict=True):
                values = reference[head, :, channel]
                mean += weight * values.mean()
                std += weight * (values.var() + 1e-5).sqrt()
            changed = (own - own.mean()) / (own.var() + 1e-5).sqrt() * std + mean
            out[head, there, channel] = changed[there]
    return out


def mixture(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    references: Sequence[tuple[Tensor, Tensor, Tensor]],
    weights: Tensor,
    shift: float = 0.0,
    scale: float = 1.0,
    adain: str = "queries and keys",
    attends: bool = True,
) -> Tensor:
    """One image (H, N, d) with references (q, k, v) of (H, M, d), and weights (R, N) for each query."""
    q, k, v, weights = (x.double() for x in (q, k, v, weights))
    pictures = [tuple(x.double() for x in one) for one in references]
    q = aligned(q, [one[0] for one in pictures], weights) if "queries" in adain else q
    k = aligned(k, [one[1] for one in pictures], weights) if "keys" in adain else k
    logits, values = [q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5], [v]
    for (_, k_r, v_r), weight in zip(pictures, weights, strict=True):
        bias = torch.full_like(weight, NOT_SEEN)
        bias[weight >= FEWEST] = shift + weight[weight >= FEWEST].log()
        if attends:
            logits.append(q @ (scale * k_r).transpose(-1, -2) / q.shape[-1] ** 0.5 + bias[:, None])
            values.append(v_r)
    return torch.cat(logits, -1).softmax(-1) @ torch.cat(values, 1)


def with_references(q: Tensor, k: Tensor, v: Tensor, weights: Sequence[float], **settings: Any) -> Tensor:
    """One chunk (b, H, N, d), whose first images are references of these weights, and look at themselves."""
    some, cells = len(weights), q.shape[2]
    references = [(q[r], k[r], v[r]) for r in range(some)]
    own = torch.tensor(weights)[:, None].expand(-1, cells)
    alone = [mixture(*one, [], own[:0], adain="off") for one in references]
    others = [mixture(q[i], k[i], v[i], references, own, **settings) for i in range(some, len(q))]
    return torch.stack([*alone, *others])
