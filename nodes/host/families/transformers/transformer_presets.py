"""What the methods' authors, or others after them, use on transformers: which layers, until when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .....attention_patches.contract.layers.layer import Layer
from .....attention_patches.contract.layers.layer_map import LayerMap
from .....attention_patches.contract.layers.preset import Preset
from .....attention_patches.maps.recorders.recorder import PICTURE, WORDS
from .....attention_patches.methods.bounded_attention.guidance import GUIDANCE_PRESET
from .....attention_patches.methods.bounded_attention.method import BOUNDED_PRESET, SEARCH_PRESET
from .....attention_patches.methods.layout_guidance import LAYOUT_PRESET

BOUNDED_UNTIL = 0.4
"""Regional prompting for Flux (Chen et al., arXiv 2411.02395, their code) masks 10 of 24 steps."""

STEP_SIZES = (18.0, 5.0)
"""Bounded Attention's on SDXL. Nobody has published a guidance of transformers by their attention."""


@dataclass(frozen=True)
class BoundedBlocks:
    """In which blocks bounds work, every so many from the first of each name; and whether pixels of subjects
    are kept from each other there, or only from the words."""

    every: int
    pictures: bool


def presets(
    model: LayerMap, named: Sequence[tuple[str, int]], bounded: BoundedBlocks
) -> Mapping[str, Preset]:
    """By the names that the methods choose; `named` are the blocks in which words lie best, the best of them
    first."""
    best = best_layers(model, named)
    words, picture = frozenset(layer.ordinal for layer in best), frozenset({best[0].ordinal})
    bound = frozenset(layer.ordinal for layer in model.layers if layer.number % bounded.every == 0)
    apart = bound if bounded.pictures else frozenset()
    return {
        WORDS: Preset(words),
        PICTURE: Preset(picture),
        BOUNDED_PRESET: Preset(bound, self_layers=apart, until=BOUNDED_UNTIL),
        SEARCH_PRESET: Preset(picture),
        GUIDANCE_PRESET: Preset(words, STEP_SIZES),
        LAYOUT_PRESET: Preset(words),
    }


def best_layers(model: LayerMap, named: Sequence[tuple[str, int]]) -> list[Layer]:
    """The layers in which words lie best, the best of them first."""
    found = [model.find(*place, None) for place in named]
    layers = [layer for layer in found if layer is not None]
    if not named or len(layers) < len(named):  # another size of the model
        return behind_the_middle(model.layers)
    return layers


def behind_the_middle(layers: Sequence[Layer]) -> list[Layer]:
    """Five layers round six tenths of the depth, where the families with published choices have theirs."""
    first = max(min(round(0.6 * len(layers)) - 3, len(layers) - 5), 0)
    return list(layers[first : first + 5])
