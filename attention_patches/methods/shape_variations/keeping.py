"""Objects to keep: their rows and columns of self-attention stay the original's.

Patashnik et al., ICCV 2023, "Attention-based shape localization". With A_w the original's mean map of word w
in a layer so far, heads apart, brought to 0..1 by the least and greatest value of all words and heads:

    P_w   = cells that some head gives more than the threshold
    m     = 1 in the rows and columns of the objects' P, but 0 in those of the varied object's
    A_var <- m A_original + (1 - m) A_var        in self-attention of at most 32 x 32 cells

Differences from the authors' code: its means are of an earlier run of the original, ours of row 0 of this
one, which runs in lockstep. So in the first step nothing is kept; all images are the same there.
"""

from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from ...attention.attention_map import by_token
from ...attention.explicit_maps import probabilities
from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import Prompt, Site
from ...contract.schedule import before
from ...numerics.running_mean import RunningMean
from .mixing import own_chunks

MOST_CELLS = 1024  # of a layer in which objects are kept
IN_A_PART = "the model got a part of the picture, and objects are kept in the whole one"


@dataclass(frozen=True)
class Kept:
    """`objects` are the tokens of the words whose place stays as it is, `shape` those of the varied object,
    `until` the percent of the schedule."""

    objects: tuple[int, ...]
    shape: tuple[int, ...]
    until: float = 0.8
    threshold: float = 0.05


@dataclass(kw_only=True)
class WordCells:
    """Where the original's words are, by layer: means over the run so far."""

    order: ClassVar[Order] = "observe"  # maps as all others have made them
    spec: Kept
    grids: dict[int, tuple[int, int]]  # of the layers in which objects are kept
    prompt: Prompt | None = None
    means: dict[int, RunningMean] = field(default_factory=dict)  # (H, N, T)

    def wants(self, site: Site) -> bool | StepAside:
        if site.kind != "cross" or not before(site.percent, self.spec.until):
            return False
        return seen_whole(site, self.grids, self.prompt)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        for text, rows, _ in site.rows.by_text:
            if text.of(self.prompt) and not qkv.swapped:
                self._add(site.layer.ordinal, qkv, rows.start, text.tokens)
        return attend(qkv)

    def _add(self, layer: int, qkv: QKV, original: int, tokens: int) -> None:
        if layer not in self.means:
            size = (qkv.q.shape[1], qkv.q.shape[2], tokens)
            self.means[layer] = RunningMean(torch.zeros(size, device=qkv.q.device))
        for queries, maps in probabilities(qkv, slice(original, original + 1)):
            self.means[layer].add(by_token(maps[0, ..., : qkv.k.shape[2]], tokens), queries)

    def kept(self, layer: int) -> Tensor:
        """(N, N) bool: which pairs of cells are the original's."""
        values = self.means[layer].values
        low, high = values.aminmax()
        shares = (values - low) / (high - low).clamp_min(torch.finfo(values.dtype).tiny)
        objects, shape = (
            (shares[..., list(tokens)] > self.spec.threshold).any(-1).any(0)
            for tokens in (self.spec.objects, self.spec.shape)
        )
        return (objects[:, None] | objects) & ~(shape[:, None] | shape)


@dataclass(kw_only=True)
class Keeping:
    """Keeps the objects' self-attention."""

    order: ClassVar[Order] = "edit"
    places: WordCells
    same: frozenset[int] = frozenset()  # images that are the original
    kept: set[float] = field(default_factory=set)  # noise levels

    def wants(self, site: Site) -> bool | StepAside:
        places = self.places
        if site.kind != "self" or not before(site.percent, places.spec.until):
            return False
        if len(self.same) + 1 >= site.rows.images:
            return False
        return site.layer.ordinal in places.means and seen_whole(site, places.grids, places.prompt)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        self.kept.add(site.sigma)
        kept, images = self.places.kept(site.layer.ordinal), site.rows.images
        chunks = list(own_chunks(site.rows, self.places.prompt))
        own = [row for rows in chunks for row in range(rows.start, rows.stop)]
        every = range(qkv.q.shape[0])

        def edit(maps: Tensor, queries: slice) -> Tensor:
            """Of the original and the varied images the latter; appended keys go with their row."""
            by_chunk = maps.unflatten(0, (len(chunks), -1))
            further = maps.shape[-1] - kept.shape[-1]
            with_row = kept.diagonal()[:, None].expand(-1, further)
            mask = torch.cat([kept, with_row], dim=-1)[queries].to(maps.device)
            return torch.where(mask, by_chunk[:, :1], by_chunk[:, 1:]).flatten(0, 1)

        varied = [row in own and row % images not in {0, *self.same} for row in every]
        read = [here or (row in own and row % images == 0) for row, here in zip(every, varied, strict=True)]
        return attend(qkv.edit_map(edit, rows=varied, reads=read))

    def describe(self) -> str:
        """At how many noise levels."""
        return f"Objects were kept at {len(self.kept)} noise levels."


def seen_whole(site: Site, grids: dict[int, tuple[int, int]], prompt: Prompt | None) -> bool | StepAside:
    """Whether a call of one of these layers holds the whole picture under the prompt, cell by cell."""
    if site.layer.ordinal not in grids or site.rows.images < 2:
        return False
    windows = [window for text, _, window in site.rows.by_text if text.of(prompt)]
    if not windows:
        return False
    if site.grid != grids[site.layer.ordinal] or any(w is None or not w.whole for w in windows):
        return StepAside(IN_A_PART)
    return True


def small_layers(grids: dict[int, tuple[int, int]], layers: frozenset[int]) -> dict[int, tuple[int, int]]:
    """Those of at most MOST_CELLS cells, with their grids."""
    return {n: grid for n, grid in grids.items() if n in layers and prod(grid) <= MOST_CELLS}
