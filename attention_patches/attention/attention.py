"""The attention at the end of the chain, over the own and the appended keys."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..contract.qkv import QKV, Appended, check_float
from .row_groups import RowGroup, empty_like_tokens, row_groups

Backend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(q, k, v, bias) -> (B, H, N, d): the host's attention; bias is additive float or None."""

MAP_BYTES = 64 * 2**20  # of one query chunk of an explicit map


def attention(qkv: QKV, backend: Backend) -> Tensor:
    """Attention of (B, H, N, d) over the own and the appended keys; rows that see the same keys go together.

    Runs on the host's backend; an explicit float32 map in query chunks only where the map is edited.
    """
    check_float(qkv.bias)
    if qkv.edits:
        return _explicit(qkv)
    rows = qkv.q.shape[0]
    seen = [tuple(a.rows[row] for a in qkv.appended) for row in range(rows)]
    groups = row_groups(seen, math.lcm(*(rows // a.k.shape[0] for a in qkv.appended)))
    out = empty_like_tokens(qkv.q, rows, qkv.q.shape[2]) if len(groups) > 1 else None
    for visible, group in groups.items():
        extra = [a for a, sees in zip(qkv.appended, visible, strict=True) if sees]
        part = backend(
            group.join([qkv.q]),
            group.join([qkv.k, *(a.k for a in extra)]),
            group.join([qkv.v, *(a.v for a in extra)]),
            _join_bias(qkv, extra, group),
        )
        if out is None:
            return part
        group.put(part, out)
    assert out is not None
    return out


def _join_bias(qkv: QKV, extra: Sequence[Appended], group: RowGroup) -> Tensor | None:
    biases = [qkv.bias, *(a.bias for a in extra)]
    if all(b is None for b in biases):
        return None
    lengths = [qkv.k.shape[2], *(a.k.shape[2] for a in extra)]
    lead = torch.broadcast_shapes(*(b.shape[:3] for b in biases if b is not None))
    columns = [
        (qkv.q.new_zeros(()) if b is None else b.to(qkv.q.dtype)).expand(*lead, m)
        for b, m in zip(biases, lengths, strict=True)
    ]
    joined = torch.cat(columns, dim=-1)
    return joined if lead[0] == 1 else group.take(joined)


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
    q = qkv.q[computed]
    group = _rows(qkv, computed)
    hidden = [replace(a, bias=_hide(a, qkv.q)) for a in qkv.appended]
    k = group.join([qkv.k, *(a.k for a in hidden)]).float().transpose(-1, -2)
    bias = _join_bias(replace(qkv, q=qkv.q.float()), hidden, group)
    step = max(1, MAP_BYTES // (4 * q.shape[0] * q.shape[1] * k.shape[3]))
    for start in range(0, q.shape[2], step):
        queries = slice(start, min(start + step, q.shape[2]))
        logits = (q[:, :, queries].float() * qkv.logit_scale) @ k
        if bias is not None:
            logits += bias if bias.shape[2] == 1 else bias[:, :, queries]
        map_ = logits.softmax(dim=-1)
        for edit in qkv.edits:
            map_ = edit(map_, queries)
        yield queries, map_[kept] if qkv.edits else map_


def _rows(qkv: QKV, run: slice) -> RowGroup:
    return RowGroup(qkv.q.shape[0], qkv.q.shape[0], (run,))


def _hide(appended: Appended, q: Tensor) -> Tensor | None:
    """The bias of appended keys, minus infinity for rows that do not see them (they always see their own)."""
    if all(appended.rows):
        return appended.bias
    closed = torch.tensor([0.0 if seen else -torch.inf for seen in appended.rows], device=q.device)
    return closed[:, None, None, None] + (0.0 if appended.bias is None else appended.bias.float())
