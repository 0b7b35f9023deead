"""Where the object is in each image: self-segmentation of the run so far.

The paper's "Controllable background preservation"; `maps/self_segmentation` has the formulas. Here the means
grow with the run, over steps and layers at once, so that a long run of many layers takes no more memory than
one map for each image. Self-attention is that of the finest grid of at most 32 x 32 cells, as in SD1.4;
cross-attention that of all layers which are no finer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ...attention.attention_map import by_token
from ...attention.explicit_maps import probabilities
from ...contract.attention_part import Attend, Order, StepAside
from ...contract.call.qkv import QKV
from ...contract.call.site import Prompt, Site
from ...maps.self_segmentation.segmentation import Segmentation, cluster, label, normalised, score
from ...numerics.running_mean import RunningMean
from ...text.words import Word
from .keeping import seen_whole


@dataclass(frozen=True)
class Named:
    """What segments are labelled with: words of the original's prompt, of which the first is the varied
    object, and by number those that count as background."""

    words: tuple[Word, ...]
    ground: frozenset[int] = frozenset()
    segments: int = 5
    threshold: float = 0.3
    seed: int = 0


@dataclass(kw_only=True)
class Finding:
    """Means of attention from which the object is found, until `done`."""

    order: ClassVar[Order] = "observe"  # maps as all others have made them
    spec: Named
    grids: dict[int, tuple[int, int]]  # of the layers that are looked at
    prompt: Prompt | None = None
    looks: RunningMean | None = None  # of self-attention, (images, N, N)
    # by grid: heads of a layer, mean (images, N, words)
    words: dict[tuple[int, int], tuple[int, RunningMean]] = field(default_factory=dict)
    done: bool = False

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the segments."""
        return max(self.grids.values(), key=lambda grid: grid[0] * grid[1])

    def wants(self, site: Site) -> bool | StepAside:
        if self.done:
            return False
        if site.kind == "self" and self.grids.get(site.layer.ordinal) != self.grid:
            return False
        return seen_whole(site, self.grids, self.prompt)

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> Tensor:
        out = attend(qkv)
        for text, rows, _ in site.rows.by_text:
            if text.of(self.prompt) and not qkv.swapped:
                self._add(site, qkv, rows, text.tokens)
        return out

    def _add(self, site: Site, qkv: QKV, rows: slice, tokens: int) -> None:
        mean = self._looks(qkv, site) if site.kind == "self" else self._words(qkv, site)
        own = qkv.k.shape[2]
        chosen = self._pieces(tokens, qkv.q.device) if site.kind == "cross" else None
        for queries, maps in probabilities(qkv, rows):
            seen = maps[..., :own].mean(1)
            mean.add(seen if chosen is None else by_token(seen, tokens) @ chosen, queries)

    def _looks(self, qkv: QKV, site: Site) -> RunningMean:
        if self.looks is None:
            cells = qkv.q.shape[2]
            self.looks = RunningMean(torch.zeros(site.rows.images, cells, cells, device=qkv.q.device))
        return self.looks

    def _words(self, qkv: QKV, site: Site) -> RunningMean:
        if site.grid not in self.words:
            size = (site.rows.images, qkv.q.shape[2], len(self.spec.words))
            self.words[site.grid] = (site.heads, RunningMean(torch.zeros(size, device=qkv.q.device)))
        return self.words[site.grid][1]

    def _pieces(self, tokens: int, device: torch.device) -> Tensor:
        """(T, words): the mean over each word's tokens."""
        pieces = torch.zeros(tokens, len(self.spec.words))
        for number, word in enumerate(self.spec.words):
            pieces[list(word.positions), number] = 1 / len(word.positions)
        return pieces.to(device)

    def found(self) -> tuple[Segmentation, ...] | None:
        """The segments of every image; None if nothing was seen. Raises ValueError for attention that is not
        a number, and for more segments than cells."""
        if self.looks is None or not self.words:
            return None
        looks, words = self.looks.values.cpu(), self._enlarged()
        return tuple(self._of_image(*of_image) for of_image in zip(looks, words, strict=True))

    def _of_image(self, looks: Tensor, words: Tensor) -> Segmentation:
        clusters = cluster(looks, self.spec.segments, self.spec.seed).unflatten(0, self.grid)
        scores = score(normalised(words), clusters, self.spec.segments)
        return Segmentation(clusters, scores, label(scores, self.spec.threshold))

    def _enlarged(self) -> Tensor:
        """(images, words, *grid): the mean of all grids by their calls and heads."""
        total, weights = torch.zeros(()), 0
        for grid, (heads, mean) in self.words.items():
            maps = mean.values.cpu().transpose(1, 2).unflatten(-1, grid)
            weight = heads * mean.maps
            total = total + weight * F.interpolate(maps, self.grid, mode="bicubic").clamp(min=0)
            weights += weight
        return total / weights


def object_masks(found: Sequence[Segmentation], spec: Named) -> tuple[Tensor, tuple[bool, ...]]:
    """(images, h, w) bool: all but the background of each image, and whether the object is there.

    Background is what has no label, or the label of a word that counts as such, but never the object.
    """
    kept = {number for number in range(len(spec.words)) if number == 0 or number not in spec.ground}
    masks = [segmentation.masks(segmentation.clusters)[sorted(kept)].any(0) for segmentation in found]
    return torch.stack(masks), tuple(0 in segmentation.labels for segmentation in found)
