"""The host's U-Nets (SD1.5, SD2, SDXL and their kin): their layers, and the site of an attention call."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

from comfy.ldm.modules.attention import SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, UNetModel
from torch import Tensor

from .....attention_patches.contract.call.site import Kind
from .....attention_patches.contract.layers.layer import Layer, LayerPlace
from .....attention_patches.contract.layers.layer_map import LayerMap
from .....attention_patches.contract.layers.layer_size import LayerSize
from .....attention_patches.contract.layers.preset import Preset
from .....attention_patches.maps.recorders.concepts import ConceptRecorder
from ..family import Enter, Family, Residuals
from .checkpoints import checkpointed
from .presets import presets
from .residuals import seen_residuals

MARKED: dict[str, Kind] = {"attn1_patch": "self", "attn2_patch": "cross"}


class UNet(Family):
    """A U-Net for images."""

    name: ClassVar[str] = "U-Net"
    group_norms = True
    models: ClassVar[str] = "U-Nets for images (SD1.5, SD2, SDXL and models built like them)"
    checkpoints: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, str]] = {
        ConceptRecorder.label: "words and picture are not in one attention, where concepts could read both"
    }

    @classmethod
    def supports(cls, label: str) -> bool:
        """All but what needs a stream of text."""
        return label != ConceptRecorder.label

    @staticmethod
    def fits(network: Any) -> bool:
        return isinstance(network, UNetModel) and not any(
            isinstance(part, SpatialVideoTransformer) for _, _, module in _blocks(network) for part in module
        )

    def layer_map(self) -> LayerMap:
        return self._map(
            (block, number, index)
            for block, number, module in _blocks(self.network)
            for transformer in module
            if isinstance(transformer, SpatialTransformer)
            for index in range(len(transformer.transformer_blocks))
        )

    def residual_map(self) -> LayerMap:
        return self._map(
            (block, number, index)
            for block, number, module in _blocks(self.network)
            for index in range(sum(isinstance(part, ResBlock) for part in module))
        )

    def _map(self, places: Iterable[LayerPlace]) -> LayerMap:
        named = list(places)
        layers = (Layer(i, len(named), *place) for i, place in enumerate(named, start=1))
        return LayerMap(self.name, tuple(layers))

    def seen_residuals(self, options: dict[str, Any], residuals: Residuals) -> dict[str, Any]:
        return seen_residuals(options, residuals)

    def layer_sizes(self, latent: tuple[int, int]) -> dict[int, LayerSize]:
        """Follows the U-Net down and up again, as its forward pass does; patches that resize there are not
        seen."""
        ordinals = {(x.block, x.number, x.index): x.ordinal for x in self.layer_map().layers}
        sizes, grid = {}, latent
        skips: list[tuple[int, int]] = []
        for block, number, module in _blocks(self.network):
            if block == "output":
                grid = skips.pop()
            for part in module:
                grid = _resized(part, grid)
                if isinstance(part, SpatialTransformer):
                    for index, transformer in enumerate(part.transformer_blocks):
                        attention = transformer.attn1
                        size = LayerSize(grid, attention.heads, attention.dim_head)
                        sizes[ordinals[block, number, index]] = size
            if block == "input":
                skips.append(grid)
        return sizes

    def presets(self, latent: tuple[int, int]) -> Mapping[str, Preset]:
        return presets(self.layer_map(), self.layer_sizes(latent), self.residual_map(), latent[0])

    def marks(self, enter: Enter) -> Mapping[str, Callable[..., Any]]:
        return {name: partial(_mark, enter, kind) for name, kind in MARKED.items()}

    def place(self, options: dict[str, Any]) -> LayerPlace | None:
        block = options.get("block")
        return None if block is None else (*block, options.get("block_index", 0))

    def grid(self, options: dict[str, Any]) -> tuple[int, int]:
        height, width = options["activations_shape"][-2:]
        return height, width

    def checkpointed(self, options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
        return checkpointed(options, measured)


def _blocks(unet: Any) -> list[tuple[str, int, Any]]:
    """(block, number, module) in the order of the forward pass."""
    middle = [] if unet.middle_block is None else [("middle", 0, unet.middle_block)]
    return [
        *(("input", n, module) for n, module in enumerate(unet.input_blocks)),
        *middle,
        *(("output", n, module) for n, module in enumerate(unet.output_blocks)),
    ]


def _mark(
    enter: Enter, kind: Kind, n: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]
) -> Any:
    """An `attn1_patch` or `attn2_patch` that changes nothing: it tells self- from cross-attention."""
    enter(kind, n, context, extra_options)
    return n, context, value


def _resized(part: Any, grid: tuple[int, int]) -> tuple[int, int]:
    """The grid behind this part: strided convolutions round up, pooling rounds down."""
    down = part.h_upd if isinstance(part, ResBlock) else part
    if not isinstance(down, Downsample):
        return grid
    odd = 1 if down.use_conv else 0
    return (grid[0] + odd) // 2, (grid[1] + odd) // 2
