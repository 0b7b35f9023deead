"""What the transformers have in common: one grid in all layers, and blocks that are one layer each."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from .....attention_patches.attention.joint import IMAGE, TEXT, KeyPart
from .....attention_patches.contract.call.rotary import Axis, Rotary
from .....attention_patches.contract.layers.layer import Layer
from .....attention_patches.contract.layers.layer_map import LayerMap
from .....attention_patches.contract.layers.layer_size import LayerSize
from .....attention_patches.contract.layers.preset import Preset
from .....attention_patches.maps.recorders.concepts import ConceptRecorder
from .....attention_patches.maps.recorders.recorder import Recorder
from .....attention_patches.methods.bounded_attention.method import BoundedAttention
from .....attention_patches.methods.cross_image.method import CrossImage
from .....attention_patches.methods.layout_guidance import LayoutGuidance
from .....attention_patches.methods.multidiffusion.method import MultiDiffusion
from .....attention_patches.methods.plug_and_play.method import PlugAndPlay
from .....attention_patches.methods.prompt_to_prompt.method import PromptToPrompt
from .....attention_patches.methods.shape_variations.method import ShapeVariations
from .....attention_patches.methods.style_aligned.method import StyleAligned
from ..blocks.block_checkpoints import checkpointed_blocks
from ..family import INVERSION, Family, Forward, Seen
from .transformer_presets import BoundedBlocks, presets

Grid = tuple[int, int]
WITHOUT_GRADIENTS = frozenset(
    {
        Recorder.label,
        StyleAligned.label,
        BoundedAttention.label,
        MultiDiffusion.label,
        PromptToPrompt.label,
        INVERSION,
    }
)
"""Works on every transformer."""


class Transformer(Family):
    """A transformer for text and picture; nothing of it is marked, as the host's attention tells all."""

    works: ClassVar[frozenset[str]] = WITHOUT_GRADIENTS | {LayoutGuidance.label}
    reasons: ClassVar[Mapping[str, str]] = {
        PlugAndPlay.label: (
            "it takes features of a U-Net's ResBlocks, and a transformer has none; its successor for Flux "
            "(ReFlex, 2025) is not built"
        ),
        CrossImage.label: (
            "beside other keys at the same places each token looks at the place where it stands itself, and "
            "what has been published for transformers needs to know which places of two pictures belong "
            "together"
        ),
        ShapeVariations.label: (
            "it exchanges what single words say in cross-attention, and where text and picture share one "
            "softmax each token of the text has the whole text in it"
        ),
        ConceptRecorder.label: (
            "concepts go through blocks as a text of their own, and how they do is published for Flux.1 and "
            "Flux.2 dev"
        ),
    }
    joint = True
    one_grid = True

    @abstractmethod
    def blocks(self) -> Mapping[str, int]:
        """How many blocks there are of each name, in order of execution."""

    @abstractmethod
    def heads(self) -> tuple[int, int]:
        """(heads, channels of one) of every attention."""

    @property
    def patch(self) -> int:
        """Cells on a side of every token."""
        patch: int = self.network.patch_size
        return patch

    def grid_of(self, cells: Grid) -> Grid:
        """The tokens for latents of (height, width) cells, which the host fills up at the lower right."""
        height, width = cells
        return -(-height // self.patch), -(-width // self.patch)

    def layer_map(self) -> LayerMap:
        places = [(name, number) for name, count in self.blocks().items() for number in range(count)]
        layers = (Layer(i, len(places), *place, None) for i, place in enumerate(places, start=1))
        return LayerMap(self.name, tuple(layers))

    def layer_sizes(self, latent: Grid) -> dict[int, LayerSize]:
        size = LayerSize(self.grid_of(latent), *self.heads())
        return {layer.ordinal: size for layer in self.layer_map().layers}

    def seen(self, options: dict[str, Any], keys: int, forward: Forward) -> Seen | None:
        place = self.block_of(options)
        if place is None:
            return None
        grid = self.grid_of(forward.cells)
        parts = self.parts(grid[0] * grid[1], options, forward)
        rotary = self._rotary_of(grid, options, forward)
        return Seen((*place, None), grid, parts, queries_of(parts), rotary)

    def checkpointed(self, options: dict[str, Any], measured: dict[Any, Tensor]) -> dict[str, Any]:
        if not self.checkpoints:
            return options
        places = [(f"{name}_block", n) for name, count in self.blocks().items() for n in range(count)]
        return checkpointed_blocks(options, measured, places)

    def _rotary_of(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary | None:
        """Made once for each forward pass."""
        if forward.rotary is None:
            forward.rotary = self.rotary(grid, options, forward)
        return forward.rotary

    def block_of(self, options: dict[str, Any]) -> tuple[str, int] | None:
        """(name, number) of the block that is being computed; None before the blocks."""
        if "block_index" not in options:
            return None
        return options["block_type"], options["block_index"]

    def parts(self, tokens: int, options: dict[str, Any], forward: Forward) -> tuple[KeyPart, ...]:
        """The key axis: text, picture, and reference pictures behind it."""
        text, image = KeyPart(TEXT, forward.text), KeyPart(IMAGE, tokens)
        return (text, image, *references(options.get("reference_image_num_tokens", ())))

    def rotary(self, grid: Grid, options: dict[str, Any], forward: Forward) -> Rotary | None:
        """How the picture's queries and keys are rotated; None without such positions."""
        return None

    def presets(self, latent: Grid) -> Mapping[str, Preset]:
        return presets(self.layer_map(), self.best_blocks(), self.bounded_blocks())

    def best_blocks(self) -> Sequence[tuple[str, int]]:
        """The blocks in which words were found to lie best, the best first; none if nobody has published
        any."""
        return ()

    def bounded_blocks(self) -> BoundedBlocks:
        """Where Bounded Attention works. InvokeAI's regional prompts on Z-Image: words in every other block,
        and pixels see each other everywhere, as pictures fell apart otherwise; so where nobody has published
        anything."""
        return BoundedBlocks(every=2, pictures=False)


def no_rotations(models: str) -> str:
    """Why keys of these cannot be placed."""
    return (
        f"Positions of {models} are no rotations, so `placement` has no effect: the reference is shared "
        "where it stands."
    )


def references(counts: Sequence[int]) -> list[KeyPart]:
    """Tokens of further pictures beside the one that is made."""
    return [KeyPart(f"reference picture {i}", count) for i, count in enumerate(counts, start=1)]


def queries_of(parts: Sequence[KeyPart]) -> slice:
    """Where the picture's tokens are among the queries of a joint call, which are its keys' tokens."""
    start = 0
    for part in parts:
        if part.name == IMAGE:
            return slice(start, start + part.tokens)
        start += part.tokens
    return slice(0, 0)


def rows_and_columns(
    embedder: Any, options: Mapping[str, Any], rows: int, columns: int, starts: Mapping[int, float]
) -> tuple[Axis, ...]:
    """The axes of the host's `EmbedND`: which of them count rows and columns, and where each starts, as the
    user's `rope_options` have stretched and shifted them."""
    given: Mapping[str, float] = options.get("rope_options") or {}
    shift = {
        0: given.get("shift_t", 0.0),
        rows: given.get("shift_y", 0.0),
        columns: given.get("shift_x", 0.0),
    }
    return tuple(
        Axis(
            channels,
            float(embedder.theta),
            starts.get(axis, 0.0) + shift.get(axis, 0.0),
            given.get("scale_y", 1.0) if axis == rows else 0.0,
            given.get("scale_x", 1.0) if axis == columns else 0.0,
        )
        for axis, channels in enumerate(embedder.axes_dim)
    )
