"""The host's U-Nets (SD1.5, SD2, SDXL and their kin): their layers, and the site of an attention call."""

from typing import Any

from comfy.ldm.modules.attention import SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, UNetModel

from ....attention_patches.contract.layers import LayerMap
from ....attention_patches.contract.method import LayerSize
from ....attention_patches.contract.site import Kind, Layer

FAMILY = "U-Net"


def layer_map(model: Any) -> LayerMap:
    """The transformer blocks of a MODEL in order of execution. Raises ValueError if it is no U-Net."""
    unet = model.get_model_object("diffusion_model")
    unet = getattr(unet, "_orig_mod", unet)  # compiled
    video = any(isinstance(module, SpatialVideoTransformer) for module in unet.modules())
    if not isinstance(unet, UNetModel) or video:
        raise ValueError(
            f"model is a {type(unet).__name__}{' for video' if video else ''}; attention control works on "
            "U-Nets for images (SD1.5, SD2, SDXL and models built like them). Use such a checkpoint."
        )
    places = [
        (block, number, index)
        for block, number, module in _blocks(unet)
        for transformer in module
        if isinstance(transformer, SpatialTransformer)
        for index in range(len(transformer.transformer_blocks))
    ]
    return LayerMap(FAMILY, tuple(Layer(i, len(places), *place) for i, place in enumerate(places, start=1)))


def _blocks(unet: UNetModel) -> list[tuple[str, int, Any]]:
    middle = [] if unet.middle_block is None else [("middle", 0, unet.middle_block)]
    return [
        *(("input", n, module) for n, module in enumerate(unet.input_blocks)),
        *middle,
        *(("output", n, module) for n, module in enumerate(unet.output_blocks)),
    ]


def layer_sizes(model: Any, latent: tuple[int, int]) -> dict[int, LayerSize]:
    """The size of every layer, by ordinal, for latents of (height, width) cells.

    Follows the U-Net down and up again, as its forward pass does; patches that resize there are not seen.
    """
    unet = model.get_model_object("diffusion_model")
    unet = getattr(unet, "_orig_mod", unet)
    ordinals = {(x.block, x.number, x.index): x.ordinal for x in layer_map(model).layers}
    sizes, grid = {}, latent
    skips: list[tuple[int, int]] = []
    for block, number, module in _blocks(unet):
        if block == "output":
            grid = skips.pop()
        for part in module:
            grid = _resized(part, grid)
            if isinstance(part, SpatialTransformer):
                for index, transformer in enumerate(part.transformer_blocks):
                    attention = transformer.attn1
                    sizes[ordinals[block, number, index]] = LayerSize(
                        grid, attention.heads, attention.dim_head
                    )
        if block == "input":
            skips.append(grid)
    return sizes


def _resized(part: Any, grid: tuple[int, int]) -> tuple[int, int]:
    """The grid behind this part: strided convolutions round up, pooling rounds down."""
    down = part.h_upd if isinstance(part, ResBlock) else part
    if not isinstance(down, Downsample):
        return grid
    odd = 1 if down.use_conv else 0
    return (grid[0] + odd) // 2, (grid[1] + odd) // 2


def place(options: dict[str, Any]) -> tuple[str, int, int] | None:
    """(block, number, transformer) that the host is computing."""
    block = options.get("block")
    return None if block is None else (*block, options.get("block_index", 0))


def grid(options: dict[str, Any]) -> tuple[int, int]:
    """(height, width) of the tokens, as the host states them; never guessed from their number."""
    height, width = options["activations_shape"][-2:]
    return height, width


def token_slices(kind: Kind, keys: int) -> tuple[slice, slice]:
    """(image tokens, text tokens) on the key axis of that many keys."""
    every, none = slice(0, keys), slice(0, 0)
    return (every, none) if kind == "self" else (none, every)
