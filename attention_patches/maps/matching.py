"""Which run made this picture? Latents of an image model are nearly a linear picture of what they decode to.

The host's cache can bring back a picture of an earlier run, while the maps at hand are those of a later one.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 24  # cells of the longer side at which both are compared


def same_aspect(latent: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether pictures (height, width) in pixels can be what latents (height, width) in cells decode to, or
    that resized: a cell more or less is forgiven."""
    (rows, columns), (height, width) = latent, picture
    return abs(height * columns / width - rows) <= 1 or abs(width * rows / height - columns) <= 1


def explained(latents: Tensor, images: Tensor) -> float:
    """Share of the images' variance that a linear map of the latents explains, 0..1.

    latents (B, C, h, w), images (B, H, W, 3). 0 if they cannot belong together: other batch, other aspect.
    """
    height, width = latents.shape[-2:]
    aspects = height * images.shape[2], width * images.shape[1]
    if latents.ndim != 4 or len(latents) != len(images) or abs(aspects[0] / aspects[1] - 1) > 0.05:
        return 0.0
    shrink = min(1.0, SIDE / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    x = F.adaptive_avg_pool2d(latents.float().cpu(), size).movedim(1, -1).flatten(0, 2)
    y = F.adaptive_avg_pool2d(images.float().cpu().movedim(-1, 1), size).movedim(1, -1).flatten(0, 2)
    x, y = x - x.mean(0), y - y.mean(0)
    ridge = 1e-6 * x.square().mean() * torch.eye(x.shape[1])
    weights = torch.linalg.solve(x.T @ x / len(x) + ridge + 1e-12 * torch.eye(x.shape[1]), x.T @ y / len(x))
    spread = y.square().sum()
    return float(1 - (y - x @ weights).square().sum() / spread) if spread > 0 else 0.0
