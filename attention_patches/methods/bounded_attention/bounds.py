"""Bounded attention: which keys each cell may look at, where subjects have their places.

Dahary, Patashnik, Aberman, Cohen-Or, "Be Yourself: Bounded Attention for Multi-Subject Text-to-Image
Generation", ECCV 2024, section 4, as additive biases.

In a joint attention of text and picture these are biases on the logits of one softmax, of the picture's
queries alone: what a text's tokens look at stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeGuard

import torch
from torch import Tensor
from torch.nn import functional as F

from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.column_bias import ColumnBias
from ...contract.call.qkv import QKV
from ...contract.call.site import WHOLE_PICTURE, Prompt, Site, Text, Window
from ...layout.cells import background, covered_cells, crop
from ...layout.regions import Layout
from ...layout.subject_tokens import repeated
from .mask_columns import Columns, few_columns, kinds_of_cells, nothing_closed, side_by_side

MOST_KEPT = 64  # biases; parts of a picture have some each

Asked = tuple[int, Window]
"""The tokens of a text, 0 in self-attention, and a part of the picture."""


def self_closed(masks: Tensor) -> Tensor:
    """(S, N) of 0 and 1 -> (N, N) bool: what a cell may not look at.

    A subject's cell sees the subjects that it belongs to, and the background; the background sees all.
    """
    inside = masks.sum(0) > 0
    together = masks.T @ masks > 0
    return inside[:, None] & inside & ~together


def cross_closed(masks: Tensor, layout: Layout, image: int, text: int, keys: int, guiding: bool) -> Tensor:
    """(S, N) -> (N, keys) bool: the tokens that a cell may not look at, in every copy of a text of so many.

    A subject's words are for its cells, fillers for none, the end token not for the background. While
    guiding, the background sees the end and the words of all subjects. Where nothing of a text would be left
    to the background, it sees the ends, and all that is no subject's if there are none: CLIP begins every
    text with a token that all may see, and T5 does not.
    """
    empty = background(masks) > 0
    closed = torch.zeros(masks.shape[1], keys, dtype=torch.bool)
    columns = [repeated(subject.token_positions, text, keys) for subject in layout.subjects(image)]
    ends = repeated([end for end in layout.ends if end < text], text, keys)
    for named in (*columns, repeated(layout.fillers, text, keys)):
        closed[:, named] = True
    for mask, named in zip(masks > 0, columns, strict=True):
        open_ = mask | empty if guiding else mask
        closed[:, named] &= ~open_[:, None]  # a word of several subjects is for the cells of all of them
    if not guiding:
        closed[:, ends] |= empty[:, None]
    return opened(closed, columns, ends)


def opened(closed: Tensor, columns: Sequence[Sequence[int]], ends: Sequence[int]) -> Tensor:
    """(N, keys) without a row in which all is closed; `columns` are the words of each subject."""
    shut = closed.all(1)
    if shut.any():
        nobodys = torch.ones(closed.shape[1], dtype=torch.bool)
        nobodys[[token for named in columns for token in named]] = False
        left = ends or nobodys.nonzero().flatten().tolist() or range(closed.shape[1])
        closed[shut.nonzero(), torch.as_tensor(list(left))] = False
    return closed


@dataclass(frozen=True)
class Outlines:
    """Where the subjects of each image are in one run: as the layout says, until masks are found."""

    layout: Layout
    found: dict[int, Tensor] = field(default_factory=dict)  # image -> (S, h, w) of 0 and 1

    def masks(self, grid: tuple[int, int], image: int, window: Window = WHOLE_PICTURE) -> Tensor:
        """(S, h * w) float32, 0 or 1, on the grid of any part of the picture; a subject that has cells there
        has one here."""
        found = self.found.get(image)
        if found is None:
            return self.layout.masks(grid, image, window)
        found = crop(found, window)
        if found.shape[1:] == grid:
            return found.flatten(1)
        resized = F.interpolate(found[None], grid, mode="nearest-exact")[0]
        for subject in (resized.sum((1, 2)) == 0).nonzero().flatten().tolist():
            if found[subject].any():
                resized[subject] = covered_cells(found[subject], grid)
        return resized.flatten(1)

    @property
    def differ(self) -> bool:
        """Whether images may have different masks."""
        return bool(self.found) or len(self.layout.images) > 1


@dataclass(kw_only=True)
class Bounds:
    """The masks of both attentions: cross-attention for the rows of the layout's prompt, self-attention for
    all but those of other positive prompts.

    Belongs to one run. Images without subjects stay as they are.
    """

    order: ClassVar[Order] = "edit"
    layers: frozenset[int]
    outlines: Outlines
    self_layers: frozenset[int] | None = None  # of self-attention, where they are others
    guiding: bool = False
    kept: dict[Any, ColumnBias | None] = field(default_factory=dict, repr=False)  # until the outlines change

    def wants(self, site: Site) -> bool | StepAside:
        if not self.bounds(site):
            return False
        return site.kind == "self" or (site.kind == "cross" and any(map(self._is_own, site.rows.texts)))

    def bounds(self, site: Site) -> bool:
        """Whether this layer's attention of that kind has bounds."""
        if site.kind == "self" and self.self_layers is not None:
            return site.layer.ordinal in self.self_layers
        return site.layer.ordinal in self.layers

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        return attend(self.bounded(site, qkv))

    def bounded(self, site: Site, qkv: QKV) -> QKV:
        """The attention with its masks; untouched if its keys are another picture's."""
        if qkv.swapped:
            return qkv
        bias = self._self(site, qkv) if site.kind == "self" else self._cross(site, qkv)
        return qkv if bias is None else qkv.add_bias(bias)

    def _is_own(self, text: Text | None) -> TypeGuard[Text]:
        return text is not None and text.of(self.prompt)

    @property
    def prompt(self) -> Prompt | None:
        return self.outlines.layout.prompt

    def _is_of_another(self, text: Text | None) -> bool:
        """Whether this is another positive prompt than the layout's; it is left as it is."""
        return text is not None and text.role == "positive" and not self._is_own(text)

    def _self(self, site: Site, qkv: QKV) -> ColumnBias | None:
        texts = site.rows.texts or (None,) * len(site.rows.sources)
        chunks = zip(texts, site.rows.windows_or_whole, strict=True)
        asked = [None if self._is_of_another(text) else (0, window) for text, window in chunks]
        return self._bias(site, qkv, tuple(asked))

    def _cross(self, site: Site, qkv: QKV) -> ColumnBias | None:
        chunks = zip(site.rows.texts, site.rows.windows_or_whole, strict=True)
        asked = [(text.tokens, window) if self._is_own(text) else None for text, window in chunks]
        return self._bias(site, qkv, tuple(asked))

    def _cross_closed(self, masks: Tensor, image: int, *, text: int, keys: int) -> Tensor:
        return cross_closed(masks, self.outlines.layout, image, text, keys, self.guiding)

    def _bias(self, site: Site, qkv: QKV, asked: tuple[Asked | None, ...]) -> ColumnBias | None:
        """Broadcast to (B, H, N, M), on the device and of the type of the queries; None if nothing is
        closed."""
        keys, images = qkv.k.shape[2], site.rows.images
        key = (site.kind, site.grid, asked, images, keys, qkv.q.dtype, qkv.q.device)
        if key not in self.kept:
            if len(self.kept) > MOST_KEPT:
                self.kept.clear()
            self.kept[key] = side_by_side(self._rows(site, asked, keys), qkv.q)
        return self.kept[key]

    def _rows(self, site: Site, asked: tuple[Asked | None, ...], keys: int) -> list[Columns]:
        """Of every row of the call, or of one, if all are the same."""
        images = site.rows.images if self.outlines.differ else 1
        chunks = [[self._columns(site, one, image, keys) for image in range(images)] for one in asked]
        if images == 1 and len(set(asked)) == 1:
            return chunks[0]
        return [row for chunk in chunks for row in chunk * (site.rows.images // images)]

    def _columns(self, site: Site, asked: Asked | None, image: int, keys: int) -> Columns:
        """An image without subjects has nothing closed, not even fillers."""
        if asked is None or not self.outlines.layout.subjects(image):
            return nothing_closed(site.grid[0] * site.grid[1], keys)
        tokens, window = asked
        kinds, owners = kinds_of_cells(self.outlines.masks(site.grid, image, window))
        if site.kind == "self":
            return few_columns(self_closed(owners)[:, kinds], kinds)
        return few_columns(self._cross_closed(owners, image, text=tokens, keys=keys), kinds)
