"""The host's place round a layer of a U-Net, and whether this host has it for all layers."""

from typing import Any

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import TimestepBlock, forward_timestep_embed

LAYER_PATCH = "forward_timestep_embed_patch"


class Known(TimestepBlock):
    """A layer of a kind that the host knows."""

    def forward(self, x: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        return x


def reaches_layers() -> bool:
    """Whether the host asks the patch before it computes a layer of a kind that it knows; older ones (0.18.2)
    ask it of other layers only."""
    asked: list[Any] = []

    def patch(layer: Any, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        asked.append(layer)
        return x

    x = torch.zeros(1)
    forward_timestep_embed([Known()], x, x, transformer_options={"patches": {LAYER_PATCH: [(Known, patch)]}})
    return bool(asked)
