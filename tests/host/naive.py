"""The methods once more, straight from the papers: float64, loops over images, no cleverness."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v of one image, (H, N, d)."""
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias).softmax(-1) @ v


def adain(x: Tensor, r: Tensor) -> Tensor:
    """The authors' AdaIN over the tokens of (H, N, d)."""
    spread_x = (x.var(dim=-2, keepdim=True) + 1e-5).sqrt()
    spread_r = (r.var(dim=-2, keepdim=True) + 1e-5).sqrt()
    return (x - x.mean(-2, keepdim=True)) / spread_x * spread_r + r.mean(-2, keepdim=True)


def style_aligned(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    sharing: str = "reference",
    adain_on: str = "queries and keys",
    reference: int = 0,
    shift: float = 0.0,
    scale: float = 1.0,
) -> Tensor:
    """One chunk (b, H, N, d): the authors' way, in which the reference too sees its keys twice."""
    q, k, v = q.double(), k.double(), v.double()
    if sharing == "all images":
        everything = [torch.cat(list(x), dim=-2) for x in (k, v)]
        return torch.stack([attend(q_i, *everything) for q_i in q])
    out = []
    for i in range(len(q)):
        q_i = adain(q[i], q[reference]) if "queries" in adain_on else q[i]
        k_i = adain(k[i], k[reference]) if "keys" in adain_on else k[i]
        if sharing == "off":
            out.append(attend(q_i, k_i, v[i]))
            continue
        k_r = k[reference] * (1.0 if i == reference else scale)
        bias = torch.cat([k.new_zeros(k.shape[-2]), k.new_full((k.shape[-2],), shift)])
        out.append(attend(q_i, torch.cat([k_i, k_r], dim=-2), torch.cat([v[i], v[reference]], dim=-2), bias))
    return torch.stack(out)


@dataclass(frozen=True)
class Where:
    """An attention call of one chunk: self or cross, the queries' (height, width), whether the positive's."""

    kind: str
    grid: tuple[int, int]
    positive: bool


def replace_self_attention(model: Any, chunk_attention: Any, blocks: Any) -> Any:
    """A clone whose every self-attention is computed by `chunk_attention(q, k, v)`."""
    return replace_attention(model, ("self",), lambda q, k, v, _where: chunk_attention(q, k, v), blocks)


def replace_attention(model: Any, kinds: Sequence[str], chunk_attention: Any, blocks: Any) -> Any:
    """A clone whose attention of these kinds is computed by `chunk_attention(q, k, v, where)`, set in the
    host's own `attn1_replace` and `attn2_replace` slots: another road than the pack's."""

    def replacement(kind: str, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        heads, chunks, grid = options["n_heads"], options["cond_or_uncond"], options["activations_shape"][-2:]
        parts = zip(*(_heads(x, heads).chunk(len(chunks)) for x in (q, k, v)), strict=True)
        out = torch.cat(
            [
                chunk_attention(*part, Where(kind, tuple(grid), chunk == 0))
                for part, chunk in zip(parts, chunks, strict=True)
            ]
        )
        return out.transpose(1, 2).flatten(2).to(q.dtype)

    clone = model.clone()
    for block, number in blocks:
        if "self" in kinds:
            clone.set_model_attn1_replace(partial(replacement, "self"), block, number)
        if "cross" in kinds:
            clone.set_model_attn2_replace(partial(replacement, "cross"), block, number)
    return clone


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class StackedGroupNorm(torch.nn.Module):
    """A group norm over each image with the first of its chunk below it."""

    def __init__(self, original: torch.nn.GroupNorm, images: int) -> None:
        super().__init__()
        self.original = original
        self.images = images

    def forward(self, x: Tensor) -> Tensor:
        out = []
        for i in range(len(x)):
            reference = x[i - i % self.images]
            both = torch.cat([x[i], reference], dim=1)[None]
            out.append(self.original(both)[:, :, : x.shape[2]])
        return torch.cat(out)


def contrasted_attention(q: Tensor, k: Tensor, v: Tensor, contrast: float) -> Tensor:
    """Cross-image attention, (H, N, d) queries of one picture and (H, M, d) keys of another, row by row."""
    out = torch.zeros_like(q)
    for head in range(q.shape[0]):
        for query in range(q.shape[1]):
            row = (k[head] @ q[head, query] / q.shape[-1] ** 0.5).softmax(0)
            row = ((row - row.mean()) * contrast + row.mean()).clamp(0.0, 1.0)
            out[head, query] = row @ v[head]
    return out


def ddpm_step(x: Tensor, expected: Tensor, sigma: Tensor, after: Tensor, noise: Tensor) -> Tensor:
    """A step of edit friendly DDPM in the papers' scale, with a = 1 / (1 + sigma^2); the last one adds its
    noise as it is."""
    a, a_after = 1 / (1 + sigma**2), 1 / (1 + after**2)
    noise_in_x = (x - expected) / sigma
    variance = (1 - a_after) / (1 - a) * (1 - a / a_after)
    mean = a_after.sqrt() * expected + (1 - a_after - variance).clamp(min=0).sqrt() * noise_in_x
    return (mean + (variance.sqrt() if after > 0 else 1.0) * noise) / a_after.sqrt()
