"""Latents: made of pictures, brought to mean 0 and deviation 1, and how much of a picture they keep."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..architecture import latent_scale
from .files import Places
from .precision import mixed
from .weights import load_vae_network


@torch.no_grad()
def encode(network: Any, images: Tensor) -> Tensor:
    """Latents (B, channels, h, w) of deviation 1, the most likely ones, of images (B, 3, H, W) in -1..1."""
    with mixed(images.device):
        moments = network.quant_conv(network.encoder(images)).float()
    mean = moments.chunk(2, 1)[0]
    return mean * latent_scale(mean.shape[1])


@torch.no_grad()
def standardise(
    network: torch.nn.Module, images: Iterator[Tensor], device: torch.device, batches: int
) -> None:
    """Fold a shift and a scale per channel into the 1x1 convolutions: mean 0 and deviation 1."""
    latents = [encode(network, next(images).to(device)) for _ in range(batches)]
    values = torch.cat([x.movedim(1, 0).flatten(1) for x in latents], 1)
    scale = latent_scale(len(values))
    normalise(network, values.mean(1) / scale, values.std(1) / scale, len(values))


@torch.no_grad()
def normalise(network: torch.nn.Module, mean: Tensor, deviation: Tensor, channels: int) -> None:
    """Take `mean` and `deviation` (channels,) out of the latents, and put them in again before decoding."""
    scale = deviation * latent_scale(channels)
    out, back = network.quant_conv, network.post_quant_conv
    back.bias += F.conv2d(mean.view(1, -1, 1, 1), back.weight).flatten()
    back.weight *= scale.view(1, -1, 1, 1)
    out.bias[:channels] -= mean
    out.weight[:channels] /= scale.view(-1, 1, 1, 1)
    out.bias[:channels] /= scale
    out.bias[channels:] -= 2 * scale.log()


@torch.no_grad()
def decibels(places: Places, pictures: Tensor) -> float:
    """Mean signal-to-noise ratio of pictures (B, 3, H, W) in -1..1 that went through the autoencoder."""
    network = load_vae_network(places)
    values = []
    for part in pictures.split(8):
        latents = network.quant_conv(network.encoder(part)).chunk(2, 1)[0]
        error = network.decoder(network.post_quant_conv(latents)).clamp(-1, 1) - part
        values.append(-10 * (error.square().mean((1, 2, 3)) / 4).log10())
    return float(torch.cat(values).mean())
