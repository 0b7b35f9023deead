"""The probabilities of one attention call as a tensor, for those who measure them with a graph."""

from dataclasses import replace

import torch
from torch import Tensor

from ..contract.qkv import QKV, whole_bias


def attention_map(qkv: QKV) -> Tensor:
    """The probabilities (B, H, N, M) over the own keys, in float32 or better, with a graph if q or k have."""
    precise = torch.promote_types(qkv.q.dtype, torch.float32)
    logits = (qkv.q.to(precise) * qkv.logit_scale) @ qkv.k.to(precise).transpose(-1, -2)
    bias = whole_bias(qkv.bias, qkv.columns, precise)
    if bias is not None:
        logits = logits + bias
    return logits.softmax(dim=-1)


def rows_of(qkv: QKV, rows: slice) -> QKV:
    """The attention call of these rows alone, with its bias."""
    bias = qkv.bias if qkv.bias is None or qkv.bias.shape[0] == 1 else qkv.bias[rows]
    columns = tuple(product.of(rows) for product in qkv.columns)
    return replace(qkv, q=qkv.q[rows], k=qkv.k[rows], v=qkv.v[rows], bias=bias, columns=columns)


def by_token(map_: Tensor, tokens: int) -> Tensor:
    """Cross-attention (..., M) over the `tokens` of a text, (..., tokens), summed over the copies that the
    host has made of it to bring it to the length of others. Columns behind the last copy are left out."""
    if map_.shape[-1] == tokens:
        return map_
    copies = max(map_.shape[-1] // tokens, 1)
    return map_[..., : copies * tokens].unflatten(-1, (copies, -1)).sum(-2)
