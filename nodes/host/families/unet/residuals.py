"""What the ResBlocks of a U-Net add to their shortcuts, seen and replaced on the way.

The host has a place round a whole layer, none between a residual and its addition. So a layer is run by a
copy of the block for this one call: it has the block's own modules and the host's own forward pass, and one
more step behind the last convolution of its residual. The block itself is never written to.
"""

import copy
from typing import Any

from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, forward_timestep_embed
from torch import Tensor, nn

from ...layer_patch import LAYER_PATCH
from ..family import Residuals


def seen_residuals(options: dict[str, Any], residuals: Residuals) -> dict[str, Any]:
    """The options of a forward pass in which these see every ResBlock."""
    patches = {**options.get("patches", {})}
    patches[LAYER_PATCH] = [(ResBlock, SeenBlocks(residuals)), *patches.get(LAYER_PATCH, [])]
    return {**options, "patches": patches}


class SeenBlocks:
    """A `forward_timestep_embed_patch` for the ResBlocks of one forward pass; what other packs have put there
    works inside."""

    def __init__(self, residuals: Residuals) -> None:
        self.residuals = residuals
        self.block: tuple[str, int] | None = None  # of the host, in which the pass is
        self.index = 0  # of the ResBlock in it

    def __call__(
        self, layer: Any, x: Tensor, emb: Tensor, context: Any, options: dict[str, Any], *rest: Any
    ) -> Tensor:
        block = options["block"]
        self.block, self.index = block, self.index + 1 if block == self.block else 0
        others = [entry for entry in options["patches"][LAYER_PATCH] if entry[1] is not self]
        patches = {name: patch for name, patch in options["patches"].items() if name != LAYER_PATCH}
        inside = {**options, "patches": patches | ({LAYER_PATCH: others} if others else {})}
        if self.residuals.wants((*block, self.index)):
            layer = with_step_behind(layer, Step(self.residuals))
        out: Tensor = forward_timestep_embed([layer], x, emb, context, inside, *rest)
        return out


class Step(nn.Module):
    """Lets somebody see and replace what passes."""

    def __init__(self, residuals: Residuals) -> None:
        super().__init__()
        self.residuals = residuals

    def forward(self, h: Tensor) -> Tensor:
        return self.residuals(h)


def with_step_behind(block: Any, step: nn.Module) -> Any:
    """A copy of a ResBlock, of the same modules, whose residual goes through one more."""
    own = copy.copy(block)
    own._modules = {**block._modules, "out_layers": nn.Sequential(*block.out_layers, step)}
    return own
