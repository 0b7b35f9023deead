"""What the host's conditionings weigh where it averages those of a prompt, cell by cell."""

from collections.abc import Sequence
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ....attention_patches.contract.views import Cells
from .texts import Size, plain_area

Conditioning = dict[str, Any]  # an entry as the guider holds it
NO_WEIGHT = ("timestep_start", "timestep_end", "control", "gligen", "hooks")


def holds(entry: Conditioning, timestep: Tensor) -> bool:
    """Whether an entry says anything at this noise level."""
    sigma = float(timestep[0])
    return not (
        sigma > float(entry.get("timestep_start", sigma)) or sigma < float(entry.get("timestep_end", sigma))
    )


def extent(entry: Conditioning, size: Size) -> Cells:
    """The area of an entry in latents of this size."""
    height, width = size
    if "area" not in entry:
        return Cells(0, 0, height, width)
    h, w, top, left = plain_area(entry["area"])
    return Cells(top, left, min(h, height - top), min(w, width - left))


def weights(entry: Conditioning, x: Tensor, timestep: Tensor) -> Tensor:
    """(B, ..., h, w): what an entry weighs in the cells of its area on x (B, C, ..., H, W), as the host has
    it."""
    bare = {key: value for key, value in entry.items() if key not in NO_WEIGHT}
    found = comfy.samplers.get_area_and_mult({**bare, "model_conds": {}}, x, timestep)
    own: Tensor = found.mult[:, 0]
    return own


def summed(entries: Sequence[Conditioning], x: Tensor, timestep: Tensor) -> Tensor:
    """(B, ..., H, W): what all of a prompt's entries weigh that hold at this noise level, but for those that
    hold where nobody else does."""
    total = torch.zeros_like(x[:, 0])
    for entry in entries:
        if "default" not in entry and holds(entry, timestep):
            at = extent(entry, (x.shape[-2], x.shape[-1]))
            own = weights(entry, x, timestep)
            total[..., at.top : at.top + at.height, at.left : at.left + at.width] += own
    return total


def rest(entries: Sequence[Conditioning], x: Tensor, timestep: Tensor) -> Tensor:
    """(B, ..., H, W): what the others of a prompt leave to those that hold where nobody else does."""
    return (1 - summed(entries, x, timestep)).clamp(min=0)
