"""Attention through explicit maps, for the rows whose maps are edited or looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..contract.call.qkv import QKV, MapEdit
from .head_columns import keys_with_columns, queries_with_columns
from .row_groups import RowGroup, row_groups
from .visible_keys import hidden, join_bias, own_part

MAP_BYTES = 64 * 2**20  # of one query chunk of an explicit map


def attend_through_maps(qkv: QKV, group: RowGroup, out: Tensor) -> None:
    """Write the attention of the group's rows into `out` (B, H, N, d), through maps in query chunks."""
    wanted = _marks(group)
    v = _group(wanted).join([qkv.v, *(appended.v for appended in qkv.appended)]).float()
    for queries, map_ in _maps(qkv, wanted):
        group.put((map_ @ v).to(out.dtype), out[:, :, queries])


def probabilities(qkv: QKV, rows: slice | None = None) -> Iterator[tuple[slice, Tensor]]:
    """The map of the given rows (all, if None) with its edits: (queries, (rows, H, n, M) in float32).

    Comes in query chunks of at most MAP_BYTES. The columns are the own keys, then the appended ones, which
    are 0 for rows that do not see them. Rows that the edits read are computed as well.
    """
    batch = range(qkv.q.shape[0])
    kept = batch if rows is None else batch[rows]
    return _maps(qkv, tuple(row in kept for row in batch))


def _maps(qkv: QKV, wanted: Sequence[bool]) -> Iterator[tuple[slice, Tensor]]:
    """The maps of the wanted rows, in the order of the batch."""
    needed, computed = _with_what_they_read(wanted, qkv.edits)
    group = _group(computed)
    parts = [own_part(qkv), *(hidden(appended) for appended in qkv.appended)]
    if any(part.columns for part in parts):
        q = queries_with_columns(qkv.q, parts, group, torch.float32)
        k = keys_with_columns(parts, group, qkv.logit_scale, torch.float32)
        parts = [replace(part, columns=()) for part in parts]
    else:
        q, k = group.join([qkv.q]), group.join([part.k for part in parts]).float()
    bias = join_bias(parts, group, torch.float32)
    edits = [_EditOfSome.of(edit, computed) for edit in needed]
    kept = _among(wanted, computed)
    last = edits.pop() if edits and _gives(edits[-1], wanted) else None
    step = max(1, MAP_BYTES // (4 * q.shape[0] * q.shape[1] * k.shape[2]))
    for start in range(0, q.shape[2], step):
        queries = slice(start, min(start + step, q.shape[2]))
        logits = (q[:, :, queries].float() * qkv.logit_scale) @ k.transpose(-1, -2)
        if bias is not None:
            logits += bias if bias.shape[2] == 1 else bias[:, :, queries]
        map_ = logits.softmax(dim=-1)
        for edit in edits:
            map_ = edit.among_others(map_, queries)
        if last is not None:
            yield queries, last(map_, queries)
        else:
            yield queries, map_ if kept is None else kept.take(map_)


@dataclass(frozen=True)
class _EditOfSome:
    """An edit among the rows that are computed; None stands for all of them."""

    edit: MapEdit
    changed: RowGroup | None
    read: RowGroup | None

    @classmethod
    def of(cls, edit: MapEdit, computed: Sequence[bool]) -> "_EditOfSome":
        rows = range(len(computed))
        changed, read = [edit.changed(row) for row in rows], [edit.read(row) for row in rows]
        return cls(edit, _among(changed, computed), _among(read, computed))

    def __call__(self, map_: Tensor, queries: slice) -> Tensor:
        """The rows that it changes."""
        return self.edit.edit(map_ if self.read is None else self.read.take(map_), queries)

    def among_others(self, map_: Tensor, queries: slice) -> Tensor:
        """All rows that are computed."""
        edited = self(map_, queries)
        if self.changed is None:
            return edited
        whole = map_.clone()
        self.changed.put(edited, whole)
        return whole


def _gives(edit: _EditOfSome, wanted: Sequence[bool]) -> bool:
    """Whether an edit changes just the wanted rows."""
    return all(edit.edit.changed(row) == want for row, want in enumerate(wanted))


def _with_what_they_read(
    wanted: Sequence[bool], edits: Sequence[MapEdit]
) -> tuple[list[MapEdit], tuple[bool, ...]]:
    """The edits that reach the wanted rows, and all rows that have to be computed for that."""
    rows = list(wanted)
    needed: list[MapEdit] = []
    for edit in reversed(edits):
        if any(edit.changed(row) and there for row, there in enumerate(rows)):
            needed.insert(0, edit)
            rows = [there or edit.changed(row) or edit.read(row) for row, there in enumerate(rows)]
    return needed, tuple(rows)


def _among(marked: Sequence[bool], computed: Sequence[bool]) -> RowGroup | None:
    """The marked rows of those that are computed; None if these are all."""
    left = [mark for mark, there in zip(marked, computed, strict=True) if there]
    return None if all(left) else _group(left)


def _group(marked: Sequence[bool]) -> RowGroup:
    """The marked rows of a batch."""
    rows = len(marked)
    return row_groups(marked, rows)[True]


def _marks(group: RowGroup) -> tuple[bool, ...]:
    """Which rows of a batch a group has."""
    inside = {row for run in group.runs for row in range(run.start, run.stop)}
    return tuple(row % group.period in inside for row in range(group.rows))
