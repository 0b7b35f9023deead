"""Heat over a picture."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .colour_maps import coloured

PALE = 0.75  # how far the picture below loses its colours, so that only the heat has some
COLD, HOT = 0.45, 0.85  # how much the heat covers where it is lowest and highest
LUMA = (0.299, 0.587, 0.114)


def heat_over(picture: Tensor, heat: Tensor, colour_map: str) -> Tensor:
    """Heat (h, w) in 0..1 over a picture (h, w, 3) of the same size."""
    gray = (picture * picture.new_tensor(LUMA)).sum(-1, keepdim=True)
    below = torch.lerp(picture, gray.expand_as(picture), PALE)
    return torch.lerp(below, coloured(heat, colour_map), (COLD + (HOT - COLD) * heat)[..., None])


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, h, w) -> (n, height, width), smooth and never below 0."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps[None], size, mode="bicubic").clamp(min=0)[0]
