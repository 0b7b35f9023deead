"""The attention at the end of the chain, over the own and the appended keys."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..contract.qkv import QKV, Appended, check_float, whole_bias
from .head_columns import keys_with_columns, queries_with_columns, values_with_zeros, worth_it
from .row_groups import RowGroup, empty_like_tokens, row_groups

Backend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(q, k, v, bias) -> (B, H, N, d): the host's attention; bias is additive float or None."""

MAP_BYTES = 64 * 2**20  # of one query chunk of an explicit map


def attention(qkv: QKV, backend: Backend, wider: Backend | None = None) -> Tensor:
    """Attention of (B, H, N, d) over the own and the appended keys; rows that see the same keys go together.

    Runs on the host's backend; an explicit float32 map in query chunks only where the map is edited. `wider`
    is the same backend for heads of any width, with the logits' scale of d, where the host has one.
    """
    check_float(qkv.bias)
    if qkv.edits:
        return _explicit(qkv)
    rows = qkv.q.shape[0]
    seen = [tuple(a.rows[row] for a in qkv.appended) for row in range(rows)]
    groups = row_groups(seen, math.lcm(*(rows // a.k.shape[0] for a in qkv.appended)))
    out = empty_like_tokens(qkv.q, rows, qkv.q.shape[2]) if len(groups) > 1 else None
    for visible, group in groups.items():
        parts = [_own(qkv), *(a for a, sees in zip(qkv.appended, visible, strict=True) if sees)]
        if wider is not None and worth_it(qkv.q, parts):
            part = _wider(qkv, parts, group, wider)
        else:
            part = backend(
                group.join([qkv.q]),
                group.join([part.k for part in parts]),
                group.join([part.v for part in parts]),
                _join_bias(parts, group, qkv.q.dtype),
            )
        if out is None:
            return part
        group.put(part, out)
    assert out is not None
    return out


def _own(qkv: QKV) -> Appended:
    """The own keys as if they were appended for all."""
    return Appended(qkv.k, qkv.v, qkv.bias, (True,) * qkv.q.shape[0], qkv.columns)


def _wider(qkv: QKV, parts: Sequence[Appended], group: RowGroup, backend: Backend) -> Tensor:
    """One group's attention with the columns in the heads, and without a mask if nothing else needs one."""
    out = backend(
        queries_with_columns(qkv.q, parts, group),
        keys_with_columns(parts, group, qkv.logit_scale),
        values_with_zeros(parts, group),
        _join_bias([replace(part, columns=()) for part in parts], group, qkv.q.dtype),
    )
    return out[..., : qkv.v.shape[3]]


def _join_bias(parts: Sequence[Appended], group: RowGroup, dtype: torch.dtype) -> Tensor | None:
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


def _explicit(qkv: QKV) -> Tensor:
    """Attention through the explicit map."""
    v = _rows(qkv, slice(0, qkv.q.shape[0])).join([qkv.v, *(a.v for a in qkv.appended)]).float()
    out = empty_like_tokens(qkv.q, qkv.q.shape[0], qkv.q.shape[2])
    for queries, map_ in probabilities(qkv):
        out[:, :, queries] = (map_ @ v).to(out.dtype)
    return out


def probabilities(qkv: QKV, rows: slice | None = None) -> Iterator[tuple[slice, Tensor]]:
    """The map of the given rows (all, if None) with its edits: (queries, (rows, H, n, M) in float32).

    Comes in query chunks of at most MAP_BYTES. The columns are the own keys, then the appended ones, which
    are 0 for rows that do not see them. Edits are made for the whole batch: with edits all rows are computed.
    """
    whole = slice(0, qkv.q.shape[0])
    kept = whole if rows is None else rows
    computed = whole if qkv.edits else kept
    group = _rows(qkv, computed)
    parts = [_own(qkv), *(_hidden(appended) for appended in qkv.appended)]
    if any(part.columns for part in parts):
        q = queries_with_columns(qkv.q, parts, group, torch.float32)
        k = keys_with_columns(parts, group, qkv.logit_scale, torch.float32)
    else:
        q, k = qkv.q[computed], group.join([part.k for part in parts]).float()
    bias = _join_bias([replace(part, columns=()) for part in parts], group, torch.float32)
    step = max(1, MAP_BYTES // (4 * q.shape[0] * q.shape[1] * k.shape[2]))
    for start in range(0, q.shape[2], step):
        queries = slice(start, min(start + step, q.shape[2]))
        logits = (q[:, :, queries].float() * qkv.logit_scale) @ k.transpose(-1, -2)
        if bias is not None:
            logits += bias if bias.shape[2] == 1 else bias[:, :, queries]
        map_ = logits.softmax(dim=-1)
        for edit in qkv.edits:
            map_ = edit(map_, queries)
        yield queries, map_[kept] if qkv.edits else map_


def _rows(qkv: QKV, run: slice) -> RowGroup:
    return RowGroup(qkv.q.shape[0], qkv.q.shape[0], (run,))


def _hidden(appended: Appended) -> Appended:
    """Minus infinity is added for rows that do not see the keys (they always see their own)."""
    if all(appended.rows):
        return appended
    closed = torch.tensor([0.0 if seen else -torch.inf for seen in appended.rows], device=appended.k.device)
    bias = 0.0 if appended.bias is None else appended.bias.float()
    return replace(appended, bias=closed[:, None, None, None] + bias)
