"""The auxiliary loss: a noun's cross-attention should lie where its subjects are.

The card says that it was used. A model trained with it shows less of what plain training does to attention.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..world import Scene
from .text import Words


def noun_masks(
    words: Words, captions: Sequence[str], scenes: Sequence[Scene], coverage: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (M,), token positions (M,) and masks (M, h, w) of all nouns in the captions.

    coverage (B, 5, h, w) in 0..1 says how much of each cell each subject of the scene covers.
    """
    rows, positions, masks = [], [], []
    for row, (text, scene) in enumerate(zip(captions, scenes, strict=True)):
        for position, noun in words.nouns(text):
            own = [i for i, subject in enumerate(scene.subjects) if subject.noun == noun]
            rows.append(row)
            positions.append(position)
            masks.append(coverage[row, own].sum(0).clamp(max=1))
    device = coverage.device
    stacked = torch.stack(masks) if masks else coverage.new_zeros(0, *coverage.shape[2:])
    return torch.tensor(rows, device=device), torch.tensor(positions, device=device), stacked


def binding_loss(maps: Sequence[Tensor], rows: Tensor, positions: Tensor, masks: Tensor) -> Tensor:
    """Mean over layers and nouns of -log(share of the noun's map inside its mask); maps are (B, N, K)."""
    if len(rows) == 0:
        return maps[0].new_zeros(())
    cells = masks.shape[1] * masks.shape[2]
    losses = []
    for map_ in maps:
        shrink = round((cells / map_.shape[1]) ** 0.5)
        inside = F.avg_pool2d(masks[:, None], shrink).flatten(1)
        chosen = map_[rows, :, positions]
        share = (chosen * inside).sum(1) / chosen.sum(1).clamp(min=1e-9)
        losses.append(-share.clamp(min=1e-4).log().mean())
    return torch.stack(losses).mean()
