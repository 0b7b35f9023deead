"""Attention maps in files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..numerics.tensor_files import FileFormat
from ..text.words import PromptTokens
from .map_description import LATENTS, PARTS, MapDescription, SavedPrompt
from .recorded import AttentionMaps
from .word_maps import check_words

FORMAT = FileFormat(
    "attention maps", 1, "maps", "Save Attention Maps", "record and save the maps anew", MapDescription
)


@dataclass(frozen=True)
class SavedMaps:
    """What a file holds: the maps and, if they were known, the words of the prompt.

    Raises ValueError if the recorded text is too short for the words.
    """

    maps: AttentionMaps
    tokens: PromptTokens | None = None

    def __post_init__(self) -> None:
        for layer in self.maps.layers:
            if self.tokens is not None and "positive" in layer.cross_attention:
                check_words(self.tokens.words, layer.cross_attention["positive"].shape[-1])


def save_maps(path: Path, saved: SavedMaps) -> None:
    """Write a file that appears as a whole or not at all.

    Raises ValueError for maps that are no numbers, and OSError, naming the file, if it cannot be written.
    """
    FORMAT.save(path, dict(_tensors(saved.maps)), _describe(saved))


def load_maps(path: Path) -> SavedMaps:
    """Read a file that `save_maps` wrote; the tensors are as they were, to the bit.

    Raises ValueError, naming the file and what to do, if it is missing, damaged, of another kind, or of a
    later version.
    """
    return FORMAT.load(path, lambda found, tensors: SavedMaps(found.maps(tensors), found.tokens()))


def _tensors(maps: AttentionMaps) -> Iterator[tuple[str, Tensor]]:
    if maps.latents is not None:
        yield LATENTS, maps.latents
    for layer in maps.layers:
        for part in PARTS:
            for role, tensor in getattr(layer, part).items():
                yield f"{layer.layer.ordinal}/{part}/{role}", tensor


def _describe(saved: SavedMaps) -> MapDescription:
    maps, tokens = saved.maps, saved.tokens
    words = () if tokens is None else tuple((word.text, word.positions) for word in tokens.words)
    return MapDescription(
        family=maps.model.family,
        layers=tuple((layer.block, layer.number, layer.index) for layer in maps.model.layers),
        images=maps.images,
        latent=maps.latent,
        slices=tuple((part.start, part.end, part.time) for part in maps.slices),
        grids={layer.layer.ordinal: layer.grid for layer in maps.layers},
        heads={layer.layer.ordinal: layer.heads for layer in maps.layers},
        prompt=None if tokens is None else SavedPrompt(text=tokens.prompt, words=words),
    )
