"""LATENTs as a model takes them."""

from collections.abc import Mapping
from typing import Any

import comfy.sample
from torch import Tensor


def model_latent(model: Any, latent: Mapping[str, Any]) -> Tensor:
    """(images, C, h, w) of a LATENT. Raises ValueError if it is not one of this model's."""
    samples: Tensor = comfy.sample.fix_empty_latent_channels(
        model,
        latent["samples"],
        latent.get("downscale_ratio_spacial"),
        latent.get("downscale_ratio_temporal"),
    )
    channels = model.get_model_object("latent_format").latent_channels
    if samples.ndim != 4 or samples.shape[1] != channels:
        raise ValueError(
            f"latent has the shape {tuple(samples.shape)}, and this model takes (images, {channels}, "
            "height, width). Encode the image with the VAE of this model."
        )
    return samples
