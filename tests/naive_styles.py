"""StyleAligned from several pictures once more, in float64, query by query."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

FEWEST = 1e-3


def aligned(x: Tensor, references: Sequence[Tensor], weights: Tensor) -> Tensor:
    """AdaIN of (H, N, d) to the mixture of (H, M, d) references, weights (R, N)."""
    out = x.clone()
    for head in range(x.shape[0]):
        for channel in range(x.shape[2]):
            own = x[head, :, channel]
            spread = (own.var() + 1e-5).sqrt()
            for place in range(len(own)):
                if weights[:, place].sum() == 0:
                    continue
                there = [reference[head, :, channel] for reference in references]
                mean = sum(w * r.mean() for w, r in zip(weights[:, place], there, strict=True))
                std = sum(w * (r.var() + 1e-5).sqrt() for w, r in zip(weights[:, place], there, strict=True))
                out[head, place, channel] = (own[place] - own.mean()) / spread * std + mean
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
    out = torch.zeros_like(q)
    for place in range(q.shape[1]):
        keys, values, bias = [k], [v], [k.new_zeros(k.shape[1])]
        for (_, k_r, v_r), weight in zip(pictures, weights[:, place], strict=True):
            if attends and weight >= FEWEST:
                keys, values = [*keys, scale * k_r], [*values, v_r]
                bias.append(k.new_full((k_r.shape[1],), float(shift + weight.log())))
        logits = torch.einsum("hd,hmd->hm", q[:, place], torch.cat(keys, 1)) / q.shape[-1] ** 0.5
        out[:, place] = torch.einsum(
            "hm,hmd->hd", (logits + torch.cat(bias)).softmax(-1), torch.cat(values, 1)
        )
    return out


def with_references(q: Tensor, k: Tensor, v: Tensor, weights: Sequence[float], **settings: Any) -> Tensor:
    """One chunk (b, H, N, d), whose first images are references of these weights, and look at themselves."""
    some, cells = len(weights), q.shape[2]
    references = [(q[r], k[r], v[r]) for r in range(some)]
    own = torch.tensor(weights)[:, None].expand(-1, cells)
    alone = [mixture(*one, [], own[:0], adain="off") for one in references]
    others = [mixture(q[i], k[i], v[i], references, own, **settings) for i in range(some, len(q))]
    return torch.stack([*alone, *others])
