"""Prompt-to-Prompt at work in attention calls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import Prompt, Rows, Site, Text
from ...contract.schedule import before
from .edits import Edit, Tables

TOO_SHORT = "the prompt's text has fewer tokens than this node has aligned"


@dataclass(kw_only=True)
class Control:
    """Edits the images behind the first one; the first, the source, and all other texts stay as they are."""

    order: ClassVar[Order] = "edit"
    layers: frozenset[int]
    edits: Sequence[Edit]
    self_until: float
    self_max_tokens: int
    prompt: Prompt | None = None
    crossed: set[float] = field(default_factory=set)  # noise levels at which cross-attention was edited
    held: set[float] = field(default_factory=set)  # at which self-attention was
    acting: dict[float, bool] = field(default_factory=dict)  # by percent
    made: dict[tuple[float, int, torch.device], Tables] = field(default_factory=dict)

    def wants(self, site: Site) -> bool | StepAside:
        texts = [text for text, _ in self._chunks(site.rows)]
        if not texts or site.layer.ordinal not in self.layers:
            return False
        if site.kind == "self":
            return before(site.percent, self.self_until) and prod(site.grid) <= self.self_max_tokens
        if site.kind != "cross" or not self._acts(site.percent):
            return False
        if any(text.tokens < len(edit.taken) for text in texts for edit in self.edits):
            return StepAside(TOO_SHORT)
        return True

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        if site.kind == "self":
            self.held.add(site.sigma)
            return attend(self._with_the_sources(site, qkv))
        self.crossed.add(site.sigma)
        for text, rows in self._chunks(site.rows):
            qkv = self._edited(qkv, site, text, rows)
        return attend(qkv)

    def _chunks(self, rows: Rows) -> Iterator[tuple[Text, slice]]:
        """The chunks of the edited prompts."""
        if rows.images == 1 + len(self.edits):
            yield from ((text, chunk) for text, chunk, _ in rows.by_text if text.of(self.prompt))

    def _acts(self, percent: float) -> bool:
        """Whether any map is edited at this place of the schedule."""
        if percent not in self.acting:
            self.acting[percent] = any(any(edit.acting(percent)) for edit in self.edits)
        return self.acting[percent]

    def _with_the_sources(self, site: Site, qkv: QKV) -> QKV:
        """Every edit has the source's map by having its queries and keys; the values stay its own."""
        q, k = qkv.q.clone(), qkv.k.clone()
        for _, rows in self._chunks(site.rows):
            for x in (q, k):
                x[rows.start + 1 : rows.stop] = x[rows.start]
        return replace(qkv, q=q, k=k)

    def _edited(self, qkv: QKV, site: Site, text: Text, chunk: slice) -> QKV:
        tables = self._tables(site.percent, text.tokens, qkv.q.device)
        if tables.empty:
            return qkv
        changed = {chunk.start + image for image in tables.images}
        keys = qkv.k.shape[2] // text.tokens * text.tokens

        def edit(maps: Tensor, queries: slice) -> Tensor:
            """Of the source and the images that change, the host's copies of the text one by one."""
            words = maps[..., :keys].unflatten(-1, (-1, text.tokens)).movedim(-2, 0)
            edited = tables.edited(words[:, :1], words[:, 1:]).movedim(0, -2).flatten(-2)
            if keys == maps.shape[-1]:
                return edited
            return torch.cat([edited, maps[1:, ..., keys:]], dim=-1)

        every = range(qkv.q.shape[0])
        return qkv.edit_map(
            edit,
            rows=[row in changed for row in every],
            reads=[row in changed or row == chunk.start for row in every],
        )

    def _tables(self, percent: float, tokens: int, device: torch.device) -> Tables:
        """Made once for each part of the schedule in which they stay the same."""
        due = [until for edit in self.edits for until in edit.until if not before(percent, until)]
        key = (max(due, default=-1.0), tokens, device)
        if key not in self.made:
            self.made[key] = Tables.of(self.edits, percent, tokens, device)
        return self.made[key]

    def describe(self) -> str:
        """What was taken of the source, at how many noise levels."""
        if all(edit.idle for edit in self.edits):
            return f"Shapes held at {len(self.held)} noise levels."
        return f"Words' maps edited at {len(self.crossed)} noise levels, shapes held at {len(self.held)}."
