"""What a viewer is asked to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from ...attention_patches.contract.layers.layer_names import ALL
from ...attention_patches.maps.recorded import AttentionMaps
from ...attention_patches.maps.time_slices import parse_time
from ...attention_patches.maps.word_maps import check_length, token_words, word_columns
from ...attention_patches.text.lists import phrases_of
from ...attention_patches.text.words import PromptTokens, Word

UNREAD = 16  # token names shown where the prompt is not known


@dataclass(frozen=True)
class MapView:
    """Recorded maps, the pictures they belong to, and a choice of words, layers and times.

    `words` are all that the browser may show, `asked` says which of them are to be drawn. `layers` are
    ordinals, `slices` indices; None means all that were recorded.
    """

    maps: AttentionMaps
    pictures: Tensor  # (images, height, width, 3) in 0..1
    words: tuple[Word, ...]
    asked: tuple[int, ...]
    role: str
    layers: frozenset[int] | None
    slices: tuple[int, ...] | None
    point: tuple[float, float]  # (x, y) as fractions
    colour_map: str
    threshold: float

    @property
    def size(self) -> tuple[int, int]:
        return self.pictures.shape[1], self.pictures.shape[2]

    @property
    def finest_grid(self) -> tuple[int, int]:
        """(height, width) of the layer with the most places."""
        return max((layer.grid for layer in self.maps.layers), key=lambda grid: grid[0] * grid[1])

    @cached_property
    def by_word(self) -> AttentionMaps:
        """The maps with one column of cross-attention per word, each layer in its own size."""
        return word_columns(self.maps, self.words, self.role)

    def where(self) -> str:
        """The chosen time and layers, for captions: ` · t 0.62 · layer 10 / 70`; empty if all are."""
        return self._time_text() + self._layer_text()

    def _time_text(self) -> str:
        if self.slices is None:
            return ""
        times = [self.maps.slices[index].time for index in self.slices]
        return f" · t {times[0]:.2f}" + (f" to {times[-1]:.2f}" if len(times) > 1 else "")

    def _layer_text(self) -> str:
        if self.layers is None:
            return ""
        if len(self.layers) > 1:
            return f" · {len(self.layers)} layers"
        return f" · layer {next(iter(self.layers))} / {len(self.maps.model.layers)}"


def has_cross(maps: AttentionMaps, role: str) -> bool:
    return any(role in layer.cross_attention for layer in maps.layers)


def make_view(
    maps: AttentionMaps,
    pictures: Tensor,
    *,
    tokens: PromptTokens | None,
    words: str,
    layer: str,
    time: str,
    role: str,
    point: tuple[float, float],
    colour_map: str,
    threshold: float,
) -> MapView:
    """A view of the pictures (images, height, width, 3) from what the user wrote.

    Raises ValueError for what does not fit the maps.
    """
    columns, asked = _columns(maps, role, tokens, phrases_of(words))
    return MapView(
        maps=maps,
        pictures=pictures,
        words=columns,
        asked=asked,
        role=role,
        layers=None if layer.strip() == ALL else maps.model.parse(layer, "layer"),
        slices=parse_time(time, maps.slices),
        point=point,
        colour_map=colour_map,
        threshold=threshold,
    )


def _columns(
    maps: AttentionMaps, role: str, tokens: PromptTokens | None, phrases: Sequence[str]
) -> tuple[tuple[Word, ...], tuple[int, ...]]:
    """The prompt's content words and then what else was asked for; and which of these were asked for."""
    if not has_cross(maps, role):
        return (), ()
    if tokens is None:
        counts = (x.cross_attention[role].shape[-1] for x in maps.layers if role in x.cross_attention)
        tokens = PromptTokens("", token_words(next(counts)))
        content = tokens.words[:UNREAD]
    else:
        check_length(maps, tokens, role)
        content = tuple(tokens.find(text) for text in dict.fromkeys(w.text for w in tokens.content_words()))
    try:
        found = [tokens.find(phrase) for phrase in phrases]
    except ValueError as error:
        raise ValueError(f"words: {error}") from error
    by_place = {word.positions: word for word in (*content, *found)}  # asked for: in the user's spelling
    columns = tuple(by_place.values())
    places = list(by_place)
    asked = tuple(dict.fromkeys(places.index(word.positions) for word in found or content))
    return columns, asked
