"""What SelfSegment gives out: masks, drawings and tables in the pictures' size."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...attention_patches.maps.self_segmentation.segmentation import Segmentation
from .segment_table import segment_tables
from .segments import draw_segments


def segmented(
    pictures: Tensor, found: Sequence[Segmentation], names: Sequence[str], sharpen: bool
) -> tuple[Tensor, Tensor, Tensor, str]:
    """Masks of subjects and of segments, drawings, and the report."""
    size = (pictures.shape[1], pictures.shape[2])
    clusters = [
        each.sharpened(picture) if sharpen else each.enlarged(size)
        for each, picture in zip(found, pictures, strict=True)
    ]
    pairs = list(zip(found, clusters, strict=True))
    masks = torch.cat([each.masks(large) for each, large in pairs])
    segments = torch.cat([each.segments(large) for each, large in pairs])
    drawings = [
        draw_segments(picture, large, each, names)
        for picture, (each, large) in zip(pictures, pairs, strict=True)
    ]
    return masks.float(), segments.float(), torch.stack(drawings), segment_tables(found, names)
