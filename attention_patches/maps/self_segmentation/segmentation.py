"""Self-Segmentation: objects and their labels, from the attention of one run.

Patashnik, Garibi, Azuri, Averbuch-Elor, Cohen-Or, "Localizing Object-level Shape Variations with
Text-to-Image Diffusion Models", ICCV 2023: the self-segmentation of "Controllable background preservation".
With S the self-attention of one grid and A_n the cross-attention of noun n on it, means over heads, layers
and times:

    clusters = k-means of the rows of S          a row says where one place of the picture looks
    M_n      = (A_n - min A_n) / max A_n
    s(c, n)  = mean of M_n inside cluster c
    label(c) = argmax_n s(c, n) if that reaches the threshold, else background

Differences from the authors' code. It takes SD1.4's 32 x 32 layers for S and the 16 x 16 layers for A; we
take the finest self-attention that was recorded, of any aspect ratio, and all chosen layers for A. It
enlarges A to the nearest neighbours, we bicubically. It finds a noun at its word's number plus one, our
caller at its real tokens, and picks nouns with a tagger, where our caller names the subjects. It segments the
last picture of a batch, we each one. Segments are numbered by size. `sharpened` is ours.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...numerics.clustering import k_means
from ...text.words import Word
from ..averages import recorded_layers, self_map
from ..recorded import AttentionMaps
from ..word_maps import word_maps
from .guided_filter import guided_filter

REACH = 2.0  # how many places of the grid an edge may be off


@dataclass(frozen=True)
class Segmentation:
    """The segments of one image; number 0 is the largest."""

    clusters: Tensor  # (h, w) int64: the segment of each place of the grid
    scores: Tensor  # (segments, subjects) float32, 0..1
    labels: tuple[int | None, ...]  # the subject of each segment; None is background

    def enlarged(self, size: tuple[int, int]) -> Tensor:
        """(height, width) int64: the segments in another size, with smooth borders."""
        return F.interpolate(self._shares()[None], size, mode="bilinear")[0].argmax(0)

    def sharpened(self, picture: Tensor) -> Tensor:
        """(height, width) int64: the segments with borders on the edges of the picture (height, width, 3)."""
        radius = REACH / max(self.clusters.shape)
        return guided_filter(self._shares(), picture.movedim(-1, 0), radius).argmax(0)

    def masks(self, clusters: Tensor) -> Tensor:
        """(subjects, height, width) bool, for these segments in any size."""
        subject = torch.tensor([-1 if label is None else label for label in self.labels])
        return subject[clusters] == torch.arange(self.scores.shape[1])[:, None, None]

    def segments(self, clusters: Tensor) -> Tensor:
        """(segments, height, width) bool, for these segments in any size."""
        return clusters == torch.arange(len(self.labels))[:, None, None]

    def _shares(self) -> Tensor:
        return self.segments(self.clusters).float()


@dataclass(frozen=True, kw_only=True)
class SelfSegmentation:
    """How to segment. `layers` are ordinals, all that were recorded if None."""

    segments: int = 5
    threshold: float = 0.3
    layers: Collection[int] | None = None
    seed: int = 0

    def __call__(self, maps: AttentionMaps, subjects: Sequence[Word]) -> tuple[Segmentation, ...]:
        """Of each image. Raises ValueError if the maps lack what is needed."""
        return tuple(self.of_image(maps, subjects, image) for image in range(maps.images))

    def of_image(self, maps: AttentionMaps, subjects: Sequence[Word], image: int) -> Segmentation:
        """Of one image."""
        grid = finest_grid(maps, self.layers)
        attention = self_map(maps, grid, image=image, layers=self.layers)
        clusters = cluster(attention, self.segments, self.seed).unflatten(0, grid)
        words = normalised(word_maps(maps, subjects, grid, image=image, layers=self.layers))
        scores = score(words, clusters, self.segments)
        return Segmentation(clusters, scores, label(scores, self.threshold))


def finest_grid(maps: AttentionMaps, layers: Collection[int] | None = None) -> tuple[int, int]:
    """(height, width) of the self-attention with the most places. Raises ValueError if there is none."""
    grids = (x.grid for x in recorded_layers(maps, layers, "positive", "self_attention"))
    return max(grids, key=lambda grid: grid[0] * grid[1])


def cluster(attention: Tensor, segments: int, seed: int) -> Tensor:
    """(N, N) -> (N,) int64 in 0..segments-1: k-means of the rows.

    Raises ValueError if N is too small, RuntimeError if scikit-learn is missing.
    """
    if not 1 <= segments <= len(attention):
        raise ValueError(
            f"segments is {segments}, but the recorded self-attention has {len(attention)} places"
        )
    found, _ = k_means(attention, segments, seed)
    return by_size(found, segments)


def by_size(clusters: Tensor, segments: int) -> Tensor:
    """(N,) renumbered: 0 is the largest cluster; of equally large ones the one that comes first."""
    inside = (clusters == torch.arange(segments)[:, None]).float()  # (segments, N)
    sizes, begin = inside.sum(1).tolist(), inside.argmax(1).tolist()
    order = sorted(range(segments), key=lambda number: (-sizes[number], begin[number]))
    return torch.tensor(order).argsort()[clusters]


def normalised(words: Tensor) -> Tensor:
    """(subjects, h, w) -> M_n of each. The largest value is (max - min) / max, as in the authors' code."""
    smallest, largest = words.amin((1, 2), keepdim=True), words.amax((1, 2), keepdim=True)
    return (words - smallest) / largest.clamp(min=torch.finfo(words.dtype).tiny)


def score(words: Tensor, clusters: Tensor, segments: int) -> Tensor:
    """(subjects, h, w) and (h, w) -> (segments, subjects): the mean of each map inside each cluster."""
    inside = (clusters.flatten() == torch.arange(segments)[:, None]).float()  # (segments, N)
    return inside @ words.flatten(1).T / inside.sum(1, keepdim=True).clamp(min=1)


def label(scores: Tensor, threshold: float) -> tuple[int | None, ...]:
    """The best subject of each segment, or None if even its score is below the threshold."""
    best, subject = scores.max(1)
    return tuple(
        number if value >= threshold else None
        for value, number in zip(best.tolist(), subject.tolist(), strict=True)
    )
