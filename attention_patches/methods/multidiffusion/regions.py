"""Regions with prompts of their own, and the backgrounds by which their subjects get into them early."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...contract.views import Cells, RegionPrompts

INSIDE = 0.5  # of a mask, as in the authors' code
COLOURS = 20  # that backgrounds are drawn from, as in the authors' code


@dataclass(frozen=True, eq=False)
class Region:
    """Prompts, and where in the picture they hold: a mask (H, W) in 0..1 of any size, stretched over it, or
    (images, H, W), one for each image."""

    prompts: RegionPrompts
    mask: Tensor

    def on(self, size: tuple[int, int], number: int, pixels: int, images: int) -> Tensor:
        """(1 or images, h, w) float32, 0 or 1: the masks on latents of this size, by the authors' way, which
        cuts them at a half and takes the nearest pixel. Raises ValueError if no cell (of `pixels` a side) is
        left of them, or if there is neither one mask nor one for each image."""
        cut = (self.mask >= INSIDE).float().reshape(-1, *self.mask.shape[-2:])
        if len(cut) not in (1, images):
            raise ValueError(
                f"regions: region {number} has {len(cut)} masks, and the latent batch to sample has {images} "
                f"image{'s' * (images > 1)}. Give it one mask for all images, or one for each."
            )
        found = F.interpolate(cut[None], size, mode="nearest")[0]
        if not found.any():
            raise ValueError(
                f"regions: the mask of region {number} covers no cell of the picture ({size[0]} x {size[1]} "
                f"cells of {pixels} x {pixels} pixels). Paint a larger place, with values of 0.5 or more."
            )
        return found


def masks(regions: tuple[Region, ...], size: tuple[int, int], pixels: int, images: int) -> Tensor:
    """(1 + regions, 1 or images, h, w) float32: the background, which is all that no region covers, and the
    regions; of one image, if their masks hold for all."""
    own = [region.on(size, number, pixels, images) for number, region in enumerate(regions, start=1)]
    covered = sum(own, torch.zeros(1, *size))
    return torch.stack([(1 - covered).clamp(min=0), *(one.expand_as(covered) for one in own)])


@dataclass(frozen=True, eq=False)
class Backgrounds:
    """Pictures of one colour, (colours, C, h or 1, w or 1) in the model's own latents."""

    pictures: Tensor
    seed: int

    def drawn(self, sigma: float, places: int) -> list[int]:
        """Which picture each of so many places gets at a noise level; the same whenever it is asked."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + int(sigma * 2**20)) % 2**63)
        return torch.randint(len(self.pictures), (places,), generator=generator).tolist()

    def cut(self, number: int, cells: Cells) -> Tensor:
        """(C, h or 1, w or 1): one picture, of the size of a window at most."""
        return self.pictures[number, :, : cells.height, : cells.width]


def constants(channels: int, seed: int) -> Tensor:
    """(colours, C, 1, 1): latents that are the same everywhere, in place of encoded colours."""
    return torch.randn(COLOURS, channels, 1, 1, generator=torch.Generator().manual_seed(seed % 2**63))


def stand_in(noise: Tensor, seed: int) -> Tensor:
    """The run's own noise; drawn anew where the run adds none, as when it goes on with another's latents."""
    if noise.any():
        return noise
    return torch.randn(noise.shape, generator=torch.Generator().manual_seed(seed % 2**63)).to(noise)
