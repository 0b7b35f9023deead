"""The keys that the rows of an attention call may see, as parts that are joined, and what weighs them."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..contract.call.qkv import QKV, Appended, whole_bias
from .row_groups import RowGroup


def own_part(qkv: QKV) -> Appended:
    """The own keys as if they were appended for all."""
    return Appended(qkv.k, qkv.v, qkv.bias, (True,) * qkv.q.shape[0], qkv.columns, qkv.name)


def join_bias(parts: Sequence[Appended], group: RowGroup, dtype: torch.dtype) -> Tensor | None:
    """The mask (1 or rows, 1 or H, 1 or N, all keys) of these parts, None if there is nothing to add."""
    biases = [whole_bias(part.bias, part.columns, dtype) for part in parts]
    given = [bias for bias in biases if bias is not None]
    if not given:
        return None
    lead = torch.broadcast_shapes(*(bias.shape[:3] for bias in given))
    pieces = [
        (given[0].new_zeros(()) if bias is None else bias).expand(*lead, part.k.shape[2])
        for bias, part in zip(biases, parts, strict=True)
    ]
    joined = torch.cat(pieces, dim=-1) if len(pieces) > 1 or given[0].shape[3] == 1 else pieces[0]
    return group.shared(joined)


def hidden(appended: Appended) -> Appended:
    """Minus infinity is added for rows that do not see the keys (they always see their own)."""
    if all(appended.rows):
        return appended
    closed = torch.tensor([0.0 if seen else -torch.inf for seen in appended.rows], device=appended.k.device)
    bias = 0.0 if appended.bias is None else appended.bias.float()
    return replace(appended, bias=closed[:, None, None, None] + bias)
