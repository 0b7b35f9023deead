"""Subjects' attention with the places where it should lie, while a run goes on."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 128  # pixels, at least, of the longer side


def live_boxes(heat: Tensor, masks: Tensor, grid: tuple[int, int]) -> Tensor:
    """(images, H, W) in 0..1: all subjects' heat, each over its own maximum, their places as white frames.

    `heat` (images, S, N) is what each subject's words get, `masks` (images, S, N) are 1 in its cells.
    """
    heat = heat / heat.amax(-1, keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    seen = heat.amax(1).unflatten(-1, grid)
    scale = max(1, math.ceil(SIDE / max(grid)))
    large = F.interpolate(seen[:, None], scale_factor=scale, mode="nearest")[:, 0]
    places = F.interpolate(masks.unflatten(-1, grid), scale_factor=scale, mode="nearest")
    inner = -F.max_pool2d(-F.pad(places, (1, 1, 1, 1)), 3, stride=1)  # without the pixels at its edge
    frames = (places - inner).amax(1)
    return torch.where(frames > 0, torch.ones_like(large), 0.8 * large)
