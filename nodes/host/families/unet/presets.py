"""What the methods' authors use on U-Nets: which layers, and how long the steps of guidance are."""

import math
from collections.abc import Mapping

from .....attention_patches.contract.layers.layer import Layer
from .....attention_patches.contract.layers.layer_map import LayerMap
from .....attention_patches.contract.layers.layer_size import LayerSize, rows_with_outlines
from .....attention_patches.contract.layers.preset import Preset
from .....attention_patches.methods.bounded_attention.guidance import GUIDANCE_PRESET
from .....attention_patches.methods.bounded_attention.method import BOUNDED_PRESET, SEARCH_PRESET
from .....attention_patches.methods.cross_image.method import SWAPPED
from .....attention_patches.methods.layout_guidance import LAYOUT_PRESET
from .....attention_patches.methods.plug_and_play.method import PLUGGED

LayerSizes = Mapping[int, LayerSize]
FEWEST_CELLS = 256  # of the grid on which subjects are found again, where a model has it
FINEST_LEVELS = 2  # of the decoder, where keys are swapped: 64 x 64 and 32 x 32 tokens for 512 pixels
SHALLOW_STEPS = (8.0, 2.0)  # of Bounded Attention on SD1.5
DEEP_STEPS = (18.0, 5.0)  # on SDXL


def presets(model: LayerMap, sizes: LayerSizes, residuals: LayerMap, height: int) -> dict[str, Preset]:
    """By the names that the methods choose, for latents of this height."""
    seen = placing_layers(model, sizes, height)
    guided = guided_layers(model, seen)
    return {
        SWAPPED: Preset(finest_layers(model, sizes)),
        LAYOUT_PRESET: Preset(last_of_modules(seen)),
        GUIDANCE_PRESET: Preset(guided, DEEP_STEPS if deep(model) else SHALLOW_STEPS),
        BOUNDED_PRESET: Preset(frozenset(sizes)),
        SEARCH_PRESET: Preset(searched_layers(model, sizes, guided)),
        PLUGGED: plugged(model, sizes, residuals),
    }


def deep(model: LayerMap) -> bool:
    """Whether modules hold more than two transformers, as in SDXL."""
    return any((layer.index or 0) > 1 for layer in model.layers)


def finest_layers(model: LayerMap, sizes: LayerSizes) -> frozenset[int]:
    """Cross-Image Attention swaps in the decoder, on its two finest levels of attention."""
    cells = {n: math.prod(sizes[n].grid) for n in _output(model)}
    levels = sorted(set(cells.values()))[-FINEST_LEVELS:]
    return frozenset(n for n in cells if cells[n] in levels)


def coarse_layers(model: LayerMap, sizes: LayerSizes) -> list[Layer]:
    """The middle and the first level on the way up that has attention: up_blocks.1 of SD1.5 and SD2 (a
    quarter of the latents' side), up_blocks.0 of SDXL."""
    up = [layer for layer in model.layers if layer.block == "output"]
    level = [layer for layer in up if sizes[layer.ordinal].grid == sizes[up[0].ordinal].grid]
    return [layer for layer in model.layers if layer.block == "middle"] + level


def placing_layers(model: LayerMap, sizes: LayerSizes, height: int) -> list[Layer]:
    """Where guidance sees in which cells words are: the coarse layers. In models that do not go down to a
    quarter of the latents' height it is the level on the way up that `rows_with_outlines` names."""
    up = [layer for layer in model.layers if layer.block == "output"]
    rows = [sizes[layer.ordinal].grid[0] for layer in up]
    if not rows or min(rows) <= math.ceil(height / 4):
        return coarse_layers(model, sizes)
    chosen = rows_with_outlines(rows, height)
    return [layer for layer in up if sizes[layer.ordinal].grid[0] == chosen]


def last_of_modules(layers: list[Layer]) -> frozenset[int]:
    """Layout Guidance looks at the last transformer of each module, since the authors' library keeps one map
    for a module."""
    return frozenset({(layer.block, layer.number): layer.ordinal for layer in layers}.values())


def guided_layers(model: LayerMap, seen: list[Layer]) -> frozenset[int]:
    """Bounded Attention's loss looks at the placing layers (SD1.5) or, where modules are deep, at
    transformers 1 to 6 of the first module on the way up (SDXL)."""
    if not deep(model):
        return frozenset(layer.ordinal for layer in seen)
    first = next(layer.number for layer in seen if layer.block == "output")
    return frozenset(
        layer.ordinal
        for layer in seen
        if (layer.block, layer.number) == ("output", first) and 1 <= (layer.index or 0) <= 6
    )


def searched_layers(model: LayerMap, sizes: LayerSizes, guided: frozenset[int]) -> frozenset[int]:
    """Bounded Attention finds subjects on the grid of the output blocks that has 256 cells at least, and as
    few as possible: 16 x 16 in SD1.5 at 512 pixels, 32 x 32 in SDXL at 1024. On that grid it looks where its
    loss looks, which is everywhere in SD1.5 and in 6 of 30 layers in SDXL; everywhere if the loss looks
    nowhere there."""
    chosen = _output(model) or list(sizes)
    cells = {n: math.prod(sizes[n].grid) for n in chosen}
    enough = [n for n in chosen if cells[n] >= FEWEST_CELLS]
    best = min(cells[n] for n in enough) if enough else max(cells.values())
    fitting = frozenset(n for n in chosen if cells[n] == best)
    return fitting & guided or fitting


def plugged(model: LayerMap, sizes: LayerSizes, residuals: LayerMap) -> Preset:
    """Plug-and-Play takes features in the second block of the decoder's first level with attention, and
    queries and keys from there on to the end: output 4, and output 4 to 11, of SD1.5 and SD2. Where modules
    are deep, Ctrl-X takes features in the first block of that level, and queries and keys in all of it:
    output 0, and output 0 to 2, of SDXL."""
    numbers = [layer.number for layer in coarse_layers(model, sizes) if layer.block == "output"]
    level = list(dict.fromkeys(numbers))
    if not level:
        return Preset(frozenset())
    block = level[0] if deep(model) else level[min(1, len(level) - 1)]
    last = level[-1] if deep(model) else max(layer.number for layer in model.layers)
    first = residuals.find("output", block, 0)
    return Preset(
        frozenset(
            layer.ordinal
            for layer in model.layers
            if layer.block == "output" and block <= layer.number <= last
        ),
        residuals=frozenset() if first is None else frozenset({first.ordinal}),
    )


def _output(model: LayerMap) -> list[int]:
    return [layer.ordinal for layer in model.layers if layer.block == "output"]
