"""IMAGE and MASK as nodes of the host and of other packs hand them over, in one form."""

import torch
from torch import Tensor

from ..host.numbers import require_numbers

LUMINANCE = (1, 2)  # channels of a gray picture, without and with alpha
FRAMES = 5  # the rank of videos, whose frames are pictures


def read_pictures(image: Tensor, name: str) -> Tensor:
    """(images, height, width, 3) in 0..1, in float32 on the CPU, from an IMAGE of any number of channels.

    One or two channels are gray, the second and the fourth are alpha, which is left out; frames of videos
    (..., frames, height, width, channels) become images. Raises ValueError, naming the input, for any other
    shape, and for values that are no numbers.
    """
    if image.ndim not in (4, FRAMES) or not image.numel():
        raise ValueError(
            f"{name}: its shape is {tuple(image.shape)}, and pictures are (images, height, width, channels), "
            "with 3 channels for red, green and blue"
        )
    pictures = image.detach().float().cpu().flatten(0, -4)
    require_numbers(pictures, f"{name}: picture")
    gray = pictures.shape[-1] in LUMINANCE
    colours = pictures[..., :1].expand(*pictures.shape[:-1], 3) if gray else pictures[..., :3]
    return colours.clamp(0, 1)


def read_masks(mask: Tensor, name: str) -> Tensor:
    """(masks, height, width) in 0..1, float32 on the CPU, from a MASK of any rank: as in the host, all sides
    before the last two count masks.

    Raises ValueError, naming the input, where there are no such sides, and for values that are no numbers.
    """
    if mask.ndim < 2 or not mask.numel():
        raise ValueError(f"{name}: its shape is {tuple(mask.shape)}, and masks are (masks, height, width)")
    masks = mask.detach().to("cpu", torch.float32).reshape(-1, *mask.shape[-2:])
    require_numbers(masks, f"{name}: number", first=1, remedy="Mend the node that makes it.")
    return masks.clamp(0, 1)
