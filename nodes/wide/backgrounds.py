"""Pictures of one random colour, encoded for the model."""

from typing import Any

import torch
from torch import Tensor

from ...attention_patches.methods.multidiffusion.regions import COLOURS
from ..host.walks.latents import of_latent


def encoded_colours(vae: Any, model: Any, window: tuple[int, int], seed: int) -> Tensor:
    """(colours, C, h, w) in the model's own latents, for windows of (height, width) pixels."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    colours = torch.rand(COLOURS, 1, 1, 3, generator=generator)
    height, width = window
    found = [vae.encode(colour.expand(1, height, width, 3)) for colour in colours.split(1)]
    return of_latent(model, torch.cat(found))
