"""Which pixels of a picture are its subject's, read off the judge's features by a linear map.

The map is fitted anew in each run, on rendered scenes with known masks as the VAE gives them back, and
measured on others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from attention_control.demo_model.judge import Judge
from torch import Tensor
from torch.nn import functional as F

from measure.appearance.pairs import Shown

CELL = 4  # pixels a side that one row of features speaks for
RIDGE = 30.0
THRESHOLD = -0.2  # of values fitted to 1 inside, -1 outside; chosen on renders of the first 60 structures


@dataclass(frozen=True)
class SubjectReader:
    judge: Judge
    weights: Tensor  # (features, CELL * CELL)

    @classmethod
    def fit(cls, judge: Judge, vae: Any, scenes: Sequence[Shown]) -> "SubjectReader":
        """Ridge regression of the masks on the features."""
        gram, moment = torch.zeros(1), torch.zeros(1)
        for first in range(0, len(scenes), 20):
            part = scenes[first : first + 20]
            x = features(judge, through(vae, part))
            wanted = torch.stack([scene.mask for scene in part])[:, None].float() * 2 - 1
            y = F.pixel_unshuffle(wanted, CELL).movedim(1, -1).flatten(0, 2)
            gram, moment = gram + x.T @ x, moment + x.T @ y
        return cls(judge, torch.linalg.solve(gram + RIDGE * torch.eye(len(gram)), moment))

    def __call__(self, images: Tensor) -> Tensor:
        """Masks (B, H, W) bool of images (B, H, W, 3)."""
        rows, columns = images.shape[1] // CELL, images.shape[2] // CELL
        values = (features(self.judge, images) @ self.weights).view(len(images), rows, columns, -1)
        return F.pixel_shuffle(values.movedim(-1, 1), CELL)[:, 0] > THRESHOLD

    def trust(self, vae: Any, scenes: Sequence[Shown]) -> float:
        """Mean IoU with the true masks on scenes that it was not fitted on."""
        found = self(through(vae, scenes))
        return sum(iou(m, s.mask) for m, s in zip(found, scenes, strict=True)) / len(scenes)


def through(vae: Any, scenes: Sequence[Shown]) -> Tensor:
    """The pictures (B, H, W, 3) as the autoencoder gives them back."""
    decoded: Tensor = vae.decode(vae.encode(torch.stack([scene.image for scene in scenes])))
    return decoded


def features(judge: Judge, images: Tensor) -> Tensor:
    """(B * H/4 * W/4, features): each cell's pixels, both stages of the judge round it, and a constant."""
    net, x = judge.detector, images.float().movedim(-1, 1)
    stem = net.stem(x * 2 - 1)
    body = F.interpolate(F.silu(net.norm(net.body(stem))), scale_factor=2, mode="bilinear")
    pixels = F.pixel_unshuffle(x, CELL)
    near, far = _neighbours(F.silu(stem), 1), _neighbours(body, 2)
    cross = [far[i] for i in (1, 3, 4, 5, 7)]
    every = torch.cat([pixels, *near, *cross, torch.ones_like(pixels[:, :1])], dim=1)
    return every.movedim(1, -1).flatten(0, 2)


def _neighbours(x: Tensor, reach: int) -> list[Tensor]:
    """The map moved by -reach, 0, reach in both directions, row by row."""
    height, width = x.shape[-2:]
    wide = F.pad(x, (reach,) * 4, mode="replicate")
    moves = (0, reach, 2 * reach)
    return [wide[:, :, dy : dy + height, dx : dx + width] for dy in moves for dx in moves]


def iou(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two masks; 0 for two empty ones."""
    return float((a & b).sum()) / max(float((a | b).sum()), 1.0)
