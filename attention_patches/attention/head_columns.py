"""Biases of few columns as further dimensions of the heads.

With a scale s and a bias L R^T the logits are s Q K^T + L R^T = s [Q ; L] [K ; R / s]^T. So queries and keys
get the columns and values get zeros, and no mask of queries and keys is ever made: on a GPU flash attention
stays possible, which takes no mask. What is added for a pair that has no bias is a sum of zeros.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..contract.call.qkv import Appended
from .row_groups import RowGroup

MOST = 16  # columns; more cost as much as a mask
WIDEST_HEAD = 256  # of flash attention
FEWEST_PAIRS = 2**21  # of queries and keys; a smaller mask costs less than copies of queries, keys and values
STEP = 8  # kernels like widths of whole steps


def padded_width(width: int, parts: Sequence[Appended]) -> int:
    """Of a head with the columns of all parts."""
    columns = sum(product.columns for part in parts for product in part.columns)
    return -(-(width + columns) // STEP) * STEP


def worth_it(q: Tensor, parts: Sequence[Appended]) -> bool:
    """Whether queries (B, H, N, d) and these parts of the keys should get columns rather than a mask."""
    columns = [product for part in parts for product in part.columns]
    if not columns or sum(product.columns for product in columns) > MOST:
        return False
    if q.device.type == "cpu" and all(product.by_key for product in columns):
        return False  # a mask of one row, which costs nothing there
    pairs = q.shape[2] * sum(part.k.shape[2] for part in parts)
    return pairs >= FEWEST_PAIRS and padded_width(q.shape[3], parts) <= WIDEST_HEAD


def queries_with_columns(
    q: Tensor, parts: Sequence[Appended], group: RowGroup, dtype: torch.dtype | None = None
) -> Tensor:
    """The group's rows of queries (B, H, N, d), wider by the columns of all parts."""
    wide = _zeros(q, parts, group, q.shape[2], dtype)
    end = q.shape[3]
    for part in parts:
        for product in part.columns:
            columns = slice(end, end := end + product.columns)
            wide[..., columns] = group.shared(product.queries)
    return group.join([q], into=wide)


def keys_with_columns(
    parts: Sequence[Appended], group: RowGroup, scale: float, dtype: torch.dtype | None = None
) -> Tensor:
    """The keys of all parts that belong to `queries_with_columns`, for logits of the old scale."""
    keys = [part.k for part in parts]
    wide = _zeros(keys[0], parts, group, sum(k.shape[2] for k in keys), dtype)
    limit = torch.finfo(wide.dtype).max / 2
    end, token = keys[0].shape[3], 0
    for part in parts:
        tokens = slice(token, token := token + part.k.shape[2])
        for product in part.columns:
            columns = slice(end, end := end + product.columns)
            precise = group.shared(product.keys).to(torch.promote_types(wide.dtype, torch.float32))
            wide[:, :, tokens, columns] = (precise / scale).clamp(-limit, limit)
    return group.join(keys, into=wide)


def values_with_zeros(parts: Sequence[Appended], group: RowGroup) -> Tensor:
    """The values of all parts, as wide as their keys with columns."""
    values = [part.v for part in parts]
    return group.join(values, into=_zeros(values[0], parts, group, sum(v.shape[2] for v in values)))


def _zeros(
    x: Tensor, parts: Sequence[Appended], group: RowGroup, tokens: int, dtype: torch.dtype | None = None
) -> Tensor:
    """Room for the group's rows (rows, H, tokens, d), with zeros behind the first d."""
    width = padded_width(x.shape[3], parts)
    wide = x.new_empty(group.size, tokens, x.shape[1], width, dtype=dtype).transpose(1, 2)
    wide[..., x.shape[3] :] = 0  # before what may need a gradient comes in
    return wide
