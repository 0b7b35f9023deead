"""LATENTs as a model takes them."""

from collections.abc import Mapping
from typing import Any

import comfy.sample
from torch import Tensor

from ..frames import of_one_frame
from ..numbers import require_numbers

RATIOS = ("downscale_ratio_spacial", "downscale_ratio_temporal")  # what empty latents say of themselves


def model_latent(model: Any, latent: Mapping[str, Any]) -> Tensor:
    """(images, C, h, w) of a LATENT, or (images, C, 1, h, w) for models that know frames.

    Raises ValueError if it is not one of this model's, or no numbers.
    """
    given = latent["samples"]
    if given.is_nested:
        raise ValueError(f"latent holds several kinds of latents, as of video and sound, {_wanted(model)}")
    axes = 2 + model.get_model_object("latent_format").latent_dimensions
    if given.ndim not in (4, axes) or not given.numel():
        raise ValueError(f"latent has the shape {tuple(given.shape)}, {_wanted(model)}")
    require_numbers(given, "latent: image")
    ratios = {name: latent[name] for name in RATIOS if name in latent}
    samples: Tensor = comfy.sample.fix_empty_latent_channels(model, given, **ratios)
    frames = samples.shape[2] if axes == 5 else 1
    if samples.ndim != axes or frames != 1 or samples.shape[1] != _channels(model):
        raise ValueError(f"latent has the shape {tuple(samples.shape)}, {_wanted(model)}")
    return samples


def as_latent(model: Any, pictures: Tensor) -> Tensor:
    """Pictures (images, C, h, w) in the model's own scale as a LATENT of it holds them."""
    latent_format = model.get_model_object("latent_format")
    in_host_form = pictures.unsqueeze(2) if latent_format.latent_dimensions == 3 else pictures
    samples: Tensor = latent_format.process_out(in_host_form)
    return samples


def of_latent(model: Any, samples: Tensor) -> Tensor:
    """Pictures (images, C, h, w) in the model's own scale, of what a LATENT holds."""
    return of_one_frame(model.get_model_object("latent_format").process_in(samples))


def _channels(model: Any) -> int:
    channels: int = model.get_model_object("latent_format").latent_channels
    return channels


def _wanted(model: Any) -> str:
    return (
        f"and this model takes (images, {_channels(model)}, height, width). Encode the image with the VAE of "
        "this model."
    )
