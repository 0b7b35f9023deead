"""What the description in a file of attention maps holds, and the maps that it and the tensors make."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from torch import Tensor

from ..contract.layers.layer import Layer
from ..contract.layers.layer_map import LayerMap
from ..numerics.descriptions import Count, Description, Index, Share
from ..text.words import PromptTokens, Word
from .recorded import AttentionMaps, RecordedLayer, TimeSlice

LATENTS = "latents"
PARTS = ("cross_attention", "self_attention", "queries", "keys")


class SavedPrompt(Description):
    """The prompt, and each of its words with the places of its tokens."""

    text: str
    words: tuple[tuple[str, Annotated[tuple[Index, ...], Field(min_length=1)]], ...]


class MapDescription(Description):
    """Everything of recorded maps that is no tensor; `grids` and `heads` are by the ordinal of the layer."""

    family: str
    layers: tuple[tuple[str, Index, Index | None], ...]
    images: Count
    latent: tuple[Count, Count]
    slices: Annotated[tuple[tuple[Share, Share, Share], ...], Field(min_length=1)]
    grids: Annotated[dict[Count, tuple[Count, Count]], Field(min_length=1)]
    heads: dict[Count, Count]
    prompt: SavedPrompt | None

    def maps(self, tensors: dict[str, Tensor]) -> AttentionMaps:
        """The maps, to which every tensor has to belong.

        Raises ValueError, naming the field or the tensor, for what does not fit together.
        """
        model, left = self._model(), dict(tensors)
        if unordered := [part for part in self.slices if part[0] >= part[1]]:
            raise ValueError(f"slices: one goes from {unordered[0][0]} to {unordered[0][1]}")
        if beyond := [ordinal for ordinal in self.grids if ordinal > len(model.layers)]:
            raise ValueError(f"grids: there is no layer {beyond[0]}, as layers lists {len(model.layers)}")
        if uncounted := sorted(self.grids.keys() ^ self.heads.keys()):
            raise ValueError(f"heads: layer {uncounted[0]} is not in both of grids and heads")
        latents = left.pop(LATENTS, None)
        if latents is not None:
            _fit(LATENTS, latents, (self.images, None, *self.latent))
        layers = tuple(self._layer(model.layers[ordinal - 1], left) for ordinal in sorted(self.grids))
        if left:
            raise ValueError(f"{', '.join(left)} belongs to no layer of `grids`")
        _check_texts(layers)
        slices = tuple(TimeSlice(*part) for part in self.slices)
        return AttentionMaps(model, self.images, self.latent, slices, layers, latents)

    def tokens(self) -> PromptTokens | None:
        """The words of the prompt, None if they were not known."""
        if self.prompt is None:
            return None
        return PromptTokens(self.prompt.text, tuple(Word(*word) for word in self.prompt.words))

    def _model(self) -> LayerMap:
        places = enumerate(self.layers, start=1)
        return LayerMap(
            self.family, tuple(Layer(number, len(self.layers), *place) for number, place in places)
        )

    def _layer(self, layer: Layer, left: dict[str, Tensor]) -> RecordedLayer:
        """The maps of one layer, taken out of what is left of the tensors."""
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        grid, heads = self.grids[layer.ordinal], self.heads[layer.ordinal]
        cells = grid[0] * grid[1]
        for part in PARTS:
            start = f"{layer.ordinal}/{part}/"
            for name in [name for name in left if name.startswith(start)]:
                kept = left.pop(name)
                columns = cells if part == "self_attention" else None
                mean = part in ("cross_attention", "self_attention") and kept.shape[2:3] == (1,)
                _fit(name, kept, (len(self.slices), self.images, 1 if mean else heads, cells, columns))
                parts[part][name.removeprefix(start)] = kept
        maps = RecordedLayer(layer, grid, heads, **parts)
        if not (maps.cross_attention or maps.self_attention):
            raise ValueError(f"grids: of layer {layer.ordinal} there is neither cross- nor self-attention")
        for role in {*maps.queries, *maps.keys}:
            both = [part.get(role) for part in (maps.queries, maps.keys)]
            if both[0] is None or both[1] is None or both[0].shape != both[1].shape:
                raise ValueError(
                    f"{layer.ordinal}/queries/{role} and {layer.ordinal}/keys/{role} are no pair"
                )
        return maps


def _fit(name: str, tensor: Tensor, wanted: tuple[int | None, ...]) -> None:
    """Raises ValueError unless the tensor has these sides; None may be any."""
    sides = tuple(tensor.shape)
    if len(sides) != len(wanted) or any(w not in (None, s) for s, w in zip(sides, wanted, strict=True)):
        shape = ", ".join("any" if side is None else str(side) for side in wanted)
        raise ValueError(f"{name} has the shape {sides}, and by the description it would be ({shape})")


def _check_texts(layers: Iterable[RecordedLayer]) -> None:
    """Raises ValueError if the text of a role has another length in one layer than in another."""
    lengths: dict[str, int] = {}
    for layer in layers:
        for role, kept in layer.cross_attention.items():
            length = lengths.setdefault(role, kept.shape[-1])
            if kept.shape[-1] != length:
                raise ValueError(
                    f"{layer.layer.ordinal}/cross_attention/{role} is of {kept.shape[-1]} tokens, and that "
                    f"of another layer of {length}"
                )
