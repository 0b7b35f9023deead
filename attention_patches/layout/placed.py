"""Where words should be looked at, as tensors on the device, for all images and subjects at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..contract.call.site import Window
from .regions import Layout


@dataclass(frozen=True)
class Placed:
    """The subjects of some images on one grid; images with fewer subjects than others end with zeros."""

    masks: Tensor  # (images, S, N), 1 in a subject's cells
    words: Tensor  # (images, S, T), one over their number at a subject's tokens
    there: Sequence[tuple[int, int]]  # (image, subject) of those that have cells

    def of_image(self, image: int) -> list[tuple[int, Tensor]]:
        """(number, cells (N,)) of an image's subjects that have cells."""
        return [(number, self.masks[image, number]) for i, number in self.there if i == image]

    def heat(self, map_: Tensor) -> Tensor:
        """Cross-attention (images, H, N, T) -> (images, S, N): what a subject's tokens get, a mean over heads
        and tokens."""
        return (map_.mean(1) @ self.words.mT).mT

    def inside(self, map_: Tensor) -> Tensor:
        """Cross-attention (images, H, N, T) -> (images, S): which part of what a subject's tokens get lies in
        its cells, a mean over heads and tokens."""
        whole = map_.sum(-2, keepdim=True).clamp_min(torch.finfo(map_.dtype).tiny)
        shares = (self.masks[:, None] @ map_) / whole  # (images, H, S, T)
        return (shares * self.words[:, None]).sum(-1).mean(1)


def placed(layout: Layout, grid: tuple[int, int], window: Window, images: int, like: Tensor) -> Placed:
    """The subjects of so many images on the grid of a part of the picture, for maps (..., T) like `like`."""
    most = max(len(subjects) for subjects in layout.images)
    masks = torch.zeros(images, most, grid[0] * grid[1])
    words = torch.zeros(images, most, like.shape[-1])
    for image in range(images):
        subjects = layout.subjects(image)
        masks[image, : len(subjects)] = layout.masks(grid, image, window)
        for number, subject in enumerate(subjects):
            words[image, number, list(subject.token_positions)] = 1 / len(subject.token_positions)
    there = masks.any(-1).nonzero().tolist()
    with torch.inference_mode(False):  # whoever needs a gradient may use them as well
        own = Placed(masks.to(like, copy=True), words.to(like, copy=True), tuple((i, n) for i, n in there))
    return own
