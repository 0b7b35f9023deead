"""Masks, drawings and tables of segmentations, in the pictures' size."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...attention_patches.maps.self_segmentation.segmentation import Segmentation
from .segment_table import segment_tables
from .segments import draw_segments


def in_full(found: Sequence[Segmentation], pictures: Tensor, sharpen: bool) -> list[Tensor]:
    """The segments (H, W) of each of the pictures (images, H, W, 3)."""
    size = (pictures.shape[1], pictures.shape[2])
    return [
        each.sharpened(picture) if sharpen else each.enlarged(size)
        for each, picture in zip(found, pictures, strict=True)
    ]


def drawn(
    found: Sequence[Segmentation], large: Sequence[Tensor], pictures: Tensor, names: Sequence[str]
) -> Tensor:
    """Each picture with its segments as `in_full` gives them, and with their labels."""
    drawings = [
        draw_segments(picture, clusters, each, names)
        for each, clusters, picture in zip(found, large, pictures, strict=True)
    ]
    return torch.stack(drawings)


def segmented(
    pictures: Tensor, found: Sequence[Segmentation], names: Sequence[str], sharpen: bool
) -> tuple[Tensor, Tensor, Tensor, str]:
    """What SelfSegment gives out: masks of subjects and of segments, drawings, and the report."""
    large = in_full(found, pictures, sharpen)
    masks = torch.cat([each.masks(clusters) for each, clusters in zip(found, large, strict=True)])
    segments = torch.cat([each.segments(clusters) for each, clusters in zip(found, large, strict=True)])
    overlay = drawn(found, large, pictures, names)
    return masks.float(), segments.float(), overlay, segment_tables(found, names)
