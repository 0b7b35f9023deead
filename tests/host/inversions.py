"""Inversions that need no model: a random picture, and random noise that changes along the way."""

import torch
from attention_control.attention_patches.inversion.inversion import Inversion, InversionMethod, ModelIdentity

SIGMAS = (14.6, 7.0, 3.5, 1.7, 0.8, 0.3, 0.0)
NOBODY = ModelIdentity("random", ())


def tiny_inversion(
    height: int,
    width: int,
    *,
    images: int = 1,
    method: InversionMethod = "ddim",
    model: ModelIdentity = NOBODY,
    seed: int = 0,
) -> Inversion:
    """Six steps of `images` pictures (4, height, width), deterministic by `seed`."""
    generator = torch.Generator().manual_seed(seed)
    sigmas = torch.tensor(SIGMAS)
    shape = (len(SIGMAS), images, 4, height, width)
    noise = torch.randn(shape, generator=generator)
    if method == "ddim":  # one noise, which drifts
        noise = (noise[:1] + 0.3 * noise.cumsum(0)) / 1.2
    states = 0.8 * torch.randn(shape[1:], generator=generator) + sigmas[:, None, None, None, None] * noise
    stored = None if method == "ddim" else torch.randn((len(SIGMAS) - 1, *shape[1:]), generator=generator)
    return Inversion(method, sigmas, states, stored, model)
