"""Pictures of one random colour, encoded for the model."""

from typing import Any

import torch
from torch import Tensor

from ...attention_patches.methods.multidiffusion.regions import COLOURS
from ..host.walks.latents import model_latent, of_latent


def encoded_colours(vae: Any, model: Any, window: tuple[int, int], seed: int) -> Tensor:
    """(colours, C, h, w) in the model's own latents, for windows of (height, width) pixels. Raises ValueError
    if the VAE is another model's, or makes no numbers."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    colours = torch.rand(COLOURS, 1, 1, 3, generator=generator)
    height, width = window
    found = [vae.encode(colour.expand(1, height, width, 3)) for colour in colours.split(1)]
    try:
        return of_latent(model, model_latent(model, {"samples": torch.cat(found)}))
    except ValueError as error:
        raise ValueError(f"vae: what it makes of colours is no background. {error}") from None
