"""Bounded attention: which keys each cell may look at, where subjects have their places.

Dahary, Patashnik, Aberman, Cohen-Or, "Be Yourself: Bounded Attention for Multi-Subject Text-to-Image
Generation", ECCV 2024, section 4, as additive masks. What is closed gets half the lowest number of the
queries' type: the sum with another patch's mask stays finite.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ...contract.attention_part import Attend, Order, StepAside
from ...contract.qkv import QKV
from ...contract.site import WHOLE_PICTURE, Prompt, Site, Text, Window
from ...layout.regions import Layout, background, covered_cells, crop, repeated

KEPT_BYTES = 64 * 2**20  # larger masks are made anew at each call


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
    guiding, the background sees the end and the words of all subjects.
    """
    empty = background(masks) > 0
    closed = torch.zeros(masks.shape[1], keys, dtype=torch.bool)
    columns = [repeated(subject.token_positions, text, keys) for subject in layout.subjects(image)]
    for named in (*columns, repeated(layout.fillers, text, keys)):
        closed[:, named] = True
    for mask, named in zip(masks > 0, columns, strict=True):
        open_ = mask | empty if guiding else mask
        closed[:, named] &= ~open_[:, None]  # a word of several subjects is for the cells of all of them
    if not guiding:
        closed[:, repeated(layout.ends, text, keys)] |= empty[:, None]
    return closed


@dataclass(frozen=True)
class Places:
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
    places: Places
    guiding: bool = False
    kept: dict[Any, Tensor] = field(default_factory=dict, repr=False)  # biases, until the places change

    def wants(self, site: Site) -> bool | StepAside:
        if site.layer.ordinal not in self.layers:
            return False
        return site.kind == "self" or (site.kind == "cross" and any(map(self._bounded, site.rows.texts)))

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        return attend(self.bounded(site, qkv))

    def bounded(self, site: Site, qkv: QKV) -> QKV:
        """The attention with its masks; untouched if its keys are another picture's."""
        if qkv.swapped:
            return qkv
        return qkv.add_bias(self._self(site, qkv) if site.kind == "self" else self._cross(site, qkv))

    def _bounded(self, text: Text | None) -> bool:
        return text is not None and text.of(self.prompt)

    @property
    def prompt(self) -> Prompt | None:
        return self.places.layout.prompt

    def _foreign(self, text: Text | None) -> bool:
        """Whether this is another positive prompt than the layout's; it is left as it is."""
        return text is not None and text.role == "positive" and not self._bounded(text)

    def _self(self, site: Site, qkv: QKV) -> Tensor:
        """(1 or B, 1, N, N)"""
        rows, open_ = site.rows, qkv.q.new_zeros(1, 1, 1, 1)
        foreign = tuple(map(self._foreign, rows.texts)) or (False,) * len(rows.sources)
        biases = [
            open_ if other else self._bias(site, qkv.q, ("self",), lambda m, _: self_closed(m), window)
            for other, window in zip(foreign, rows.places, strict=True)
        ]
        if len(biases[0]) == 1 and len(set(zip(foreign, rows.places, strict=True))) == 1:
            return biases[0]
        size = (rows.images, 1, qkv.q.shape[2], qkv.k.shape[2])
        return torch.cat([bias.expand(size) for bias in biases])

    def _cross(self, site: Site, qkv: QKV) -> Tensor:
        """(B, 1, N, M)"""
        keys, chunks = qkv.k.shape[2], []
        for text, window in zip(site.rows.texts, site.rows.places, strict=True):
            if text is None or not self._bounded(text):
                bias = qkv.q.new_zeros(1, 1, 1, 1)
            else:
                closed = partial(self._cross_closed, text=text.tokens, keys=keys)
                bias = self._bias(site, qkv.q, ("cross", text.tokens, keys), closed, window)
            chunks.append(bias.expand(site.rows.images, 1, qkv.q.shape[2], keys))
        return torch.cat(chunks)

    def _cross_closed(self, masks: Tensor, image: int, *, text: int, keys: int) -> Tensor:
        return cross_closed(masks, self.places.layout, image, text, keys, self.guiding)

    def _bias(
        self,
        site: Site,
        like: Tensor,
        what: tuple[Any, ...],
        closed: Callable[[Tensor, int], Tensor],
        window: Window,
    ) -> Tensor:
        """(1 or images, 1, N, M) on the device and of the type of the queries."""
        key = (*what, site.grid, window, site.rows.images, like.dtype, like.device)
        if key not in self.kept:
            images = range(site.rows.images) if self.places.differ else (0,)
            bias = torch.stack(
                [_lowest(self._closed(site, image, window, closed), like.dtype) for image in images]
            )
            bias = bias[:, None].to(like.device)
            if bias.numel() * bias.element_size() > KEPT_BYTES:
                return bias
            self.kept[key] = bias
        return self.kept[key]

    def _closed(
        self, site: Site, image: int, window: Window, closed: Callable[[Tensor, int], Tensor]
    ) -> Tensor:
        """An image without subjects has nothing closed, not even fillers."""
        found = closed(self.places.masks(site.grid, image, window), image)
        return found if self.places.layout.subjects(image) else torch.zeros_like(found)


def _lowest(closed: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(closed.shape, dtype=dtype).masked_fill_(closed, torch.finfo(dtype).min / 2)
