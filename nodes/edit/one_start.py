"""A latent for each prompt, all of which start at the same noise, or at that of a picture's inversion."""

from collections.abc import Mapping
from typing import Any

import torch

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.inversion.pinned import size_in_words
from ..host.exchange import handed_on
from ..host.walks.latents import as_latent

Latent = dict[str, Any]


def start_of_edits(
    model: Any, latent: Mapping[str, Any] | None, inversion: Inversion | None, images: int
) -> Latent:
    """The LATENT of a batch of so many images.

    Raises ValueError without either, if the two do not fit, or for a noise mask beside an inversion.
    """
    if inversion is None:
        if latent is None:
            raise ValueError("latent: nothing is connected. Connect an empty latent, or an `inversion`.")
        return one_start(latent, images)
    if inversion.images != 1:
        raise ValueError(
            f"inversion: it holds {inversion.images} pictures, and one is the source. Invert one picture: "
            "LatentFromBatch takes one out of a latent batch."
        )
    size = inversion.size
    if latent is not None and tuple(latent["samples"].shape[-2:]) != size:
        height, width = latent["samples"].shape[-2:]
        raise ValueError(
            f"latent is {size_in_words((height, width))}, and inversion is {size_in_words(size)}. With an "
            "inversion the picture's own size counts: disconnect `latent`."
        )
    if latent is not None and latent.get("noise_mask") is not None:
        raise ValueError(
            "latent: it has a noise mask, and edits that start at the noise of an `inversion` can't keep "
            "what it leaves out. Disconnect `latent`, or `inversion`."
        )
    noisiest = as_latent(model, inversion.beginning().repeat(images, 1, 1, 1))
    return {"samples": handed_on(noisiest), "batch_index": [0] * images}


def one_start(latent: Mapping[str, Any], images: int) -> Latent:
    """The LATENT once for each image, under one number, by which the host draws the same noise for all.

    Raises ValueError if it holds several pictures that differ.
    """
    samples = latent["samples"]
    if not bool((samples == samples[:1]).all()):
        raise ValueError(
            f"latent: it holds {len(samples)} different pictures, and the source and its edits start at one. "
            "Give an empty latent, or one picture: LatentFromBatch takes one out of a batch."
        )
    number = next(iter(latent.get("batch_index", [0])), 0)
    more: Latent = {key: value for key, value in latent.items() if key != "batch_index"}
    if isinstance(mask := more.get("noise_mask"), torch.Tensor):
        more["noise_mask"] = mask[:1]
    repeated = samples[:1].repeat(images, *[1] * (samples.ndim - 1))
    return {**more, "samples": repeated, "batch_index": [number] * images}
