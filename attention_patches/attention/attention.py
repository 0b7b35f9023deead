"""The attention at the end of the chain, over the own and the appended keys."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from ..contract.call.qkv import QKV, Appended, check_float
from .explicit_maps import attend_through_maps
from .head_columns import keys_with_columns, queries_with_columns, values_with_zeros, worth_it
from .row_groups import RowGroup, empty_like_tokens, row_groups
from .visible_keys import join_bias, own_part

EDITED: tuple[bool | None, ...] = (None,)  # in place of the keys that a row sees

Backend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(q, k, v, bias) -> (B, H, N, d): the host's attention; bias is additive float or None."""


def attention(qkv: QKV, backend: Backend, wider: Backend | None = None) -> Tensor:
    """Attention of (B, H, N, d) over the own and the appended keys; rows that see the same keys go together.

    Runs on the host's backend; an explicit float32 map in query chunks only for the rows whose map is edited.
    `wider` is the same backend for heads of any width, with the logits' scale of d, where the host has one.
    """
    check_float(qkv.bias)
    rows = qkv.q.shape[0]
    seen = [
        EDITED
        if any(edit.changed(row) for edit in qkv.edits)
        else tuple(appended.rows[row] for appended in qkv.appended)
        for row in range(rows)
    ]
    groups = row_groups(seen, math.lcm(*(rows // a.k.shape[0] for a in qkv.appended)))
    out = empty_like_tokens(qkv.q, rows, qkv.q.shape[2]) if len(groups) > 1 else None
    for visible, group in groups.items():
        if visible == EDITED:
            out = empty_like_tokens(qkv.q, rows, qkv.q.shape[2]) if out is None else out
            attend_through_maps(qkv, group, out)
            continue
        parts = [own_part(qkv), *(a for a, sees in zip(qkv.appended, visible, strict=True) if sees)]
        if wider is not None and worth_it(qkv.q, parts):
            part = _wider(qkv, parts, group, wider)
        else:
            part = backend(
                group.join([qkv.q]),
                group.join([part.k for part in parts]),
                group.join([part.v for part in parts]),
                join_bias(parts, group, qkv.q.dtype),
            )
        if out is None:
            return part
        group.put(part, out)
    assert out is not None
    return out


def _wider(qkv: QKV, parts: Sequence[Appended], group: RowGroup, backend: Backend) -> Tensor:
    """One group's attention with the columns in the heads, and without a mask if nothing else needs one."""
    out = backend(
        queries_with_columns(qkv.q, parts, group),
        keys_with_columns(parts, group, qkv.logit_scale),
        values_with_zeros(parts, group),
        join_bias([replace(part, columns=()) for part in parts], group, qkv.q.dtype),
    )
    return out[..., : qkv.v.shape[3]]
