"""Queries, keys and values on their way through the methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .column_bias import ColumnBias

EditOfMap = Callable[[Tensor, slice], Tensor]
"""(probabilities (R, H, n, M) in float32 of the rows that are read, which queries these are) -> edited
probabilities of the rows that are changed."""


@dataclass(frozen=True)
class MapEdit:
    """An edit of the probabilities of the rows marked in `rows`, made of those marked in `reads`; both are in
    the order of the batch, and None stands for all. Rows that no edit changes stay on the fused kernel."""

    edit: EditOfMap
    rows: tuple[bool, ...] | None = None
    reads: tuple[bool, ...] | None = None

    def changed(self, row: int) -> bool:
        return self.rows is None or self.rows[row]

    def read(self, row: int) -> bool:
        return self.reads is None or self.reads[row]


@dataclass(frozen=True)
class Appended:
    """Further keys and values, seen only by the rows marked True."""

    k: Tensor  # (B, H, M, d), or (C, H, M, d): the rows of each of C chunks see the same
    v: Tensor  # as k
    bias: Tensor | None
    rows: tuple[bool, ...]
    columns: tuple[ColumnBias, ...] = ()  # added to the bias
    name: str = ""  # of a part of the call's own tokens; what a patch has appended has none


@dataclass(frozen=True)
class QKV:
    """One attention call, always after the projections.

    `k` and `v` stay the call's own tokens, so a site's token slices remain right whatever other patches
    append. `bias` is float and broadcasts to (B, H, N, M) with M = the own keys; what `columns` stand for is
    added to it. `edits` see explicit maps whose first M columns are the own keys; appended keys follow.
    `scale` of the logits is the host's. If keys and values are `swapped` for those of other pictures, keys
    are places there, and M may be any.

    A joint attention of text and picture is seen as self- or cross-attention of one softmax: the part that
    is looked at is the own one, called by its `name`, and the other parts are appended for all rows. So maps
    give the true joint probabilities, and a bias or an edit speaks of the own part.
    """

    q: Tensor  # (B, H, N, d)
    k: Tensor  # (B, H, M, d)
    v: Tensor  # (B, H, M, d)
    bias: Tensor | None = None
    appended: tuple[Appended, ...] = ()
    edits: tuple[MapEdit, ...] = ()
    scale: float | None = None  # None: 1 / sqrt(d)
    swapped: bool = False
    columns: tuple[ColumnBias, ...] = ()
    name: str = ""

    @property
    def logit_scale(self) -> float:
        return float(self.q.shape[-1] ** -0.5) if self.scale is None else self.scale

    def append(
        self,
        k: Tensor,
        v: Tensor,
        *,
        bias: Tensor | ColumnBias | None = None,
        rows: Sequence[bool] | None = None,
    ) -> "QKV":
        """Let the given rows (all, if None) attend to further keys and values (B, H, M', d) as well.

        With (C, H, M', d) the rows of each of C equal chunks see the same, and it is not copied for each row.
        """
        seen_by = tuple(rows) if rows is not None else (True,) * self.q.shape[0]
        if isinstance(bias, ColumnBias):
            further = Appended(k, v, None, seen_by, (bias,))
        else:
            check_float(bias)
            further = Appended(k, v, bias, seen_by)
        return replace(self, appended=(*self.appended, further))

    def add_bias(self, bias: Tensor | ColumnBias) -> "QKV":
        """Add to the logits of the own keys. Raises TypeError for a boolean mask."""
        if isinstance(bias, ColumnBias):
            return replace(self, columns=(*self.columns, bias))
        check_float(bias)
        return replace(self, bias=bias if self.bias is None else self.bias + bias)

    def swap(self, k: Tensor, v: Tensor) -> "QKV":
        """Attend to other pictures' keys and values (B, H, M', d) instead of the own ones.

        Raises ValueError if that was done already, or if M' is another number of keys, and a bias or an edit
        speaks of the own ones.
        """
        if self.swapped:
            raise ValueError("the keys are another picture's already")
        weighed = [product.keys.shape[2] for product in self.columns]
        weighed += [] if self.bias is None else [self.bias.shape[-1]]
        by_key = bool(self.edits) or any(keys > 1 for keys in weighed)
        if by_key and k.shape[2] != self.k.shape[2]:
            raise ValueError("another patch weighs single keys, and the other picture has another number")
        return replace(self, k=k, v=v, swapped=True)

    def edit_map(
        self,
        edit: EditOfMap,
        rows: Sequence[bool] | None = None,
        reads: Sequence[bool] | None = None,
    ) -> "QKV":
        """Edit the probabilities of the given rows (all, if None), before the edits of the patches outside
        this one.

        The edit is given those of `reads` (if None: of the rows that it changes), and gives back those of
        `rows`. What it does not change is computed as if there were no edit, to the bit.
        """
        changed = None if rows is None else tuple(rows)
        seen = changed if reads is None else tuple(reads)
        return replace(self, edits=(MapEdit(edit, changed, seen), *self.edits))


def whole_bias(bias: Tensor | None, columns: Sequence[ColumnBias], dtype: torch.dtype) -> Tensor | None:
    """A bias and columns as one mask, which broadcasts to (B, H, N, M)."""
    total = None if bias is None else bias.to(dtype)
    for product in columns:
        mask = product.mask(dtype)
        total = mask if total is None else total + mask
    return total


def check_float(bias: Tensor | None) -> None:
    """Raises TypeError for a mask that is not float; two of the host's backends take boolean ones wrongly."""
    if bias is not None and not bias.is_floating_point():
        raise TypeError(f"a bias is added to the logits and must be float, not {bias.dtype}")
