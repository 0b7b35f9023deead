"""Tensors of one pass through the model, kept for another pass over other pictures."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ..contract.call.site import Rows

Chunk = tuple[Hashable, str | int, int, int]
"""A place in the model, role of the chunk's text or its number, entry, and how often that came before."""

NOT_THERE = "the other picture did not pass here"


@dataclass
class KeptRows:
    """Belongs to one run. First open `gathering` for a pass and `keep`, then `giving` for another and `give`.

    A chunk is found by its text, so the passes may be split into calls and ordered as the host likes. What
    guidance nodes pass once more under a text that has come already is told apart by its turn. With
    `for_all` the pass has one chunk, and it serves those of every text. With `repeats` a text may come more
    often than it was kept, as with many windows of one picture: from then on its last turn serves.
    """

    for_all: bool = False
    repeats: bool = False
    doing: Literal["gather", "give"] | None = None
    tensors: dict[Chunk, tuple[Tensor, ...]] = field(default_factory=dict)
    turns: Counter[tuple[Hashable, str | int, int]] = field(default_factory=Counter)

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

    def keep(self, place: Hashable, rows: Rows, *tensors: Tensor) -> None:
        """Remember tensors (B, ...) of each chunk that a call has at this place."""
        for chunk, own in zip(self._chunks(place, rows), rows.chunks, strict=True):
            self.tensors[chunk] = tuple(tensor[own] for tensor in tensors)

    def give(self, place: Hashable, rows: Rows, device: torch.device) -> tuple[Tensor, ...]:
        """The tensors for the rows of a call; those of a single picture serve for every image.

        Raises KeyError if none were kept.
        """
        by_kind = zip(*self.of_chunks(place, rows, device), strict=True)
        return tuple(_joined([_for(rows.images, x) for x in kind]) for kind in by_kind)

    def of_chunks(self, place: Hashable, rows: Rows, device: torch.device) -> list[tuple[Tensor, ...]]:
        """Those of all the other pictures for each chunk of a call. Raises KeyError if none were kept."""
        chunks = [self._found(chunk) for chunk in self._chunks(place, rows)]
        if any(chunk not in self.tensors for chunk in chunks):
            raise KeyError(NOT_THERE)
        return [tuple(x.to(device) for x in self.tensors[chunk]) for chunk in chunks]

    def _found(self, chunk: Chunk) -> Chunk:
        """The chunk whose tensors serve for this one."""
        *name, turn = chunk
        if not self.repeats or chunk in self.tensors:
            return chunk
        earlier = ((*name, before) for before in range(turn - 1, -1, -1))
        return next((one for one in earlier if one in self.tensors), chunk)

    def _chunks(self, place: Hashable, rows: Rows) -> Iterator[Chunk]:
        for name in _names(rows):
            key = (place, "all", 0) if self.for_all else (place, *name)
            yield (*key, 0 if self.for_all else self.turns[key])
            self.turns[key] += 1


def _for(images: int, tensor: Tensor) -> Tensor:
    return tensor.expand(images, *tensor.shape[1:])


def _joined(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _names(rows: Rows) -> Iterator[tuple[str | int, int]]:
    """(role, entry) of each chunk's text, or its source's number where the text is not known."""
    texts = rows.texts or (None,) * len(rows.sources)
    for source, text in zip(rows.sources, texts, strict=True):
        yield (source, 0) if text is None else (text.role, text.entry)
