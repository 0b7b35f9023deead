"""Make coarse maps follow the edges of a picture: the guided filter.

He, Sun, Tang, "Guided Image Filtering", TPAMI 2013, with a colour guide: in each window the result is a
linear function of the picture's colours, the one nearest to the input in the least-squares sense. The
functions are found on a smaller copy and applied at full size (He, Sun, "Fast Guided Filter", 2015).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

LONGEST = 384  # pixels of the copy's longer side: half a million small equations at most
EPS = 1e-4  # colour variance far below it counts as flat


def guided_filter(values: Tensor, guide: Tensor, radius: float, eps: float = EPS) -> Tensor:
    """(C, h, w) maps of any size -> (C, H, W) that follow the guide (3, H, W) in 0..1.

    A window reaches `radius`, a share of the guide's longer side, from its middle. Maps that sum to 1
    everywhere still do, but single values may leave 0..1.
    """
    full = guide.shape[1:]
    scale = min(1.0, LONGEST / max(full))
    size = [max(1, round(side * scale)) for side in full]
    small = F.interpolate(guide[None], size, mode="area")[0]
    coarse = F.interpolate(values[None], size, mode="bilinear")[0]
    functions = _functions(coarse, small, max(1, round(radius * max(size))), eps)
    slope, offset = (
        F.interpolate(functions.flatten(0, 1)[None], full, mode="bilinear")[0]
        .unflatten(0, functions.shape[:2])
        .split([3, 1], dim=1)
    )
    return (slope * guide).sum(1) + offset[:, 0]


def _functions(values: Tensor, guide: Tensor, radius: int, eps: float) -> Tensor:
    """(C, 4, h, w): three slopes and an offset, each the mean over all windows that hold the place."""
    channels = len(values)
    mean, target = _box(guide, radius), _box(values, radius)
    squares = _box((guide[:, None] * guide).flatten(0, 1), radius).unflatten(0, (3, 3))
    products = _box((values[:, None] * guide).flatten(0, 1), radius).unflatten(0, (channels, 3))
    covariance = squares - mean[:, None] * mean + eps * torch.eye(3)[..., None, None]
    slope = torch.linalg.solve(
        covariance.permute(2, 3, 0, 1), (products - target[:, None] * mean).permute(2, 3, 1, 0)
    ).permute(3, 2, 0, 1)  # (C, 3, h, w)
    offset = target - (slope * mean).sum(1)
    functions = torch.cat([slope, offset[:, None]], dim=1)
    return _box(functions.flatten(0, 1), radius).unflatten(0, (channels, 4))


def _box(x: Tensor, radius: int) -> Tensor:
    """Mean over (2 radius + 1) x (2 radius + 1) places, over fewer at the borders."""
    size = 2 * radius + 1
    x = F.avg_pool2d(x[None], (size, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(x, (1, size), 1, (0, radius), count_include_pad=False)[0]
