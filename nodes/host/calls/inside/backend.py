"""The host's attention call, seen as (B, H, N, d) tensors and called back in the host's own layout."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from typing import Any

import torch
from comfy.ldm.modules.attention import (
    attention_basic,
    attention_flash,
    attention_pytorch,
    attention_sage,
    attention_split,
    attention_sub_quad,
    attention_xformers,
)
from torch import Tensor

from .....attention_patches.attention.attention import Backend
from .....attention_patches.contract.call.qkv import QKV

Override = Callable[..., Tensor]
"""The host's `optimized_attention_override`: (func, q, k, v, heads, mask=None, **kwargs) -> tensor."""

# They take heads of any width and a scale of the logits; Sage Attention leaves what may not lose precision to
# PyTorch. SageAttention 3 is not among them, since it takes no scale.
OF_ANY_WIDTH = {
    unwrap(func)
    for func in (
        attention_basic,
        attention_flash,
        attention_pytorch,
        attention_sage,
        attention_split,
        attention_sub_quad,
        attention_xformers,
    )
}


@dataclass(frozen=True)
class HostCall:
    """One call of the host's attention, with the arguments it came with."""

    inner: Override | None  # what stood in the override's place before us
    func: Override
    tensors: tuple[Tensor, Tensor, Tensor]
    heads: int
    rest: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def split_heads(self) -> bool:
        """Whether the tensors come as (B, H, N, d) instead of (B, N, H * d)."""
        return bool(self.kwargs.get("skip_reshape"))

    def untouched(self) -> Tensor:
        """What the host would have computed without us, to the bit."""
        return self._call(*self.tensors, *self.rest, **self.kwargs)

    def _call(self, q: Tensor, k: Tensor, v: Tensor, *rest: Any, **kwargs: Any) -> Tensor:
        if self.inner is None:
            return self.func(q, k, v, self.heads, *rest, **kwargs)
        return self.inner(self.func, q, k, v, self.heads, *rest, **kwargs)

    def qkv(self) -> QKV:
        """Views of the call's tensors, the host's mask as a float bias."""
        q, k, v = (x if self.split_heads else self._split(x) for x in self.tensors)
        return QKV(q, k, v, _as_bias(self._mask(), q), scale=self.scale)

    def _split(self, x: Tensor) -> Tensor:
        by_head = x if x.ndim == 4 else x.unflatten(-1, (self.heads, -1))  # SD3 has (B, N, H, d) for values
        return by_head.transpose(1, 2)  # (B, N, H*d) -> (B, H, N, d)

    def by_head(self, out: Tensor) -> Tensor:
        """What the host's attention has given, as (B, H, N, d)."""
        return out if self.kwargs.get("skip_output_reshape") else self._split(out)

    def _mask(self) -> Tensor | None:
        return self.rest[0] if self.rest else self.kwargs.get("mask")

    @property
    def size(self) -> tuple[int, int, int]:
        """(rows, queries, keys)."""
        q, k, _ = self.tensors
        axis = 2 if self.split_heads else 1
        return q.shape[0], q.shape[axis], k.shape[axis]

    @property
    def scale(self) -> float:
        """Of the logits."""
        q = self.tensors[0]
        width = q.shape[-1] if self.split_heads else q.shape[-1] // self.heads
        return float(self.kwargs.get("scale") or width**-0.5)

    @property
    def wider(self) -> Backend | None:
        """`backend` for heads of any width, with the logits' scale of this call; None if another pack's
        function computes the attention, which may know one width only, or 8 bits."""
        if self.inner is not None or unwrap(self.func) not in OF_ANY_WIDTH:
            return None
        return partial(self.backend, scale=self.scale, low_precision_attention=False)

    def backend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, **further: Any) -> Tensor:
        """The host's attention, and whatever other override stood before us, on (B, H, N, d)."""
        # the mask goes back where it came from, and a call without one stays without
        rest = (bias, *self.rest[1:]) if self.rest else ()
        mask = {} if self.rest or bias is None else {"mask": bias}
        kwargs = {**self.kwargs, **mask, **further}
        if not self.split_heads:
            q, k, v = (x.transpose(1, 2).flatten(2) for x in (q, k, v))
        return self.by_head(self._call(q, k, v, *rest, **kwargs))

    def finish(self, out: Tensor) -> Tensor:
        """(B, H, N, d) in the layout in which the host expects the result."""
        return out if self.kwargs.get("skip_output_reshape") else out.transpose(1, 2).flatten(2)


def _as_bias(mask: Tensor | None, q: Tensor) -> Tensor | None:
    """A mask in any of the host's shapes as additive float, broadcast to (B or 1, H or 1, N, M)."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, torch.finfo(q.dtype).min / 2)
    if mask.ndim == 2:
        return mask[None, None]
    return mask[:, None] if mask.ndim == 3 else mask
