"""A latent for each prompt, all of which start at the same noise."""

from collections.abc import Mapping
from typing import Any

import torch

Latent = dict[str, Any]


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
