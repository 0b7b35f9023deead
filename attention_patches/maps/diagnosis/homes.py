"""Which segment a thing has, and which thing a segment."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..self_segmentation.segmentation import score

WITHIN = 0.5  # a further segment is a thing's own if it is seen there half as strongly as in its home


def homes(nouns: Tensor) -> tuple[list[int], list[float], list[int | None]]:
    """(things, segments) -> of each thing the segment where it is strongest, its share of all that is there,
    and the strongest other thing there."""
    places = nouns.argmax(1)
    there = nouns[:, places]  # (noun, home of a thing)
    shares = there.diagonal() / there.sum(0).clamp(min=torch.finfo(there.dtype).tiny)
    rivals = [_strongest(there[:, number], number) for number in range(len(nouns))]
    return places.tolist(), shares.tolist(), rivals


def helped(places: Tensor, clusters: Tensor, segments: int) -> Tensor:
    """(things, h, w) -> (things, segments): by how much naming a thing helps inside each segment."""
    on_grid = F.interpolate(places[None], clusters.shape[-2:], mode="area")[0]
    return score(on_grid.clamp(min=0), clusters, segments).T


def _strongest(there: Tensor, number: int) -> int | None:
    """The other noun that is the strongest in a segment (nouns,)."""
    others = [other for other in range(len(there)) if other != number]
    return max(others, key=lambda other: float(there[other])) if others else None


def labels(nouns: Tensor, having: Sequence[int]) -> tuple[int | None, ...]:
    """The present thing of each segment: the strongest noun there, if it is not much stronger elsewhere."""
    found: list[int | None] = []
    for segment in nouns.T:
        best, value = int(segment.argmax()), float(segment.max())
        own = best in having and value > 0 and value >= WITHIN * float(nouns[best].max())
        found.append(best if own else None)
    return tuple(found)


def filled(labels: Sequence[int | None], homes: Mapping[int, int]) -> tuple[int | None, ...]:
    """The labels, and of a segment that has none the thing whose home it is."""
    return tuple(homes.get(segment) if own is None else own for segment, own in enumerate(labels))
