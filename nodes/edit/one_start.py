"""A latent for each prompt, all of which start at the same noise, or at that of a picture's inversion."""

from collections.abc import Mapping
from typing import Any

import torch

from ...attention_patches.inversion.inversion import Inversion
from ...attention_patches.inversion.pinned import size_in_words
from ..host.exchange import handed_on
from ..host.facts.cells import cell_of
from ..host.walks.latents import as_latent

Latent = dict[str, Any]


def start_of_edits(
    model: Any, latent: Mapping[str, Any] | None, inversion: Inversion | None, images: int
) -> Latent:
    """The LATENT of a batch of so many images. Beside an inversion only a LATENT's noise mask counts.

    Raises ValueError without either, or if the two do not fit.
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
        cell = cell_of(model)
        raise ValueError(
            f"latent is {size_in_words((height, width), cell)}, and inversion is "
            f"{size_in_words(size, cell)}. With an inversion the picture's own size counts: disconnect "
            "`latent`."
        )
    noisiest = as_latent(model, inversion.beginning().repeat(images, 1, 1, 1))
    return {**_mask_of(latent or {}), "samples": handed_on(noisiest), "batch_index": [0] * images}


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
    repeated = samples[:1].repeat(images, *[1] * (samples.ndim - 1))
    return {**more, **_mask_of(latent), "samples": repeated, "batch_index": [number] * images}


def _mask_of(latent: Mapping[str, Any]) -> Latent:
    """A LATENT's noise mask, the first of them, for all images."""
    mask = latent.get("noise_mask")
    return {"noise_mask": mask[:1]} if isinstance(mask, torch.Tensor) else {}
