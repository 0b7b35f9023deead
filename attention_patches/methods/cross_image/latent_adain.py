"""AdaIN of latents after a step: the colours of one picture's object for another's.

Alaluf et al., "Cross-Image Attention for Zero-Shot Appearance Transfer", SIGGRAPH 2024: per channel of the
latents, the values inside the structure's object take over mean and deviation of those inside the
appearance's, at the same noise level. In the host's scale both latents are sqrt(1 + sigma^2) times the
paper's, so the result differs only in what the 1e-5 beneath the root weighs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...inversion.inversion import Inversion
from ...numerics.adain import adain

FEWEST = 2  # cells: one alone has no deviation


@dataclass(frozen=True)
class Masks:
    """Where AdaIN works, for B pictures: (B, h, w) and (B, h', w') bool; `fallbacks` are whole pictures."""

    structure: Tensor
    appearance: Tensor
    fallbacks: tuple[int, ...] = ()


def fitted(mask: Tensor, size: tuple[int, int], pictures: int) -> Tensor:
    """A mask (1 or B, H, W) of any size on the grid of B latents, bool: where at least half of a cell is set.

    Raises ValueError for another number of masks.
    """
    if len(mask) not in (1, pictures):
        raise ValueError(f"{len(mask)} masks for {pictures} pictures: possible is 1 for all, or one for each")
    on_grid = F.interpolate(mask[:, None].float(), size, mode="area")[:, 0]
    return (on_grid >= 0.5).expand(pictures, -1, -1)


def paired(structure: Tensor, appearance: Tensor) -> Masks:
    """Masks (B, h, w) and (B, h', w') for each pair; both whole where one of them has next to no cells."""
    empty = (structure.flatten(1).sum(1) < FEWEST) | (appearance.flatten(1).sum(1) < FEWEST)
    whole = empty[:, None, None]
    return Masks(structure | whole, appearance | whole, tuple(empty.nonzero().flatten().tolist()))


@dataclass(frozen=True)
class LatentAdaIN:
    """Called after each step of a sampler that walks the inversion's noise levels.

    Works after step `first` of the inversion, counted from 0, and all later ones.
    """

    appearance: Inversion
    masks: Masks
    first: int

    def __call__(self, latents: Tensor, done: int) -> Tensor:
        """Latents (B, C, h, w) with `done` steps of the inversion behind them."""
        if done <= self.first:
            return latents
        reference = self.appearance.states[done].to(latents)
        return masked_adain(latents, reference.expand(len(latents), -1, -1, -1), self.masks)


def masked_adain(latents: Tensor, reference: Tensor, masks: Masks) -> Tensor:
    """Latents (B, C, h, w) which inside their masks have the statistics of (B, C, h', w') inside theirs."""
    out = latents.clone()
    for image, (inside, there) in enumerate(zip(masks.structure, masks.appearance, strict=True)):
        inside, there = inside.to(latents.device), there.to(latents.device)
        cells = adain(latents[image][:, inside].T, reference[image][:, there].T)  # (cells, C)
        out[image][:, inside] = cells.T
    return out


def everywhere(pictures: int, size: tuple[int, int]) -> Tensor:
    """A mask (B, h, w) that leaves nothing out."""
    return torch.ones(pictures, *size, dtype=torch.bool)
