"""A bias of the logits that is a product of a few columns, and need not be made to be used."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

KEPT_BYTES = 64 * 2**20  # larger masks are made anew each time

CLOSED = -2048.0
"""What is added to the logit of a closed key. It is exact in every type, and stays within float16 when it is
divided by the scale of a head. In float32 nothing is left of a key that is 104 below another, so logits of
one cell may differ by 1900 before a closed key is seen; half of float16's lowest number would not fit."""


@dataclass(frozen=True)
class ColumnBias:
    """The bias `queries @ keys^T`, broadcast to (B, H, N, M).

    Few columns say much: which cells belong together, or how much rather some keys should be seen. An
    attention that takes them as further dimensions of its heads needs no mask of (N, M), and a fused one
    keeps its fastest kernel.
    """

    queries: Tensor  # (B or 1, H or 1, N or 1, r), float
    keys: Tensor  # (B or 1, H or 1, M or 1, r), float
    made: dict[torch.dtype, Tensor] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def on_all(cls, value: float, like: Tensor) -> "ColumnBias":
        """The same for all queries and keys, on the device of `like` and of its type."""
        return cls(like.new_ones(1, 1, 1, 1), like.new_full((1, 1, 1, 1), value))

    @property
    def columns(self) -> int:
        """How many there are."""
        return self.queries.shape[-1]

    @property
    def by_key(self) -> bool:
        """Whether all queries get the same."""
        return self.queries.shape[2] == 1

    def mask(self, dtype: torch.dtype) -> Tensor:
        """(B or 1, H or 1, N or 1, M or 1), made on the device of the columns; kept if it is small."""
        if dtype in self.made:
            return self.made[dtype]
        slow = self.queries.device.type == "cpu"  # at products of few columns in half precision
        factors = torch.promote_types(self.queries.dtype, torch.float32) if slow else dtype
        with torch.inference_mode(False):  # whoever needs a gradient may use it as well
            made = (self.queries.to(factors) @ self.keys.to(factors).transpose(-1, -2)).to(dtype)
        if made.numel() * made.element_size() <= KEPT_BYTES:
            self.made[dtype] = made
        return made

    def of(self, rows: slice) -> "ColumnBias":
        """The bias of some rows of the batch."""
        queries, keys = (x if x.shape[0] == 1 else x[rows] for x in (self.queries, self.keys))
        return replace(self, queries=queries, keys=keys, made={})
