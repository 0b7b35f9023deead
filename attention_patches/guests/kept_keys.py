"""Keys and values of one pass through the model, kept for another pass over other pictures."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ..contract.qkv import QKV
from ..contract.site import Rows, Site

Chunk = tuple[int, str | int, int, int]
"""Ordinal of the layer, role of the chunk's text or its number, entry, and how often that came before."""


@dataclass
class KeptKeys:
    """Belongs to one run. First open `gathering` for a pass and `keep`, then `giving` for another and `give`.

    A chunk is found by its text, so the passes may be split into calls and ordered as the host likes. What
    guidance nodes pass once more under a text that has come already is told apart by its turn.
    """

    doing: Literal["gather", "give"] | None = None
    tensors: dict[Chunk, tuple[Tensor, Tensor]] = field(default_factory=dict)
    turns: Counter[tuple[int, str | int, int]] = field(default_factory=Counter)

    @property
    def busy(self) -> bool:
        return self.doing is not None

    @property
    def gathers(self) -> bool:
        return self.doing == "gather"

    @contextmanager
    def gathering(self) -> Iterator[None]:
        self.doing = "gather"
        self.turns.clear()
        try:
            yield
        finally:
            self.doing = None

    @contextmanager
    def giving(self) -> Iterator[None]:
        """Forgets all that was kept when it closes."""
        self.doing = "give"
        self.turns.clear()
        try:
            yield
        finally:
            self.doing = None
            self.tensors.clear()

    def keep(self, site: Site, qkv: QKV) -> None:
        """Remember keys and values (B, H, M, d) of each chunk of this call."""
        for chunk, rows in zip(self._chunks(site), site.rows.chunks, strict=True):
            self.tensors[chunk] = qkv.k[rows], qkv.v[rows]

    def give(self, site: Site, device: torch.device) -> tuple[Tensor, Tensor]:
        """Keys and values for the rows of this call; those of a single picture serve for every image.

        Raises KeyError if none were kept.
        """
        chunks = list(self._chunks(site))
        if any(chunk not in self.tensors for chunk in chunks):
            raise KeyError("the other picture did not pass here")
        pairs = [self.tensors[chunk] for chunk in chunks]
        keys, values = (
            [x.to(device).expand(site.rows.images, -1, -1, -1) for x in kind]
            for kind in zip(*pairs, strict=True)
        )
        return (keys[0], values[0]) if len(pairs) == 1 else (torch.cat(keys), torch.cat(values))

    def _chunks(self, site: Site) -> Iterator[Chunk]:
        for name in _names(site.rows):
            key = (site.layer.ordinal, *name)
            yield (*key, self.turns[key])
            self.turns[key] += 1


def _names(rows: Rows) -> Iterator[tuple[str | int, int]]:
    """(role, entry) of each chunk's text, or its source's number where the text is not known."""
    texts = rows.texts or (None,) * len(rows.sources)
    for source, text in zip(rows.sources, texts, strict=True):
        yield (source, 0) if text is None else (text.role, text.entry)
