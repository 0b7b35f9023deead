"""What training does to the host's attention calls: short keys for the text, and a look at the maps."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..architecture import TEXT
from .precision import attention_inputs, attention_precision

LENGTH = TEXT["max_position_embeddings"]


def shorten(context: Tensor, lengths: Tensor, image_sizes: set[int], least: int = 0) -> tuple[Tensor, Tensor]:
    """Contexts (B, 77, C), zero after each length -> (B, K, C) and an exact bias (B, K) on the logits.

    All padding keys are zero vectors, so their logits are 0: one zero key with bias log(number) stands for
    them. `image_sizes` are numbers of image tokens that K must not equal: cross-attention is told by it.
    `least` keys there are in any case: a compiled network wants the same number each time.
    """
    keys = max(int(lengths.max()) + 1, least)
    while keys in image_sizes:
        keys += 1
    position = torch.arange(keys, device=context.device)
    padding = (LENGTH - lengths)[:, None].float()
    bias = torch.where(position < lengths[:, None], 0.0, -math.inf)
    bias = torch.where(position == keys - 1, padding.log(), bias)
    return context[:, :keys], bias


class CrossAttention:
    """An `optimized_attention_override`: adds the padding's bias to cross-attention, and keeps maps if asked.

    `maps` collects (B, N, K) probabilities, mean over heads, one per cross-attention call.
    """

    def __init__(self, bias: Tensor, keep_maps: bool) -> None:
        self.bias = bias
        self.keep_maps = keep_maps
        self.maps: list[Tensor] = []

    def __call__(
        self,
        inner: Callable[..., Tensor],
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        with attention_precision(q.device):
            q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in attention_inputs(q, k, v))
            cross = k.shape[2] == self.bias.shape[1]
            out = self._cross(q, k, v) if cross else F.scaled_dot_product_attention(q, k, v)
            return out.transpose(1, 2).flatten(2)

    def _cross(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bias = self.bias[:, None, None, :].to(q.dtype)
        if self.keep_maps:
            map_ = (q @ k.mT * q.shape[-1] ** -0.5 + bias).softmax(-1)
            self.maps.append(map_.mean(1))
            return map_ @ v
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(-1, -1, q.shape[2], -1))
