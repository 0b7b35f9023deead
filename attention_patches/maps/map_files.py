"""Attention maps in files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..contract.layers import LayerMap
from ..contract.site import Layer
from ..numerics.tensor_files import FileFormat
from ..text.words import PromptTokens, Word
from .recorded import AttentionMaps, LayerMaps, TimeSlice

FORMAT = FileFormat("attention maps", 1, "maps", "Save Attention Maps", "record and save the maps anew")
LATENTS = "latents"
PARTS = ("cross_attention", "self_attention", "queries", "keys")


@dataclass(frozen=True)
class SavedMaps:
    """What a file holds: the maps and, if they were known, the words of the prompt."""

    maps: AttentionMaps
    tokens: PromptTokens | None = None


def save_maps(path: Path, saved: SavedMaps) -> None:
    """Write a file that appears as a whole or not at all. Raises OSError, naming the file, if that fails."""
    FORMAT.save(path, dict(_tensors(saved.maps)), _describe(saved))


def load_maps(path: Path) -> SavedMaps:
    """Read a file that `save_maps` wrote; the tensors are as they were, to the bit.

    Raises ValueError, naming the file and what to do, if it is missing, damaged, of another kind, or of a
    later version.
    """
    return FORMAT.load(path, _restore)


def _tensors(maps: AttentionMaps) -> Iterator[tuple[str, Tensor]]:
    if maps.latents is not None:
        yield LATENTS, maps.latents
    for layer in maps.layers:
        for part in PARTS:
            for role, tensor in getattr(layer, part).items():
                yield f"{layer.layer.ordinal}/{part}/{role}", tensor


def _describe(saved: SavedMaps) -> dict[str, Any]:
    maps, tokens = saved.maps, saved.tokens
    words = None if tokens is None else [[word.text, word.positions] for word in tokens.words]
    return {
        "family": maps.model.family,
        "layers": [[layer.block, layer.number, layer.index] for layer in maps.model.layers],
        "images": maps.images,
        "latent": maps.latent,
        "slices": [[part.start, part.end, part.time] for part in maps.slices],
        "grids": {str(layer.layer.ordinal): layer.grid for layer in maps.layers},
        "prompt": None if tokens is None else {"text": tokens.prompt, "words": words},
    }


def _restore(described: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SavedMaps:
    places = described["layers"]
    model = LayerMap(
        str(described["family"]),
        tuple(Layer(n, len(places), str(b), int(i), int(j)) for n, (b, i, j) in enumerate(places, start=1)),
    )
    slices = tuple(
        TimeSlice(float(start), float(end), float(time)) for start, end, time in described["slices"]
    )
    images, left = int(described["images"]), dict(tensors)
    latents = left.pop(LATENTS, None)
    layers = []
    for ordinal, (height, width) in described["grids"].items():
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        for name in [name for name in left if name.split("/")[0] == ordinal]:
            _, part, role = name.split("/", 2)
            parts[part][role] = left.pop(name)
            shape = tuple(parts[part][role].shape)
            if len(shape) != 5 or shape[:2] != (len(slices), images) or shape[3] != height * width:
                raise ValueError(f"{name} is {shape}, on a grid of {height} x {width}")
        layers.append(LayerMaps(model.layers[int(ordinal) - 1], (height, width), **parts))
    if left:
        raise ValueError(f"{', '.join(left)} belongs to no layer")
    height, width = described["latent"]
    maps = AttentionMaps(model, images, (height, width), slices, tuple(layers), latents)
    return SavedMaps(maps, _tokens(described["prompt"]))


def _tokens(described: Mapping[str, Any] | None) -> PromptTokens | None:
    if described is None:
        return None
    words = tuple(
        Word(str(text), tuple(int(at) for at in positions)) for text, positions in described["words"]
    )
    return PromptTokens(str(described["text"]), words)
