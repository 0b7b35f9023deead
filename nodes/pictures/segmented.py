"""What SelfSegment gives out: masks, drawings and tables in the pictures' size."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...attention_patches.maps import AttentionMaps
from ...attention_patches.methods.self_segmentation import Segmentation
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


def check_pictures(maps: AttentionMaps, pictures: Tensor) -> None:
    """Raises ValueError unless these can be the pictures of the recorded run."""
    images, height, width = pictures.shape[:3]
    if images != maps.images:
        raise ValueError(
            f"image: {images} pictures, but the maps are of {maps.images}. Connect all pictures that the "
            "recorded run made, in their order."
        )
    rows, columns = maps.latent
    if abs(height * columns / width - rows) > 1 and abs(width * rows / height - columns) > 1:
        raise ValueError(
            f"image: {width} x {height} pixels, but the maps are of a latent of {columns} x {rows} cells, "
            "which has another aspect ratio. Connect the pictures of the recorded run; resized they may be, "
            "but not cropped."
        )
