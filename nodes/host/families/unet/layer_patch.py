"""The host's place round a layer of a U-Net, and whether this host has it for all layers."""

from typing import Any

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import TimestepBlock, forward_timestep_embed

LAYER_PATCH = "forward_timestep_embed_patch"
BROUGHT_BY = "0.20.1"
"""The oldest host that was seen to ask the patch first; 0.18.2 asks it of unknown layers only."""


class Known(TimestepBlock):
    """A layer of a kind that the host knows."""

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        return x


def reaches_layers() -> bool:
    """Whether the host asks the patch before it computes a layer of a kind that it knows."""
    asked: list[Any] = []

    def patch(layer: Any, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        asked.append(layer)
        return x

    x = torch.zeros(1)
    forward_timestep_embed([Known()], x, x, transformer_options={"patches": {LAYER_PATCH: [(Known, patch)]}})
    return bool(asked)
