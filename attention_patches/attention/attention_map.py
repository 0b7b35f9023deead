"""The probabilities of one attention call as a tensor, for those who measure them with a graph.

In a joint attention of text and picture they are those of its one softmax, over all tokens of the call. In
transformers every layer has the finest grid, so maps are made of a few heads at a time, and once more on the
way back.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..contract.call.qkv import QKV, Appended, whole_bias
from .explicit_maps import MAP_BYTES
from .visible_keys import own_part


def attention_map(qkv: QKV) -> Tensor:
    """The probabilities (B, H, N, M) over the own keys, in float32 or better, with a graph if q or k have.

    What patches have appended counts for nothing.
    """
    return torch.cat(list(_in_groups(qkv, summed=False)), dim=1)


def summed_map(qkv: QKV) -> Tensor:
    """The same (B, N, M), summed over the heads."""
    first, *others = _in_groups(qkv, summed=True)
    for more in others:
        first = first + more
    return first


def _in_groups(qkv: QKV, summed: bool) -> Iterator[Tensor]:
    """The map of some heads after others; of all at once where the call is no transformer's for text and
    picture."""
    parts = [own_part(qkv), *(part for part in qkv.appended if part.name)]
    heads, keys = qkv.q.shape[1], sum(part.k.shape[2] for part in parts)
    alone = not qkv.name
    step = heads if alone else max(1, MAP_BYTES // (4 * qkv.q.shape[0] * qkv.q.shape[2] * keys))
    for start in range(0, heads, step):
        group = slice(start, start + step)
        q = qkv.q[:, group]
        compute = partial(_map_of, qkv.logit_scale, parts, group, summed)
        if alone or not torch.is_grad_enabled():
            yield compute(q, *(part.k[:, group] for part in parts))
        else:
            again = (q, *(part.k[:, group] for part in parts))
            yield checkpoint(compute, *again, use_reentrant=False, preserve_rng_state=False)


def _map_of(
    scale: float, parts: list[Appended], heads: slice, summed: bool, q: Tensor, *keys: Tensor
) -> Tensor:
    """Of queries (B, h, N, d) on the keys of each part, what falls on the first part's."""
    precise = torch.promote_types(q.dtype, torch.float32)
    own, *others = (
        _with_bias((q.to(precise) * scale) @ k.to(precise).transpose(-1, -2), part, heads)
        for k, part in zip(keys, parts, strict=True)
    )
    if others:
        map_ = torch.cat([own, *others], dim=-1).softmax(dim=-1)[..., : own.shape[-1]]
    else:
        map_ = own.softmax(dim=-1)
    return map_.sum(1) if summed else map_


def _with_bias(logits: Tensor, part: Appended, heads: slice) -> Tensor:
    bias = whole_bias(part.bias, part.columns, logits.dtype)
    if bias is None:
        return logits
    return logits + (bias if bias.shape[1] == 1 else bias[:, heads])


def rows_of(qkv: QKV, rows: slice) -> QKV:
    """The attention call of these rows alone, with its bias; without what patches have appended."""
    own, *others = (
        replace(
            part,
            k=part.k[rows],
            v=part.v[rows],
            bias=part.bias if part.bias is None or part.bias.shape[0] == 1 else part.bias[rows],
            columns=tuple(product.of(rows) for product in part.columns),
            rows=part.rows[rows],
        )
        for part in (own_part(qkv), *(part for part in qkv.appended if part.name))
    )
    return replace(
        qkv,
        q=qkv.q[rows],
        k=own.k,
        v=own.v,
        bias=own.bias,
        columns=own.columns,
        appended=tuple(others),
    )


def by_token(map_: Tensor, tokens: int) -> Tensor:
    """Cross-attention (..., M) over the `tokens` of a text, (..., tokens), summed over the copies that the
    host has made of it to bring it to the length of others. Columns behind the last copy are left out."""
    if map_.shape[-1] == tokens:
        return map_
    copies = max(map_.shape[-1] // tokens, 1)
    return map_[..., : copies * tokens].unflatten(-1, (copies, -1)).sum(-2)
