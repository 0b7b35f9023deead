"""Attention maps in files: safetensors, with what the tensors are as JSON in the header. Never pickle."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .layers import LayerMap
from .maps import AttentionMaps, LayerMaps, TimeSlice
from .site import Layer
from .tokens import PromptTokens, Word

FORMAT = "attention maps"
VERSION = 1
LATENTS = "latents"
PARTS = ("cross_attention", "self_attention", "queries", "keys")
MEND = "Copy it again from where it came from, or record and save the maps anew."


@dataclass(frozen=True)
class SavedMaps:
    """What a file holds: the maps and, if they were known, the words of the prompt."""

    maps: AttentionMaps
    tokens: PromptTokens | None = None


def save_maps(path: Path, saved: SavedMaps) -> None:
    """Write a file that appears as a whole or not at all. Raises OSError, naming the file, if that fails."""
    tensors = {name: tensor.contiguous().cpu() for name, tensor in _tensors(saved.maps)}
    header = {"format": FORMAT, "version": str(VERSION), "maps": json.dumps(_describe(saved))}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, temporary, header)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"the attention maps could not be written to {path} ({error}): see that the disk has "
            f"{saved.maps.megabytes:.0f} MB left and that the folder may be written to"
        ) from error
    finally:
        if temporary.exists():
            temporary.unlink()


def load_maps(path: Path) -> SavedMaps:
    """Read a file that `save_maps` wrote; the tensors are as they were, to the bit.

    Raises ValueError, naming the file and what to do, if it is missing, damaged, of another kind, or of a
    later version.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            described = _checked_header(path, file.metadata() or {})
            # clones: the file may be replaced while the maps are in use
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        if not path.exists():
            problem = f"there is no file {path}. Choose another, or refresh the list of files."
        else:
            problem = f"{path} can't be read as attention maps ({error}): damaged, or of another kind. {MEND}"
        raise ValueError(problem) from error
    try:
        return _restore(described, tensors)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its parts do not fit together ({error!r}). {MEND}") from error


def _checked_header(path: Path, header: Mapping[str, str]) -> Any:
    version = header.get("version", "")
    if header.get("format") != FORMAT or not version.isdecimal():
        raise ValueError(
            f"{path} holds no attention maps: it is a safetensors file of another kind. Choose one that "
            "Save Attention Maps has written."
        )
    if int(version) > VERSION:
        raise ValueError(
            f"{path} is of version {version}, and these nodes read up to version {VERSION}: a later "
            "Attention Control has written it. Update Attention Control."
        )
    try:
        return json.loads(header["maps"])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its description can't be read ({error!r}). {MEND}") from error


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
