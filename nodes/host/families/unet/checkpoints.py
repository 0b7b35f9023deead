"""Checkpoints at every layer of a U-Net: computed without a graph, and once more in the backward pass."""

from typing import Any

import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import forward_timestep_embed
from torch import Tensor

from ...measured_checkpoint import as_checkpoint
from ...private_weights import PrivateWeights

LAYER_PATCH = "forward_timestep_embed_patch"


def checkpointed(options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
    """The options of a forward pass in which every layer of the U-Net is a checkpoint."""
    patches = {**options.get("patches", {})}
    own = (torch.nn.Module, CheckpointedLayers(measured))
    patches[LAYER_PATCH] = [own, *patches.get(LAYER_PATCH, [])]
    return {**options, "patches": patches}


class CheckpointedLayers:
    """A `forward_timestep_embed_patch` for every layer of the U-Net: checkpoints it."""

    def __init__(self, measured: dict[Any, Tensor]) -> None:
        self.measured = measured

    def __call__(
        self, layer: Any, x: Tensor, emb: Tensor, context: Any, options: dict[str, Any], *rest: Any
    ) -> Tensor:
        others = [entry for entry in options["patches"][LAYER_PATCH] if entry[1] is not self]
        patches = {name: patch for name, patch in options["patches"].items() if name != LAYER_PATCH}
        seen = {**options, "patches": patches | ({LAYER_PATCH: others} if others else {})}

        def compute(h: Tensor) -> tuple[Tensor]:
            with PrivateWeights():
                return (forward_timestep_embed([layer], h, emb, context, dict(seen), *rest),)

        # a copy, because ControlNets and other packs change skip connections in place
        (out,) = as_checkpoint(compute, [x.clone() if x.requires_grad else x], self.measured)
        if isinstance(layer, SpatialTransformer):
            options["transformer_index"] += 1  # as the host counts them
        return out
