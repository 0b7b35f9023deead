"""A picture that gives a style, where in the run's picture it does so, and how much."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.call.site import Window
from ...inversion.inversion import Inversion
from ...numerics.overlaps import overlaps

EVERYWHERE = torch.ones(1, 1)


@dataclass(frozen=True, eq=False)  # tensors have no single answer to ==
class StyleReference:
    """One inverted picture. `mask` (H, W) in 0..1, of any size, is stretched over the run's picture; (images,
    H, W) are one for each image, and None is the whole of it. `note` is a sentence about it for the report.
    Raises ValueError for inversions of several pictures, and for weights below 0.
    """

    inversion: Inversion
    weight: float = 1.0
    mask: Tensor | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if self.inversion.images != 1:
            raise ValueError(
                f"reference holds the inversions of {self.inversion.images} pictures, and a StyleReference "
                "is one. Invert one picture (LatentFromBatch takes one out of a latent batch), and chain a "
                "StyleReference for each."
            )
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight:g}; it must be 0 or more")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its latents."""
        return self.inversion.size

    @property
    def empty(self) -> bool:
        """Whether it is nowhere in the picture."""
        return self.weight == 0 or (self.mask is not None and not self.mask.any())

    @property
    def masks(self) -> Tensor:
        """(1 or images, H, W)"""
        mask = EVERYWHERE if self.mask is None else self.mask
        return mask.reshape(-1, *mask.shape[-2:])

    def check(self, images: int) -> None:
        """Raises ValueError unless it has one mask, or one for each image."""
        if len(self.masks) not in (1, images):
            raise ValueError(
                f"mask of a StyleReference: there are {len(self.masks)} masks, and the latent batch to "
                f"sample has {images} image{'s' * (images > 1)}. Give one mask for all images, or one for "
                "each."
            )

    def share(self, window: Window, grid: tuple[int, int]) -> Tensor:
        """(1 or images, h * w) float64: its weight times the mean of its mask over each cell of a grid (h, w)
        on a part of the picture, row by row; over the whole part with a grid of one cell."""
        masks = self.masks.double()
        rows = overlaps(window.top, window.bottom, grid[0], masks.shape[1])
        columns = overlaps(window.left, window.right, grid[1], masks.shape[2])
        return self.weight * (rows @ masks @ columns.T).flatten(1)


def weights(references: tuple[StyleReference, ...], window: Window, grid: tuple[int, int]) -> Tensor:
    """(1 or images, R, h * w) float64: how much each reference says in each cell of a grid on a part of the
    picture, in parts of 1; 0 for all of them where none reaches. Of one image, if all masks hold for all."""
    shares = torch.broadcast_tensors(*(reference.share(window, grid) for reference in references))
    stacked = torch.stack(shares, 1)
    total = stacked.sum(1, keepdim=True)
    return stacked / total.where(total > 0, 1.0)
